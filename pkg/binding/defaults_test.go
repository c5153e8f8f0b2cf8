package binding

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// TestShippedExample holds the documented defaults of the shipped ConfigMap
// against the real ones: every key that can be set is there, with its value.
func TestShippedExample(t *testing.T) {
	text, err := os.ReadFile("../../config/inference-gateway/302-config-inference-gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cm corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &cm); err != nil {
		t.Fatal(err)
	}
	if cm.Name != ConfigName {
		t.Errorf("the ConfigMap is %s", cm.Name)
	}
	example := map[string]string{}
	if err := yaml.UnmarshalStrict([]byte(cm.Data["_example"]), &example); err != nil {
		t.Fatal(err)
	}
	got, err := ParseDefaults(example)
	if err != nil {
		t.Fatal(err)
	}
	want := builtin()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the example is not the default (-default +example):\n%s", diff)
	}
	for key := range clusterSettings() {
		if _, ok := example[key]; !ok && key != "paths" {
			t.Errorf("the example does not show %s", key)
		}
	}
	if _, err := ParseDefaults(cm.Data); err != nil {
		t.Errorf("the ConfigMap as shipped: %v", err)
	}
}

// TestBuiltin holds the table of annotations against what is read here: each annotation
// of a Service is read once, and each default is one that a user could write.
func TestBuiltin(t *testing.T) {
	want := annotations.Keys(annotations.Where(func(a annotations.Annotation) bool {
		return a.Place == annotations.Service && a.Key != inference.AIGatewayKey && a.Key != inference.ACKGatewayKey
	}))
	var got []string
	for _, s := range settings() {
		got = append(got, s.key)
		if a, _ := annotations.ByKey(s.key); a.Default != "" {
			if err := s.set(&Intent{}, a.Default); err != nil {
				t.Errorf("the default of %s: %v", s.key, err)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations of a Service (-table +read):\n%s", diff)
	}
}

// TestDefaultsRefused holds that a wrong value is named and the default stays.
func TestDefaultsRefused(t *testing.T) {
	got, err := ParseDefaults(map[string]string{"queue-ttl": "soon", "gatewy": "a/b", "pool-mode": "revision"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, s := range []string{"queue-ttl", `"soon"`, "gatewy", "did you mean gateway", ConfigName} {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %s", err, s)
		}
	}
	if got.Flow.TTL != builtin().Flow.TTL || got.PoolMode != PoolPerRevision {
		t.Errorf("got %+v", got)
	}
}

func FuzzParseDefaults(f *testing.F) {
	f.Add("gateway", "a/b")
	f.Add("body-based-router", "managed")
	f.Fuzz(func(t *testing.T, key, value string) {
		d, err := ParseDefaults(map[string]string{key: value})
		if err == nil && (d.Gateway.Name == "" || d.Picker.Image == "" || d.Flow.TTL <= 0) {
			t.Errorf("%q=%q was accepted as %+v", key, value, d)
		}
	})
}
