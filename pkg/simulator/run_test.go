package simulator

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// staticPolicy always wants the same.
type staticPolicy struct {
	replicas int32
	period   time.Duration
}

func (p staticPolicy) Period() time.Duration                  { return p.period }
func (p staticPolicy) Want(decider.Observation) (Want, error) { return Want{Replicas: p.replicas}, nil }

// synthetic is a load of our own making.
func synthetic(t testing.TB, kind string, o trace.Options) trace.Requests {
	t.Helper()
	requests, err := trace.Synthetic(kind, o)
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

func TestRun_static(t *testing.T) {
	cfg := NewConfig()
	r, err := Run(cfg, synthetic(t, "step", trace.Options{Seed: 1}), staticPolicy{4, 2 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Series = nil
	raw, _ := json.MarshalIndent(r, "", " ")
	t.Logf("%s", raw)
}
