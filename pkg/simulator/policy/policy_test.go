package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// start is the simulated time at which the tests begin.
func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// newPolicy makes a policy with the run's defaults.
func newPolicy(t testing.TB, spec string) simulator.Policy {
	t.Helper()
	build, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := build(simulator.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// want is the answer, which must not be an error.
func want(t testing.TB, p simulator.Policy, obs decider.Observation) int32 {
	t.Helper()
	w, err := p.Want(obs)
	if err != nil {
		t.Fatal(err)
	}
	return w.Replicas
}

// observe is a fleet at a time of the run, of Ready pods with a value of a metric each.
func observe(at time.Duration, metric decider.Metric, values ...float64) decider.Observation {
	n := int32(len(values))
	obs := decider.Observation{
		Time: start().Add(at), Replicas: n, Ready: n,
		Concurrency: unknown(), RPS: unknown(),
		InFlight: decider.Unknown(), Arrivals: decider.Unknown(), Queued: decider.Unknown(),
	}
	for i, v := range values {
		p := unknownPod(i)
		switch metric {
		case decider.KVCache:
			p.KVCache = decider.Reading(v)
		case decider.Waiting:
			p.Waiting = decider.Reading(v)
		case decider.Running:
			p.Running = decider.Reading(v)
		default: // no value of it
		}
		obs.Pods = append(obs.Pods, p)
	}
	return obs
}

func unknown() decider.Windowed {
	return decider.Windowed{Stable: decider.Unknown(), Panic: decider.Unknown()}
}

func unknownPod(i int) decider.Pod {
	return decider.Pod{
		Name: "pod-" + string(rune('a'+i)), KVCache: decider.Unknown(), Waiting: decider.Unknown(), Running: decider.Unknown(),
		PromptTokens: decider.Unknown(), GenerationTokens: decider.Unknown(),
	}
}

// starting adds pods that are on their way.
func starting(obs decider.Observation, n int) decider.Observation {
	for i := range n {
		p := unknownPod(len(obs.Pods) + i)
		p.Phase = decider.Starting
		obs.Pods = append(obs.Pods, p)
	}
	obs.Replicas += int32(n)
	return obs
}

func TestNew_refusals(t *testing.T) {
	for spec, wanted := range map[string]string{
		"":                          `no such name; there is ipa, kpa, hpa, apa, wva, keda, static, oracle`,
		"kda":                       `policy "kda": no such name`,
		"oracle":                    "computed from the whole trace",
		"kpa:goal=1":                `policy kpa: no option "goal"; there is activation-scale,`,
		"kpa:target":                "policy kpa: option target has no value; write target=0",
		"kpa:target=NaN":            "policy kpa: target=NaN: it must be a number between 0 and 1e+06",
		"kpa:window=60":             "policy kpa: window=60: it must be a duration between 0s and 1h0m0s, like 90s",
		"kpa:metric=kv":             "policy kpa: metric=kv: it must be one of concurrency, rps",
		"hpa:metric=gpu":            "it must be one of num_requests_running, num_requests_waiting, kv_cache_usage_percent,",
		"static:replicas=-1":        "policy static: replicas=-1: it must be a whole number between 0 and 1000000",
		"static:replicas=1e3":       "replicas=1e3",
		"wva:version=3":             "it must be one of 1, 2",
		"wva:hpa=maybe":             "policy wva: hpa=maybe",
		"ipa:metric=concurrency":    "concurrency needs a target per replica, above 0; write concurrency=70",
		"ipa:metric=rps=1+rps=2":    "rps is there twice",
		"ipa:metric=concurrency=-1": "needs a target",
		"ipa:metric=slo=2":          "slo takes no target; write goal=0.99",
		"ipa:without=hold+luck":     `"luck" is no part; there is backlog, curve,`,
		"ipa:goal=1":                "policy ipa: goal=1: it must be a number between 0 and",
		"ipa:margin=0.01":           "margin",
	} {
		_, err := New(spec)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: error %v, want one with %q", spec, err, wanted)
		}
	}
}

// TestNew_optionsAreSetAnew sets one policy's options and looks at the next's.
func TestNew_optionsAreSetAnew(t *testing.T) {
	for _, step := range []struct {
		spec string
		want int32
	}{{"static:replicas=8", 8}, {"static", 1}, {" static: replicas=3 ", 3}} {
		if got := want(t, newPolicy(t, step.spec), decider.Observation{}); got != step.want {
			t.Errorf("%q: %d replicas, want %d", step.spec, got, step.want)
		}
	}
}

func TestHelp_namesEveryPolicy(t *testing.T) {
	for _, name := range append(Names(), "target=", "window=3m0s", "down=0.7") {
		if !strings.Contains(Help(), name) {
			t.Errorf("no %s in\n%s", name, Help())
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, s := range []string{"kpa:target=20,window=60s", "ipa:metric=concurrency=8+kv_cache_usage_percent=70", "ipa:goal=0.95,without=hold", "wva:up=0.4,down=0.25", "hpa:", ",", ":="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		build, err := New(spec)
		if err != nil {
			return
		}
		p, err := build(simulator.NewConfig())
		if err != nil {
			t.Fatalf("%q: %v", spec, err)
		}
		obs := starting(observe(0, decider.KVCache, 90, 95), 1)
		for range 3 {
			obs.Time = obs.Time.Add(p.Period())
			if w, err := p.Want(obs); err != nil || w.Replicas < 0 {
				t.Fatalf("%q: %v, %v", spec, w, err)
			}
		}
	})
}

// TestPolicies_nothingIsKnown holds the fleet while nothing is measured.
func TestPolicies_nothingIsKnown(t *testing.T) {
	for _, name := range []string{"ipa", "ipa:metric=concurrency=8", "kpa", "hpa", "hpa:metric=concurrency", "apa", "wva", "wva:version=1", "wva:hpa=false"} {
		p := newPolicy(t, name)
		obs := starting(observe(0, "none", 0, 0, 0), 2)
		for range 400 {
			obs.Time = obs.Time.Add(p.Period())
			if got := want(t, p, obs); got != 5 {
				t.Fatalf("%s: %d replicas, want to keep the 5 there are", name, got)
			}
		}
	}
}

func TestSchedule_startsPodsTheLeadEarly(t *testing.T) {
	build := Schedule([]simulator.Change{
		{At: 0, Replicas: 2}, {At: 10 * time.Minute, Replicas: 5}, {At: 11 * time.Minute, Replicas: 1}, {At: 30 * time.Minute, Replicas: 3},
	})
	p, err := build(simulator.NewConfig()) // whose lead is 2 minutes
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at   time.Duration
		want int32
	}{
		{p.Period(), 2}, {8*time.Minute - time.Second, 2}, {8 * time.Minute, 5}, {11*time.Minute - time.Second, 5},
		{11 * time.Minute, 1}, {28 * time.Minute, 3}, {time.Hour, 3},
	} {
		if got := want(t, p, decider.Observation{Time: start().Add(step.at)}); got != step.want {
			t.Errorf("at %v: %d, want %d", step.at, got, step.want)
		}
	}
}
