package policy

import (
	"flag"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

// kpaSettings are config-autoscaler's keys that a revision can set too, with
// the defaults of knative.dev/serving v0.50.0 (pkg/autoscaler/config).
type kpaSettings struct {
	metric                           string
	target, utilization              float64
	window, scaleDownDelay           time.Duration
	panicThreshold, upRate, downRate float64
	activationScale                  int32
	grace, retention                 time.Duration
}

func defineKPA(options *flag.FlagSet) simulator.NewPolicy {
	s := kpaSettings{
		metric: string(decider.Concurrency), utilization: 100 * slo.KnativeUtilization,
		panicThreshold: 100 * decider.KnativePanicThreshold,
		upRate:         decider.KnativeMaxScaleUpRate, downRate: decider.KnativeMaxScaleDownRate,
		activationScale: 1, grace: zero.DefaultGrace,
	}
	options.Var(choice{&s.metric, []string{string(decider.Concurrency), string(decider.RPS)}}, "metric", "what is scaled on")
	options.Var(number{&s.target, 0, 1e6}, "target", "requests in flight, or per second, of a replica; 0 is 100, or 200 per second")
	options.Var(number{&s.utilization, 1, 100}, "utilization", "percent of the target that is aimed at")
	options.Var(span{&s.window, 0, time.Hour}, "window", "stable window; 0 is the run's")
	options.Var(number{&s.panicThreshold, 110, 1000}, "panic-threshold", "percent of the Ready pods wanted in the panic window from which panic begins")
	options.Var(span{&s.scaleDownDelay, 0, time.Hour}, "scale-down-delay", "time for which the largest want holds")
	options.Var(number{&s.upRate, 1.01, 1e4}, "max-scale-up-rate", "largest growth of one decision")
	options.Var(number{&s.downRate, 1.01, 1e4}, "max-scale-down-rate", "largest shrinking of one decision")
	options.Var(count{&s.activationScale, 1, maxReplicas}, "activation-scale", "least replicas that are not zero")
	options.Var(span{&s.grace, 6 * time.Second, time.Hour}, "grace", "scale-to-zero-grace-period, where --min is 0")
	options.Var(span{&s.retention, 0, time.Hour}, "retention", "scale-to-zero-pod-retention-period, where --min is 0")
	return func(c simulator.Config) (simulator.Policy, error) { return newKPA(s, c), nil }
}

// spec is Knative's own decider spec; the target includes the utilization.
func (s kpaSettings) spec() *scaling.DeciderSpec {
	total := s.target
	if total == 0 {
		total = map[string]float64{
			string(decider.Concurrency): slo.KnativeConcurrency, string(decider.RPS): decider.KnativeRPS,
		}[s.metric]
	}
	return &scaling.DeciderSpec{
		ScalingMetric: s.metric, TotalValue: total, TargetValue: max(total*s.utilization/100, 0.01),
		MaxScaleUpRate: s.upRate, MaxScaleDownRate: s.downRate,
		PanicThreshold: s.panicThreshold / 100, StableWindow: s.window, ScaleDownDelay: s.scaleDownDelay,
		ActivationScale: s.activationScale, Reachable: true,
	}
}

// kpa is Knative's Pod Autoscaler: the package scaling of knative.dev/serving
// v0.50.0 itself, with the time and the numbers of the observation.
//
// Simplified: the concurrency is that of all pods, where Knative scales up
// what at most 16 of them say; one autoscaler, no activator in the path of Ready pods. At
// zero its activator reports the first request within seenAtActivator.
type kpa struct {
	spec   *scaling.DeciderSpec
	demand *kpaDemand
	scaler scaling.UniScaler
	logger *zap.SugaredLogger
	// zero is whether the run has no minimum; last and keeping are the way there.
	zero    bool
	last    lastPod
	keeping keeping
}

func newKPA(s kpaSettings, c simulator.Config) *kpa {
	demand := &kpaDemand{}
	if s.window == 0 {
		s.window = c.StableWindow
	}
	if s.window != c.StableWindow {
		demand.window = s.window
	}
	return &kpa{spec: s.spec(), demand: demand, logger: zap.NewNop().Sugar(), zero: c.Min == 0,
		keeping: keeping{s.window, zero.StartDeadline(zero.DefaultProgressDeadline, 0), s.grace, s.retention}}
}

// Period is Knative's tick, which Knative does not export.
func (k *kpa) Period() time.Duration { return decider.Tick }

// Want asks Knative; where it has no data it changes nothing.
func (k *kpa) Want(obs decider.Observation) (simulator.Want, error) {
	k.demand.observe(k.spec.ScalingMetric, obs)
	if k.scaler == nil {
		k.begin(obs)
	}
	scale := k.scaler.Scale(k.logger, obs.Time)
	want := scale.DesiredPodCount
	if !scale.ScaleValid {
		want = obs.Replicas
	}
	if !k.zero {
		return simulator.Want{Replicas: want}, nil
	}
	if obs.Replicas == 0 && obs.Queued > 0 { // what the activator has reported, before it is in an average
		want = max(want, k.spec.ActivationScale)
	}
	return simulator.Want{Replicas: k.last.next(obs, want, k.keeping)}, nil
}

// Surroundings are those of Knative: its activator reports what waits.
func (k *kpa) Surroundings() simulator.Surroundings {
	return simulator.Surroundings{Wakes: seenAtActivator}
}

// begin makes the autoscaler. Knative's starts in panic when more than one pod
// is Ready, and takes the time for that from the clock. So it is made with one
// pod, and then shown a burst that asks for the present pods: the same state,
// at the time of the simulation.
func (k *kpa) begin(obs decider.Observation) {
	prime := *k.spec
	prime.PanicThreshold, prime.MaxScaleUpRate = 1, float64(max(obs.Ready, 2))
	before := *k.demand
	*k.demand = kpaDemand{ready: 1}
	k.scaler = scaling.New(*attribute.EmptySet(), noop.NewMeterProvider(), "simulated", "revision", k.demand, k.demand, &prime)
	if obs.Ready > 1 {
		k.demand.load = decider.Windowed{Stable: 0, Panic: decider.Reading(float64(obs.Ready) * prime.TargetValue)}
		k.scaler.Scale(k.logger, obs.Time)
	}
	*k.demand = before
	k.scaler.Update(k.spec)
}

// kpaDemand is what Knative's autoscaler reads.
type kpaDemand struct {
	load  decider.Windowed
	ready int32
	// window is the stable window where it is not the run's, and past what is averaged over it then.
	window time.Duration
	past   history
}

func (d *kpaDemand) observe(metric string, obs decider.Observation) {
	d.ready, d.load = obs.Ready, obs.Concurrency
	if metric == string(decider.RPS) {
		d.load = obs.RPS
	}
	if d.window == 0 || !d.load.Panic.Known() {
		return
	}
	d.past.add(sample{obs.Time, float64(d.load.Panic)}, d.window)
	d.load.Stable = decider.Reading(d.past.mean())
}

// StableAndPanicConcurrency returns what was observed.
func (d *kpaDemand) StableAndPanicConcurrency(types.NamespacedName, time.Time) (stable, panicking float64, err error) {
	if !d.load.Stable.Known() || !d.load.Panic.Known() {
		return 0, 0, metrics.ErrNoData
	}
	return float64(d.load.Stable), float64(d.load.Panic), nil
}

// StableAndPanicRPS returns what was observed.
func (d *kpaDemand) StableAndPanicRPS(k types.NamespacedName, now time.Time) (stable, panicking float64, err error) {
	return d.StableAndPanicConcurrency(k, now)
}

// ReadyCount is the number of Ready pods.
func (d *kpaDemand) ReadyCount() (int, error) { return int(d.ready), nil }

// NotReadyCount is never called.
func (d *kpaDemand) NotReadyCount() (int, error) { return 0, nil }
