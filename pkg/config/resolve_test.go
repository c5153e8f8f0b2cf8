package config

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	knconfig "knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"
	kparesources "knative.dev/serving/pkg/reconciler/autoscaling/kpa/resources"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// The annotations of the tests, short.
const (
	kn   = knautoscaling.GroupName + "/"
	ours = autoscaling.Domain + "/"
)

// annotations are pairs of key and value.
func annotated(pairs ...string) map[string]string {
	m := map[string]string{knautoscaling.ClassAnnotationKey: autoscaling.Class}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// newPA returns a reachable PodAutoscaler of our class.
func newPA(pairs ...string) *v1alpha1.PodAutoscaler {
	return &v1alpha1.PodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "models", Name: "llama-00001", UID: "1", Annotations: annotated(pairs...)},
		Spec:       v1alpha1.PodAutoscalerSpec{Reachability: v1alpha1.ReachabilityReachable},
	}
}

// knativeConfig is config-autoscaler with the given pairs of key and value.
func knativeConfig(t testing.TB, pairs ...string) *autoscalerconfig.Config {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	c, err := knconfig.NewConfigFromMap(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newResolver(t testing.TB, knative ...string) Resolver {
	return Resolver{Own: Default(), Knative: knativeConfig(t, knative...)}
}

func mustResolve(t *testing.T, r Resolver, pa *v1alpha1.PodAutoscaler) Settings {
	t.Helper()
	s, err := r.Resolve(pa)
	if err != nil {
		t.Fatalf("Resolve(%v): %v", pa.Annotations, err)
	}
	return s
}

func TestResolve_withoutAnnotations(t *testing.T) {
	got := mustResolve(t, newResolver(t), newPA())
	want := Settings{
		Spec: decider.Spec{
			Targets:        []decider.Target{{Metric: decider.SLO}},
			SLO:            decider.Objective{TTFT: 2 * time.Second, ITL: 100 * time.Millisecond, Goal: .99, StartupTime: 2 * time.Minute, FallbackConcurrency: 70},
			Reachable:      true,
			StableWindow:   time.Minute,
			PanicThreshold: 2,
			MaxScaleUpRate: 1000, MaxScaleDownRate: 2,
			Tolerance:       0.1,
			StartupDeadline: 15 * time.Minute,
			EarlyPanic:      true,
		},
		PanicWindow:        6 * time.Second,
		InitialScale:       1,
		StartAtPredecessor: true,
		Zero:               Zero{Allowed: true, Grace: 30 * time.Second, ActivatorCapacity: 100},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Resolve (-want +got):\n%s", diff)
	}
}

// A revision without an engine's page scales as Knative would scale it.
func TestResolve_pageless(t *testing.T) {
	pa := newPA()
	pa.Spec.ContainerConcurrency = 10
	if got := mustResolve(t, newResolver(t), pa).Spec.SLO; got.FallbackConcurrency != 7 || got.MaxNumSeqs != 10 {
		t.Errorf("containerConcurrency 10: %v requests in flight per replica without a page and %d in one with, want 7 and 10", got.FallbackConcurrency, got.MaxNumSeqs)
	}
}

// Every annotation that is not refused does something.
func TestResolve_everyAnnotationWorks(t *testing.T) {
	tried := map[string]bool{autoscaling.AcceptedKey: true, knautoscaling.ClassAnnotationKey: true}
	f := func(key, value string, want any, got func(Settings) any) {
		t.Helper()
		tried[key] = true
		s := mustResolve(t, newResolver(t), newPA(key, value))
		if diff := cmp.Diff(want, got(s)); diff != "" {
			t.Errorf("%s: %q (-want +got):\n%s", key, value, diff)
		}
	}
	minReplicas := func(s Settings) any { return s.Spec.MinReplicas }
	maxReplicas := func(s Settings) any { return s.Spec.MaxReplicas }
	firstTarget := func(s Settings) any { return s.Spec.Targets[0].Value }
	f(kn+"min-scale", "3", int32(3), minReplicas)
	f(kn+"minScale", "3", int32(3), minReplicas)
	f(kn+"min-scale", "0", int32(0), minReplicas)
	f(kn+"min-scale", "0", true, func(s Settings) any { return s.Zero.Allowed })
	f(kn+"min-scale", "1", false, func(s Settings) any { return s.Zero.Allowed })
	f(kn+"max-scale", "6", int32(6), maxReplicas)
	f(kn+"maxScale", "6", int32(6), maxReplicas)
	f(kn+"max-scale", "0", int32(0), maxReplicas) // unlimited
	f(kn+"target", "10", 7.0, firstTarget)
	f(kn+"target-utilization-percentage", "90", 90.0, firstTarget)
	f(kn+"targetUtilizationPercentage", "90", 90.0, firstTarget)
	f(kn+"metric", "rps", decider.RPS, func(s Settings) any { return s.Spec.Targets[0].Metric })
	f(kn+"metric", "", decider.SLO, func(s Settings) any { return s.Spec.Targets[0].Metric })
	f(kn+"target", "10", decider.Concurrency, func(s Settings) any { return s.Spec.Targets[0].Metric })
	f(kn+"panic-threshold-percentage", "150", decider.Concurrency, func(s Settings) any { return s.Spec.Targets[0].Metric })
	f(ours+"slo-ttft", "500ms", 500*time.Millisecond, func(s Settings) any { return s.Spec.SLO.TTFT })
	f(ours+"slo-itl", "30ms", 30*time.Millisecond, func(s Settings) any { return s.Spec.SLO.ITL })
	f(ours+"slo-goal", "0.95", .95, func(s Settings) any { return s.Spec.SLO.Goal })
	f(ours+"slo-ttft-per-token", "200us", 200*time.Microsecond, func(s Settings) any { return s.Spec.SLO.TTFTPerToken })
	f(ours+"slo-margin", "2.5", 2.5, func(s Settings) any { return s.Spec.SLO.Margin })
	f(kn+"window", "10s", 10*time.Second, func(s Settings) any { return s.Spec.StableWindow })
	f(kn+"window", "10s", time.Second, func(s Settings) any { return s.PanicWindow })
	f(kn+"panic-window-percentage", "50", 30*time.Second, func(s Settings) any { return s.PanicWindow })
	f(kn+"panicWindowPercentage", "1", time.Second, func(s Settings) any { return s.PanicWindow }) // at least 1 s
	f(kn+"panic-threshold-percentage", "150", 1.5, func(s Settings) any { return s.Spec.PanicThreshold })
	f(kn+"panicThresholdPercentage", "150", 1.5, func(s Settings) any { return s.Spec.PanicThreshold })
	f(kn+"scale-down-delay", "2m", 2*time.Minute, func(s Settings) any { return s.Spec.ScaleDownDelay })
	f(kn+"scaleDownDelay", "2m", 2*time.Minute, func(s Settings) any { return s.Spec.ScaleDownDelay })
	f(kn+"activation-scale", "4", int32(4), func(s Settings) any { return s.Spec.ActivationScale })
	f(kn+"initial-scale", "5", int32(5), func(s Settings) any { return s.InitialScale })
	f(kn+"initialScale", "5", int32(5), func(s Settings) any { return s.InitialScale })
	retention := func(s Settings) any { return []any{s.Zero.Retention, s.Zero.RetentionSet} }
	f(kn+"scale-to-zero-pod-retention-period", "5m", []any{5 * time.Minute, true}, retention)
	f(kn+"scaleToZeroPodRetentionPeriod", "0s", []any{time.Duration(0), true}, retention)
	f(kn+"min-scale", "0", []any{time.Duration(0), false}, retention)
	burst := func(s Settings) any {
		return []any{s.Spec.TargetBurst, s.Spec.ReplicaCapacity, s.Spec.Targets[0].Metric}
	}
	f(kn+"target-burst-capacity", "0", []any{0.0, 0.0, decider.SLO}, burst)
	f(kn+"target-burst-capacity", "-1", []any{-1.0, 0.0, decider.SLO}, burst)
	f(kn+"targetBurstCapacity", "7", []any{7.0, 100.0, decider.Concurrency}, burst)
	weighted := func(s Settings) any { return []any{s.Weighted, s.Spec.Targets[0].Metric} }
	f(kn+"metric-aggregation-algorithm", "linear", []any{false, decider.SLO}, weighted)
	f(kn+"metric-aggregation-algorithm", "weighted-exponential", []any{true, decider.Concurrency}, weighted)
	f(kn+"metricAggregationAlgorithm", "weightedExponential", []any{true, decider.Concurrency}, weighted)
	f(ours+"start-scale", "initial", false, func(s Settings) any { return s.StartAtPredecessor })
	f(ours+"start-scale", "predecessor", true, func(s Settings) any { return s.StartAtPredecessor })
	f(ours+"max-unavailable", "0", annotations.Pods("0"), func(s Settings) any { return s.MaxUnavailable })
	f(ours+"max-unavailable", "25%", annotations.Pods("25%"), func(s Settings) any { return s.MaxUnavailable })
	f(ours+"max-unavailable", "007", annotations.Pods("7"), func(s Settings) any { return s.MaxUnavailable })
	f(ours+"drain-timeout", "10m", 10*time.Minute, func(s Settings) any { return s.DrainTimeout })
	f(ours+"engine", "sglang", "sglang", func(s Settings) any { return s.Engine.Name })
	f(ours+"metrics-port", "9000", int32(9000), func(s Settings) any { return s.Engine.MetricsPort })
	f(ours+"metrics-path", "/v1/metrics", "/v1/metrics", func(s Settings) any { return s.Engine.MetricsPath })
	f(ours+"metrics-scheme", "https", true, func(s Settings) any { return s.Engine.MetricsTLS })
	f(ours+"metrics-token-secret", "llm", annotations.SecretKey{Name: "llm", Key: "token"}, func(s Settings) any { return s.MetricsToken })
	f("example.com/team", "a", int32(0), minReplicas) // not ours to judge
	for _, key := range append(keysOf(knautoscaling.GroupName), keysOf(autoscaling.Domain)...) {
		// Other spellings of what only repeats the default are read by the same line of code.
		if !tried[key] {
			t.Errorf("%s is known and not tried here", key)
		}
	}
}

func TestResolve_targets(t *testing.T) {
	f := func(want []decider.Target, pairs ...string) {
		t.Helper()
		if diff := cmp.Diff(want, mustResolve(t, newResolver(t), newPA(pairs...)).Spec.Targets); diff != "" {
			t.Errorf("%v (-want +got):\n%s", pairs, diff)
		}
	}
	one := func(m decider.Metric, v float64) []decider.Target { return []decider.Target{{Metric: m, Value: v}} }
	// A single metric takes Knative's own target.
	f(one(decider.RPS, 14), kn+"metric", "rps", kn+"target", "20")
	f(one(decider.Running, 16), kn+"metric", "num_requests_running", kn+"target", "16")
	f(one(decider.KVCache, 80), kn+"metric", "kv_cache_usage_percent", kn+"target", "80")
	f(one(decider.GenerationTokens, 1500), kn+"metric", "generation_tokens_per_second", kn+"target", "1500")
	// Or its own in the list of one.
	f(one(decider.PromptTokens, 4000), kn+"metric", "prompt_tokens_per_second=4000")
	// Defaults of config-ipa.
	f(one(decider.KVCache, 70), kn+"metric", "kv_cache_usage_percent")
	f(one(decider.Waiting, 5), kn+"metric", "num_requests_waiting")
	// Several: each has its own target, and target utilization is for Knative's metrics alone.
	f([]decider.Target{{Metric: decider.Concurrency, Value: 1.4}, {Metric: decider.KVCache, Value: 70}},
		kn+"metric", "concurrency=2,kv_cache_usage_percent=70")
	f([]decider.Target{{Metric: decider.Concurrency, Value: 2}, {Metric: decider.KVCache, Value: 70}},
		kn+"metric", "concurrency=2,kv_cache_usage_percent=70", kn+"target-utilization-percentage", "100")
	f([]decider.Target{{Metric: decider.RPS, Value: 140}, {Metric: decider.Waiting, Value: 5}},
		kn+"metric", "rps,num_requests_waiting")
}

// Concurrency and rps are resolved as Knative's MakeDecider resolves them, over
// container concurrency, target, utilization and the cluster's defaults.
func TestResolve_targetAsKnative(t *testing.T) {
	clusters := []*autoscalerconfig.Config{
		knativeConfig(t),
		knativeConfig(t, "container-concurrency-target-percentage", "100", "container-concurrency-target-default", "7", "requests-per-second-target-default", "33"),
	}
	for _, cluster := range clusters {
		for _, metric := range []string{"concurrency", "rps"} {
			for _, limit := range []int64{0, 1, 4, 1000} {
				for _, target := range []string{"", "0.01", "0.5", "4", "99.5", "100000"} {
					for _, utilization := range []string{"", "1", "70", "100"} {
						pairs := []string{kn + "metric", metric}
						if target != "" {
							pairs = append(pairs, kn+"target", target)
						}
						if utilization != "" {
							pairs = append(pairs, kn+"target-utilization-percentage", utilization)
						}
						asKnative(t, cluster, limit, target, pairs)
					}
				}
			}
		}
	}
}

func asKnative(t *testing.T, cluster *autoscalerconfig.Config, limit int64, target string, pairs []string) {
	t.Helper()
	r := Resolver{Own: Default(), Knative: cluster}
	pa := newPA(pairs...)
	pa.Spec.ContainerConcurrency = limit
	want := kparesources.MakeDecider(pa, cluster).Spec.TargetValue
	if got := mustResolve(t, r, pa).Spec.Targets[0].Value; got != want {
		t.Errorf("%v with containerConcurrency %d: target %v, Knative's %v", pairs, limit, got, want)
	}
	if target == "" {
		return
	}
	// The same target in the list means the same.
	delete(pa.Annotations, kn+"target")
	pa.Annotations[kn+"metric"] += "=" + target + ",kv_cache_usage_percent=70"
	if got := mustResolve(t, r, pa).Spec.Targets[0].Value; got != want {
		t.Errorf("%v with containerConcurrency %d: target %v in a list, %v alone", pairs, limit, got, want)
	}
}

func TestResolve_reachability(t *testing.T) {
	f := func(reach v1alpha1.ReachabilityType, knative []string, minReplicas int32, zero bool, pairs ...string) {
		t.Helper()
		pa := newPA(pairs...)
		pa.Spec.Reachability = reach
		s := mustResolve(t, newResolver(t, knative...), pa)
		if s.Spec.MinReplicas != minReplicas || s.Zero.Allowed != zero {
			t.Errorf("%q %v %v: min %d, zero %v; want %d, %v", reach, knative, pairs, s.Spec.MinReplicas, s.Zero.Allowed, minReplicas, zero)
		}
		if reachable := reach != v1alpha1.ReachabilityUnreachable; s.Spec.Reachable != reachable {
			t.Errorf("%q: reachable %v", reach, s.Spec.Reachable)
		}
	}
	yes, no, unknown := v1alpha1.ReachabilityReachable, v1alpha1.ReachabilityUnreachable, v1alpha1.ReachabilityUnknown
	f(no, nil, 0, false)
	f(no, nil, 0, false, kn+"min-scale", "3") // an old revision must not hold its GPUs
	f(yes, nil, 3, false, kn+"min-scale", "3")
	f(unknown, nil, 0, true) // never routed: it may be given back
	f(yes, nil, 0, true)
	f(yes, nil, 0, true, kn+"min-scale", "0")
	f(yes, nil, 0, true, kn+"minScale", "0")
	f(yes, []string{"enable-scale-to-zero", "false"}, 1, false)
	f(yes, []string{"min-scale", "2"}, 2, false)
	f(yes, []string{"min-scale", "2"}, 0, true, kn+"min-scale", "0")
	f(yes, []string{"allow-zero-initial-scale", "true"}, 0, true, kn+"initial-scale", "0")
}

// The cluster's min-scale does not fight a smaller max-scale of the revision.
func TestResolve_clusterMinAboveMax(t *testing.T) {
	s := mustResolve(t, newResolver(t, "min-scale", "3"), newPA(kn+"max-scale", "2"))
	if s.Spec.MinReplicas > s.Spec.MaxReplicas {
		t.Errorf("min %d above max %d: the decider refuses that on every tick", s.Spec.MinReplicas, s.Spec.MaxReplicas)
	}
}

func TestResolve_ownConfig(t *testing.T) {
	r := newResolver(t)
	r.Own = &Config{Tolerance: 0.2, StartupDeadline: time.Hour, Targets: map[decider.Metric]float64{decider.KVCache: 60, decider.Waiting: 2}}
	s := mustResolve(t, r, newPA(kn+"metric", "kv_cache_usage_percent,num_requests_waiting"))
	if got, want := s.Spec.Targets, []decider.Target{{Metric: decider.KVCache, Value: 60}, {Metric: decider.Waiting, Value: 2}}; !cmp.Equal(got, want) {
		t.Errorf("targets %v, want %v", got, want)
	}
	if s.Spec.Tolerance != 0.2 || s.Spec.EarlyPanic || s.Spec.StartupDeadline != time.Hour {
		t.Errorf("config-ipa is not in %+v", s.Spec)
	}
}

// Resolve never changes the object, which is the informer's.
func TestResolve_readsOnly(t *testing.T) {
	pa := newPA(kn+"metric", "concurrency=2,kv_cache_usage_percent=70", kn+"min-scale", "0")
	before := pa.DeepCopy()
	mustResolve(t, newResolver(t), pa)
	if diff := cmp.Diff(before, pa); diff != "" {
		t.Errorf("Resolve changed its argument:\n%s", diff)
	}
}

// What is accepted is something that the decider can work with.
func FuzzResolve(f *testing.F) {
	f.Add("concurrency", "10", "70", "60s", "10", "200", "0", "0")
	f.Add("concurrency=2,kv_cache_usage_percent=70", "", "NaN", "6s", "NaN", "NaN", "5", "3")
	f.Add("rps", "Inf", "1e-300", "1h", "100", "110", "2147483647", "2147483647")
	f.Fuzz(func(t *testing.T, metric, target, utilization, window, panicWindow, panicThreshold, minScale, maxScale string) {
		values := []string{metric, target, utilization, window, panicWindow, panicThreshold, minScale, maxScale}
		var pairs []string
		for i, key := range []string{"metric", "target", "target-utilization-percentage", "window", "panic-window-percentage", "panic-threshold-percentage", "min-scale", "max-scale"} {
			if values[i] != "" {
				pairs = append(pairs, kn+key, values[i])
			}
		}
		s, err := newResolver(t).Resolve(newPA(pairs...))
		if err != nil {
			return
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if _, _, err := decider.Decide(s.Spec, decider.State{}, decider.Observation{Time: now, Replicas: 1, Ready: 1}); err != nil {
			t.Fatalf("%v were accepted, but: %v", pairs, err)
		}
		if s.PanicWindow < time.Second || s.PanicWindow > s.Spec.StableWindow {
			t.Fatalf("%v were accepted: panic window %v of a stable window %v", pairs, s.PanicWindow, s.Spec.StableWindow)
		}
	})
}

func TestResolve_hugeAndNaN(t *testing.T) {
	for _, key := range []string{"target", "target-utilization-percentage", "panic-window-percentage", "panic-threshold-percentage"} {
		for _, value := range []string{"NaN", "nan", "Inf", "-Inf", "-1", "1e300", strconv.FormatFloat(math.MaxFloat64, 'g', -1, 64)} {
			if s, err := newResolver(t).Resolve(newPA(kn+key, value)); err == nil {
				t.Errorf("%s: %q was accepted: %+v", key, value, s)
			}
		}
	}
}

func TestResolveAccepted_aLoweredLimitBoundsAndDoesNotRefuse(t *testing.T) {
	pa := newPA(kn+"max-scale", "20", kn+"min-scale", "8")
	r := newResolver(t, "max-scale-limit", "5", "max-scale", "5")
	if _, err := r.Resolve(pa); err == nil {
		t.Error("a new revision beyond the cluster's limit is accepted")
	}
	s, err := r.ResolveAccepted(pa)
	if err != nil {
		t.Fatal(err)
	}
	if s.Spec.MinReplicas != 5 || s.Spec.MaxReplicas != 5 {
		t.Errorf("bounds %d..%d, want 5..5", s.Spec.MinReplicas, s.Spec.MaxReplicas)
	}
}
