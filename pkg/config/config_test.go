package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

func TestFromMap_defaults(t *testing.T) {
	for _, data := range []map[string]string{nil, {}, {"_example": "tolerance: 0.9"}} {
		got, err := FromMap(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Default(), got); diff != "" {
			t.Errorf("FromMap(%v) (-default +got):\n%s", data, diff)
		}
	}
}

func TestFromMap_everyKey(t *testing.T) {
	got, err := FromMap(map[string]string{
		"tolerance": "0", "early-panic": "false", "startup-deadline": "1h",
		"kv-cache-usage-percent-target-default": "100", "num-requests-waiting-target-default": "0.5",
		"slo-ttft-default": "3s", "slo-itl-default": "50ms", "slo-goal-default": "0.95", "startup-time-default": "5m", "max-scale-default": "12",
		"default-metric": " rps ", "default-class": autoscaling.Class, "default-class-namespaces": "a, b-*", "register-metrics-api": "false",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{Tolerance: 0, EarlyPanic: false, StartupDeadline: time.Hour, Targets: map[decider.Metric]float64{decider.KVCache: 100, decider.Waiting: 0.5},
		SLOTTFT: 3 * time.Second, SLOITL: 50 * time.Millisecond, SLOGoal: 0.95, StartupTime: 5 * time.Minute, MaxScale: 12, Metric: decider.RPS,
		Class: autoscaling.Class, ClassNamespaces: []string{"a", "b-*"}, RegisterMetricsAPI: false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FromMap (-want +got):\n%s", diff)
	}
}

// A share of 1 as the cluster's default would ask for a hundred times the replicas, as it
// would in the annotation.
func TestFromMap_unitMistake(t *testing.T) {
	_, err := FromMap(map[string]string{"kv-cache-usage-percent-target-default": "0.7"})
	if err == nil || !strings.Contains(err.Error(), "[2, 100] percent; 0.7 looks like a share of 1") {
		t.Errorf("error %v does not name the unit", err)
	}
}

func TestFromMap_refused(t *testing.T) {
	f := func(key, value string) {
		t.Helper()
		got, err := FromMap(map[string]string{key: value})
		if err == nil {
			t.Errorf("FromMap(%s: %q) = %+v, want an error", key, value, got)
			return
		}
		for _, part := range []string{Name, key} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("FromMap(%s: %q): error %q does not name %s", key, value, err, part)
			}
		}
	}
	for _, value := range []string{"", "x", "-0.1", "1", "NaN", "+Inf", "-Inf"} {
		f("tolerance", value)
	}
	f("early-panic", "sometimes")
	f("register-metrics-api", "behind")
	for _, value := range []string{"", "-1", "1.5", "many"} {
		f("max-scale-default", value)
	}
	for _, value := range []string{"", "0s", "-5m", "15"} {
		f("startup-deadline", value)
	}
	for _, value := range []string{"0", "-1", "0.7", "1.99", "100.1", "NaN", "Inf", "70%"} {
		f("kv-cache-usage-percent-target-default", value)
	}
	for _, value := range []string{"0", "-1", "1e10", "NaN", "Inf", "five"} {
		f("num-requests-waiting-target-default", value)
	}
}

// The shipped config map shows the defaults, each of them, and nothing else.
func TestExample_isTheDefaults(t *testing.T) {
	shipped, err := os.ReadFile("../../config/300-config-ipa.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cm corev1.ConfigMap
	if err := yaml.UnmarshalStrict(shipped, &cm); err != nil {
		t.Fatal(err)
	}
	if cm.Name != Name {
		t.Errorf("the shipped config map is called %q, the program follows %q", cm.Name, Name)
	}
	if len(cm.Data) != 1 {
		t.Errorf("the shipped config map sets values outside of _example: %v", cm.Data)
	}
	var example map[string]string
	if err := yaml.UnmarshalStrict([]byte(cm.Data["_example"]), &example); err != nil {
		t.Fatalf("_example is not a map of strings: %v", err)
	}
	got, err := FromMap(example)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("config/300-config-ipa.yaml _example differs from Default() in pkg/config (-default +example):\n%s", diff)
	}
	// Every key matters: changed, it changes the configuration.
	for key := range example {
		changed := map[string]string{key: map[string]string{"early-panic": "false", "startup-deadline": "1m",
			"slo-ttft-default": "1m", "slo-itl-default": "1m", "startup-time-default": "1m", "max-scale-default": "3",
			"default-class": autoscaling.Class, "default-class-namespaces": "team-*",
			"default-metric": "concurrency", "register-metrics-api": "false", "kv-cache-usage-percent-target-default": "50"}[key]}
		if changed[key] == "" {
			changed[key] = "0.5"
		}
		if got, err := FromMap(changed); err != nil || cmp.Equal(got, Default()) {
			t.Errorf("_example has the key %s, which does nothing in pkg/config (%v)", key, err)
		}
	}
	fields := reflect.TypeFor[Config]().NumField() - 1 + len(Default().Targets) // a key for each metric in Targets
	if got := len(example); got != fields {
		t.Errorf("_example has %d keys, Config needs %d: show every one", got, fields)
	}
}

func TestFromMap_unknownKeyIsRefused(t *testing.T) {
	_, err := FromMap(map[string]string{"tolerence": "0.2"})
	if err == nil || !strings.Contains(err.Error(), `"tolerence"`) || !strings.Contains(err.Error(), "tolerance") {
		t.Errorf("error %v, want one that names the key and the keys there are", err)
	}
}
