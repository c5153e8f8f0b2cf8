package cases

import (
	"bytes"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	asconfig "knative.dev/serving/pkg/autoscaler/config"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// autoscalers are PodAutoscalers with the annotations of each document of a file.
func autoscalers(t *testing.T, name string) (all []*v1alpha1.PodAutoscaler) {
	t.Helper()
	for document := range bytes.SplitSeq(read(t, name), []byte("\n---\n")) {
		pa := &v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm-00001"}}
		pa.Spec.Reachability = v1alpha1.ReachabilityReachable
		if err := yaml.Unmarshal(document, &pa.Annotations); err != nil || len(pa.Annotations) == 0 {
			t.Fatalf("%s: %v: %s", name, err, document)
		}
		if pa.Annotations[knautoscaling.ClassAnnotationKey] == "" {
			pa.Annotations[knautoscaling.ClassAnnotationKey] = autoscaling.Class
		}
		all = append(all, pa)
	}
	return all
}

func resolver(t *testing.T) config.Resolver {
	t.Helper()
	knative, err := asconfig.NewConfigFromMap(nil)
	if err != nil {
		t.Fatal(err)
	}
	return config.Resolver{Own: config.Default(), Knative: knative}
}

// A value in the wrong unit, and a port of the queue-proxy, are refused in words that
// name the unit or the fix.
func TestAnnotations_refused(t *testing.T) {
	for name, words := range map[string][]string{
		"unit-mistakes/annotations.yaml":     {"a share of 1", "looks like seconds", "looks like seconds"},
		"queue-proxy-ports/annotations.yaml": {"queue-proxy", "queue-proxy", "queue-proxy", "queue-proxy"},
	} {
		all := autoscalers(t, name)
		if len(all) != len(words) {
			t.Fatalf("%s has %d documents, want %d", name, len(all), len(words))
		}
		for i, pa := range all {
			if _, err := resolver(t).Resolve(pa); err == nil || !strings.Contains(err.Error(), words[i]) {
				t.Errorf("%s, %v: %v; want it refused with %q", name, pa.Annotations, err, words[i])
			}
		}
	}
}

func TestAnnotations_pathWithQuery(t *testing.T) {
	for _, pa := range autoscalers(t, "path-with-query/annotations.yaml") {
		if s, err := resolver(t).Resolve(pa); err != nil || s.Engine.MetricsPath != "/metrics?model=qwen" {
			t.Errorf("path %q, %v", s.Engine.MetricsPath, err)
		}
	}
}

func TestAnnotations_hpaClass(t *testing.T) {
	for _, pa := range autoscalers(t, "hpa-class-latency/annotations.yaml") {
		if !podautoscaler.Observed(pa) {
			t.Errorf("%v: not observed, so that the HorizontalPodAutoscaler finds no metric", pa.Annotations)
		}
	}
}
