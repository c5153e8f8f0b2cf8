package policy

import (
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// burst is half an hour of our own traffic.
func burst(t testing.TB) trace.Requests {
	t.Helper()
	requests, err := trace.Synthetic("burst", trace.Options{Seed: 1, To: 40 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

// TestPolicies_run lets every policy size a fleet: none fails, the requests are
// conserved, a second run is the same, and none is cheaper than the oracle
// while it meets the goal.
func TestPolicies_run(t *testing.T) {
	c := simulator.NewConfig()
	c.Max, c.Sample = 60, 0
	d, err := oracle.Of(burst(t), c)
	if err != nil {
		t.Fatal(err)
	}
	best, err := d.Bound()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("oracle %.3f GPU-hours, fluid %.3f", best.GPUHours, best.FluidGPUHours)
	for _, spec := range []string{
		"ipa", "ipa:metric=kv_cache_usage_percent=70+concurrency=14", "kpa", "kpa:target=20,window=30s,scale-down-delay=300s", "kpa:metric=rps,target=5",
		"hpa", "hpa:metric=concurrency,target=20", "hpa:metric=num_requests_waiting,target=2", "apa", "apa:metric=num_requests_running,target=20",
		"wva", "wva:up=0.4,down=0.25,interval=30s", "wva:version=1", "static:replicas=10", Oracle,
	} {
		build := Schedule(best.Replicas)
		if spec != Oracle {
			if build, err = New(spec); err != nil {
				t.Fatal(err)
			}
		}
		r, again := run(t, c, build), run(t, c, build)
		t.Logf("%-52s %6.2f %% %7.3f GPU-h, %d scalings", spec, 100*r.SLOShare(), r.GPUHours, r.ScaleOperations)
		if r.GPUHours != again.GPUHours || r.Met != again.Met || r.Requests == 0 {
			t.Errorf("%s: two runs differ: %+v and %+v", spec, r, again)
		}
		if r.SLOShare() >= c.SLO.Goal && r.GPUHours < best.GPUHours {
			t.Errorf("%s: meets the SLO with %v GPU-hours, below the bound %v", spec, r.GPUHours, best.GPUHours)
		}
	}
}

func run(t testing.TB, c simulator.Config, build simulator.NewPolicy) simulator.Result {
	t.Helper()
	p, err := build(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := simulator.Run(c, burst(t), p)
	if err != nil {
		t.Fatal(err)
	}
	r.CPU = 0
	return r
}

// TestStatic_neverBelowTheBound looks for the smallest fleet that meets the
// goal, on every shape of traffic and several engines: the bound is not above it.
func TestStatic_neverBelowTheBound(t *testing.T) {
	for i, kind := range []string{"diurnal", "burst", "step", "ramp", "tenants", "longprompt"} {
		c := simulator.NewConfig()
		c.Engine, c.Sample, c.Seed = engine.Profiles()[i%4], 0, uint64(i)
		load := func() trace.Requests {
			requests, err := trace.Synthetic(kind, trace.Options{Seed: uint64(i), To: 25 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return requests
		}
		d, err := oracle.Of(load(), c)
		if err != nil {
			t.Fatal(err)
		}
		best, err := d.Bound()
		if err != nil {
			t.Fatal(err)
		}
		for n := int32(1); n < 100; n += 1 + n/8 {
			r, err := simulator.Run(c, load(), static(n))
			if err != nil {
				t.Fatal(err)
			}
			if r.SLOShare() < c.SLO.Goal {
				continue
			}
			t.Logf("%s on %s: %d replicas cost %.2f GPU-hours, bound %.2f (%s), fluid %.2f", kind, c.Engine.Name, n, r.GPUHours, best.GPUHours, best.Limit, best.FluidGPUHours)
			if r.GPUHours < best.GPUHours {
				t.Errorf("%s: %d replicas meet the SLO with %v GPU-hours, below the bound %v", kind, n, r.GPUHours, best.GPUHours)
			}
			break
		}
	}
}
