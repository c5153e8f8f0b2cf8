package decider

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// TestSLOState_isBounded runs a large fleet for two hours.
func TestSLOState_isBounded(t *testing.T) {
	spec, obs := steady(300, SLO)
	var st State
	for range 2 * 360 {
		obs.Time = obs.Time.Add(10 * time.Second)
		work(&obs)
		var err error
		if _, st, err = Decide(spec, st, obs); err != nil {
			t.Fatal(err)
		}
	}
	b := encode(t, st.SLO)
	if len(b) > 16<<10 {
		t.Errorf("%d bytes of state, want at most 16 KiB", len(b))
	}
	t.Logf("%d bytes", len(b))
}

func TestSLOState_wrongOneIsIgnored(t *testing.T) {
	spec, obs := steady(3, SLO)
	for _, text := range []string{
		`{"v":0}`, `{"v":1,"thrash":1}`, `{"v":3,"load":{"bins":[1,2,3]}}`, `{"v":2}`, `{"v":2,"thrash":1,"load":{"counter":-5}}`,
		`{"v":2,"thrash":1,"lengths":{"Computed":1},"outcomes":{"seen":[1],"missed":[2]}}`,
	} {
		var s slo.State
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if err := s.Valid(); err == nil || !strings.Contains(err.Error(), "begins anew") {
			t.Errorf("%s: %v", text, err)
		}
		d, next, err := Decide(spec, State{SLO: &s}, obs)
		if err != nil || d.Replicas != 3 || next.SLO.Version != slo.StateVersion || next.SLO.Began != obs.Time {
			t.Errorf("%s: %v, %v, %+v", text, d, err, next.SLO)
		}
	}
}

// TestObjective_knobs: a larger margin never asks for less, and every part can
// be switched off.
func TestObjective_knobs(t *testing.T) {
	asked := func(margin float64, without slo.Feature) float64 {
		spec, obs := steady(8, SLO)
		spec.SLO.Margin, spec.SLO.DisabledFeatures = margin, without
		for i := range obs.Pods {
			obs.Pods[i].Waiting = 0
		}
		var st State
		var d Decision
		for k := range 200 {
			obs.Time = obs.Time.Add(10 * time.Second)
			work(&obs)
			obs.Arrivals += Reading(10 * (k % 12))
			d, st, _ = Decide(spec, st, obs)
		}
		return float64(d.SLO.Need)
	}
	whole := asked(1, 0)
	if lean, safe := asked(0.7, 0), asked(1.5, 0); !(lean < whole && whole < safe) {
		t.Errorf("margins 0.7, 1 and 1.5 ask for %v, %v and %v", lean, whole, safe)
	}
	for _, p := range []slo.Feature{slo.FeatureLearning, slo.FeatureCurve, slo.FeatureReplay, slo.FeatureGrowth, slo.FeatureBacklog, slo.FeatureHoldDown} {
		if n := asked(1, p); !(n > 0) {
			t.Errorf("without part %b: %v", p, n)
		}
	}
	if n := asked(1, slo.FeatureCurve); n <= whole {
		t.Errorf("without the learned curve %v replicas, with it %v: the prior is the careful one", n, whole)
	}
}

// TestSLO_oneWrongPage: whatever the engines report, their three replicas do not
// become more than the requests in flight, which the queue-proxies see too.
func TestSLO_oneWrongPage(t *testing.T) {
	for name, spoil := range map[string]func(*Pod, float64){
		"KV cache":         func(p *Pod, _ float64) { p.Totals.KVCapacity = 1 },
		"generated tokens": func(p *Pod, once float64) { p.Totals.GenerationTokens += Reading(1e9 * once) },
		"prompt tokens":    func(p *Pod, once float64) { p.Totals.PromptTokens += Reading(1e9 * once) },
		"waiting":          func(p *Pod, _ float64) { p.Waiting = 99_999 },
		"time of steps":    func(p *Pod, once float64) { p.Totals.ITL.Sum += Reading(1e6 * once) },
	} {
		spec, obs := steady(3, SLO)
		var st State
		most, once := int32(0), 1.0
		for k := range 300 {
			obs.Time = obs.Time.Add(10 * time.Second)
			for range 5 {
				work(&obs)
			}
			for i := range obs.Pods {
				if obs.Pods[i].Waiting = 0; k >= 200 {
					spoil(&obs.Pods[i], once)
				}
			}
			var d Decision
			d, st, _ = Decide(spec, st, obs)
			if most = max(most, d.Replicas); k >= 200 {
				once = 0
			}
		}
		if most > 30 {
			t.Errorf("%s: %d replicas for 30 requests in flight", name, most)
		}
	}
}
