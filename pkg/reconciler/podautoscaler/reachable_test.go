package podautoscaler

import (
	"strings"
	"testing"
	"time"

	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// An objective that no number of replicas reaches makes the condition False with what was
// learned, and one event, however often it is seen.
func TestMarkReachable(t *testing.T) {
	slo := func(parts decider.SLOParts) decider.Decision {
		return decider.Decision{SLO: &parts, Objective: decider.Objective{TTFT: 200 * time.Millisecond, ITL: 50 * time.Millisecond, Goal: 0.99}}
	}
	pa := &v1alpha1.PodAutoscaler{}
	pa.Namespace, pa.Name = "default", "llm-00001"
	b := newBench(t, 1)
	for _, step := range []struct {
		name, status, reason, says string
		decision                   decider.Decision
		events                     int
	}{
		{"at first", "Unknown", "NotLearnedYet", "", slo(decider.SLOParts{Attainment: decider.Unknown()}), 0},
		{"in reach", "True", "ObjectiveReachable", "the first token of the mean request takes 0.067 s, and a further token 0.011 s", slo(decider.SLOParts{FloorTTFT: 0.067, FloorITL: 0.011, Attainment: 1}), 0},
		{"longer prompts", "False", "ObjectiveOutOfReach", "Without any load the first token of the mean request takes 0.35 s or more, and the objective is 200ms", slo(decider.SLOParts{FloorTTFT: 0.35, FloorITL: 0.011, Attainment: 0}), 1},
		{"a little shorter", "False", "ObjectiveOutOfReach", "0.35 s", slo(decider.SLOParts{FloorTTFT: 0.19, FloorITL: 0.011, Attainment: 0.4}), 1},
		{"short", "True", "ObjectiveReachable", "", slo(decider.SLOParts{FloorTTFT: 0.067, FloorITL: 0.011, Attainment: 0.9}), 1},
		{"some are long", "False", "ObjectiveOutOfReach", "At any load about 8.0 % of the requests miss the objective, and the goal allows 1.0 %", slo(decider.SLOParts{FloorTTFT: 0.067, FloorITL: 0.011, Floor: 0.08, Attainment: 0.93}), 2},
		{"another metric", "", "", "", decider.Decision{}, 2},
	} {
		b.markReachable(b.ctx, pa, step.decision)
		c := pa.Status.GetCondition(autoscaling.ConditionObjectiveReachable)
		switch {
		case step.status == "" && c != nil:
			t.Errorf("%s: %+v, want no condition", step.name, c)
		case step.status != "" && (c == nil || string(c.Status) != step.status || c.Reason != step.reason || !strings.Contains(c.Message, step.says)):
			t.Errorf("%s: %+v, want %s %s with %q", step.name, c, step.status, step.reason, step.says)
		}
		if got := len(b.events.Events); got != step.events {
			t.Errorf("%s: %d events, want %d", step.name, got, step.events)
		}
	}
}
