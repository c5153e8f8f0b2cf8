package config

import (
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// default-class is the class of InferenceServices that name none, in the namespaces that the
// administrator lists.
func TestClassIn(t *testing.T) {
	for _, tt := range []struct {
		name       string
		data       map[string]string
		namespace  string
		wantsClass bool
	}{
		{"not set", nil, "demo", false},
		{"empty", map[string]string{classKey: " "}, "demo", false},
		{"namespaces alone", map[string]string{classNamespacesKey: "*"}, "demo", false},
		{"everywhere", map[string]string{classKey: autoscaling.Class}, "demo", true},
		{"spaces", map[string]string{classKey: " " + autoscaling.Class + "\n"}, "demo", true},
		{"by name", map[string]string{classKey: autoscaling.Class, classNamespacesKey: "other, demo"}, "demo", true},
		{"by pattern", map[string]string{classKey: autoscaling.Class, classNamespacesKey: "team-*"}, "team-a", true},
		{"another namespace", map[string]string{classKey: autoscaling.Class, classNamespacesKey: "team-*,other"}, "demo", false},
		{"part of a name", map[string]string{classKey: autoscaling.Class, classNamespacesKey: "dem"}, "demo", false},
	} {
		c, err := FromMap(tt.data)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := c.ClassIn(tt.namespace); (got == autoscaling.Class) != tt.wantsClass || !tt.wantsClass && got != "" {
			t.Errorf("%s: class %q in namespace %s, want ours: %t", tt.name, got, tt.namespace, tt.wantsClass)
		}
	}
}

func TestFromMap_defaultClassRefused(t *testing.T) {
	for key, values := range map[string][]string{
		classKey:           {"ipa", "kpa.autoscaling.knative.dev", "hpa.autoscaling.knative.dev", autoscaling.Class + ",x"},
		classNamespacesKey: {"", ",", "demo,", "demo, demo", "[", "a,[b"},
	} {
		for _, v := range values {
			c, err := FromMap(map[string]string{key: v})
			if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), Name) {
				t.Errorf("%s: %q gives %+v and error %v, want an error that names %s and %s", key, v, c, err, Name, key)
			}
		}
	}
}
