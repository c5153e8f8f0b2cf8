package policy

import (
	"testing"
	"time"

	knconfig "knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/deployment"

	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

// TestIPA_isTheDecider walks the policy and the decider side by side.
func TestIPA_isTheDecider(t *testing.T) {
	c := simulator.NewConfig()
	c.Min, c.Max = 2, 9
	build, err := New("ipa:metric=kv_cache_usage_percent=60+concurrency=8,window=30s,tolerance=0.2")
	if err != nil {
		t.Fatal(err)
	}
	p, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	spec := decider.DefaultSpec()
	spec.Targets = []decider.Target{{Metric: decider.KVCache, Value: 60}, {Metric: decider.Concurrency, Value: 8}}
	spec.StableWindow, spec.Tolerance, spec.MinReplicas, spec.MaxReplicas = 30*time.Second, 0.2, 2, 9
	spec.SLO = decider.Objective{Goal: c.SLO.Goal, TTFT: c.SLO.TTFT, ITL: c.SLO.ITL, Margin: 1}
	var state decider.State
	for i, kv := range []float64{10, 90, 99, 40, 5, 5, 70, 100, 3} {
		obs := observe(time.Duration(i)*decider.Tick*9, decider.KVCache, kv, kv/2, kv)
		d, next, err := decider.Decide(spec, state, obs)
		if err != nil {
			t.Fatal(err)
		}
		state = next
		got, err := p.Want(obs)
		if err != nil || got.Replicas != d.Replicas || got.Why != d.String() {
			t.Fatalf("step %d: %+v (%v), the decider says %v", i, got, err, d)
		}
	}
}

// TestIPA_defaultsAreTheClusters holds what an unannotated revision gets
// against the defaults of config-ipa and config-autoscaler.
func TestIPA_defaultsAreTheClusters(t *testing.T) {
	own, got := config.Default(), decider.DefaultSpec()
	kn, err := knconfig.NewConfigFromMap(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tolerance != own.Tolerance || got.StartupDeadline != own.StartupDeadline || got.EarlyPanic != own.EarlyPanic {
		t.Errorf("%+v, config-ipa has %+v", got, own)
	}
	if got.PanicThreshold != kn.PanicThresholdPercentage/100 || got.MaxScaleUpRate != kn.MaxScaleUpRate || got.MaxScaleDownRate != kn.MaxScaleDownRate {
		t.Errorf("%+v, config-autoscaler has %+v", got, kn)
	}
	s := kpaSettings{metric: "concurrency", utilization: kn.TargetUtilization * 100}
	if spec := s.spec(); spec.TotalValue != kn.ContainerConcurrencyTargetDefault || spec.TargetValue != 70 {
		t.Errorf("kpa's target %+v, config-autoscaler has %+v", spec, kn)
	}
	for _, c := range []struct {
		name      string
		ours, its float64
	}{
		{"requests per second", decider.KnativeRPS, kn.RPSTargetDefault},
		{"requests in flight", slo.KnativeConcurrency, kn.ContainerConcurrencyTargetDefault},
		{"utilization", slo.KnativeUtilization, kn.ContainerConcurrencyTargetFraction},
		{"grace", zero.DefaultGrace.Seconds(), kn.ScaleToZeroGracePeriod.Seconds()},
		{"progress deadline", zero.DefaultProgressDeadline.Seconds(), deployment.ProgressDeadlineDefault.Seconds()},
	} {
		if c.ours != c.its {
			t.Errorf("%s: we take %v for Knative's default, which is %v", c.name, c.ours, c.its)
		}
	}
}
