package podautoscaler

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/ptr"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

func split(targets ...servingv1.TrafficTarget) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "llm"}}
	s.Spec.Traffic = targets
	return s
}

func to(revision string, percent int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{RevisionName: revision, Percent: ptr.Int64(percent), LatestRevision: ptr.Bool(revision == "")}
}

// A canary starts with its share of the traffic times what the others have for theirs.
func TestStartScale_ofACanary(t *testing.T) {
	old, older := initialized(autoscaler("llm-1", 1), time.Hour), initialized(autoscaler("llm-0", 0), time.Hour)
	for _, tt := range []struct {
		name    string
		service *servingv1.Service
		want    int32
	}{
		{"1 % beside 20 replicas at 99 %", split(to("llm-1", 99), to("llm-3", 1)), 1},
		{"the latest revision at 1 %", split(to("llm-1", 99), to("", 1)), 1},
		{"10 %", split(to("llm-1", 90), to("", 10)), 3},
		{"half", split(to("llm-1", 50), to("", 50)), 20},
		{"all: the latest replaces the latest", split(to("", 100)), 20},
		{"all, without a word", split(servingv1.TrafficTarget{LatestRevision: ptr.Bool(true)}), 20},
		{"most of it: never more than all replicas", split(to("llm-1", 1), to("", 99)), 20},
		{"two take the traffic", split(to("llm-1", 45), to("llm-0", 45), to("llm-3", 10)), 3},
		{"the other is at 0 %", split(to("llm-1", 90), to("llm-0", 0), to("llm-3", 10)), 3},
		{"a tag only", split(to("llm-1", 100), to("llm-3", 0)), 1},
		{"no other takes traffic", split(to("llm-3", 100)), 20},
		{"the split is not known", split(), 20},
		{"no Service", &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}, 20},
	} {
		pa, d := autoscaler("llm-3", 3), target("llm-3", 1)
		b := newBench(t, 1, pa, old, older, target("llm-1", 20), target("llm-0", 6), d, tt.service)
		s, err := b.resolveSettings(b.ctx, pa)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.startScale(pa, *s, d); got != tt.want {
			t.Errorf("%s: start scale %d, want %d", tt.name, got, tt.want)
		}
	}
}
