package config

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"
	kparesources "knative.dev/serving/pkg/reconciler/autoscaling/kpa/resources"
	aresources "knative.dev/serving/pkg/reconciler/autoscaling/resources"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Settings is what one revision's annotations mean.
type Settings struct {
	Spec decider.Spec
	// PanicWindow is the short averaging window, at least one second.
	PanicWindow time.Duration
	// InitialScale is Knative's initial scale, at least 0.
	InitialScale int32
	// StartAtPredecessor starts a new revision with the replicas of the one it replaces.
	StartAtPredecessor bool
	// Engine is where the metrics endpoint is, as far as annotations say.
	Engine annotations.Engine
	// MetricsToken is the key of a Secret of the revision's namespace with the bearer token
	// that the page asks for; zero for none.
	MetricsToken annotations.SecretKey
	// DrainTimeout is how long a pod that is given up may work off its requests; 0 is the
	// revision's own timeout.
	DrainTimeout time.Duration
	// MaxUnavailable is the number or share of the pods that may be evicted at a time; the
	// zero value is any.
	MaxUnavailable annotations.Pods
	// Weighted gives newer values of concurrency and rps more weight in their averages.
	Weighted bool
	Zero     Zero
}

// Zero is how a routed revision goes to zero replicas.
type Zero struct {
	// Allowed is true where neither min-scale nor the cluster keeps a replica.
	Allowed bool
	// Grace is the shortest time for which Knative's activator is in the path before the
	// last pod goes, Retention that for which the last pod stays without traffic;
	// RetentionSet is false where nobody set one.
	Grace, Retention time.Duration
	RetentionSet     bool
	// ActivatorCapacity is the requests in flight that one activator takes.
	ActivatorCapacity float64
}

// Resolver holds the cluster-wide configuration that annotations are read against.
type Resolver struct {
	Own     *Config
	Knative *autoscalerconfig.Config
}

// Resolve reads a PodAutoscaler. The error names the annotation, its value and the fix.
func (r Resolver) Resolve(pa *v1alpha1.PodAutoscaler) (Settings, error) {
	if err := checkAnnotations(pa.Annotations, r.Knative); err != nil {
		return Settings{}, err
	}
	e, err := engine(pa.Annotations)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{
		PanicWindow:  aresources.MakeMetric(pa, "", r.Knative).Spec.PanicWindow,
		InitialScale: kparesources.GetInitialScale(r.Knative, pa),
		Engine:       e,
	}
	start := annotations.Default[string](autoscaling.StartScaleKey)
	if err := cmp.Or(
		read(pa.Annotations, autoscaling.StartScaleKey, &start),
		read(pa.Annotations, autoscaling.MetricsTokenSecretKey, &s.MetricsToken),
		read(pa.Annotations, autoscaling.DrainTimeoutKey, &s.DrainTimeout),
		read(pa.Annotations, autoscaling.MaxUnavailableKey, &s.MaxUnavailable)); err != nil {
		return Settings{}, err
	}
	s.StartAtPredecessor = start == annotations.StartAtPredecessor
	if s.Spec, err = r.spec(pa); err != nil {
		return Settings{}, err
	}
	s.Weighted = isWeighted(pa.Annotations)
	s.zero(pa, r.Knative)
	return s, nil
}

// ResolveAccepted reads annotations that were accepted before. A limit of the
// cluster that was lowered since bounds them and does not refuse them: a
// running revision never loses its settings to an edit of config-autoscaler.
func (r Resolver) ResolveAccepted(pa *v1alpha1.PodAutoscaler) (Settings, error) {
	relaxed := *r.Knative
	relaxed.MaxScaleLimit, relaxed.AllowZeroInitialScale = 0, true
	limit := r.Knative.MaxScaleLimit
	r.Knative = &relaxed
	s, err := r.Resolve(pa)
	if err == nil && limit > 0 && (s.Spec.MaxReplicas == 0 || s.Spec.MaxReplicas > limit) {
		s.Spec.MaxReplicas = limit
		s.Spec.MinReplicas = min(s.Spec.MinReplicas, limit)
	}
	return s, err
}

// engine reads what the annotations say of the engine; the error is that of the first that
// cannot be read.
func engine(given map[string]string) (annotations.Engine, error) {
	e, invalid := annotations.ReadEngine(given)
	if len(invalid) > 0 {
		return e, fmt.Errorf("%s: %w", invalid[0].Key, invalid[0].Err)
	}
	return e, nil
}

// spec resolves everything that Knative's own decider spec holds, plus ours.
func (r Resolver) spec(pa *v1alpha1.PodAutoscaler) (decider.Spec, error) {
	kn := kparesources.MakeDecider(pa, r.Knative).Spec
	minScale, maxScale := r.bounds(pa)
	if maxScale > 0 {
		minScale = min(minScale, maxScale) // the cluster's min-scale gives way to the revision's max-scale
	}
	spec := decider.Spec{
		MinReplicas: minScale, MaxReplicas: maxScale,
		ActivationScale: kn.ActivationScale,
		Reachable:       kn.Reachable,
		StableWindow:    kn.StableWindow,
		PanicThreshold:  kn.PanicThreshold,
		MaxScaleUpRate:  kn.MaxScaleUpRate, MaxScaleDownRate: kn.MaxScaleDownRate,
		ScaleDownDelay:  kn.ScaleDownDelay,
		Tolerance:       r.Own.Tolerance,
		StartupDeadline: r.Own.StartupDeadline,
		EarlyPanic:      r.Own.EarlyPanic,
	}
	targets, err := parseMetrics(pa.Metric(), r.defaultMetric(pa))
	if err != nil {
		return spec, err
	}
	if spec.SLO, err = r.objective(pa, targets); err != nil {
		return spec, err
	}
	if err := checkDemandOnly(pa.Annotations, targets); err != nil {
		return spec, err
	}
	v, annotated := pa.Target()
	if annotated && len(targets) > 1 {
		return spec, fmt.Errorf("%s: %v cannot stand beside several metrics; give each its target as name=target in %s", knautoscaling.TargetAnnotationKey, v, knautoscaling.MetricAnnotationKey)
	}
	spec.TargetBurst, spec.ReplicaCapacity = r.burst(pa, targets)
	for _, t := range targets {
		resolved, err := r.target(pa, t)
		if err != nil {
			return spec, err
		}
		spec.Targets = append(spec.Targets, resolved)
	}
	return spec, nil
}

// bounds are min-scale and max-scale of the revision, of config-autoscaler, or of
// config-ipa, in this order. A max-scale of 0 on the revision is no bound, as with Knative.
func (r Resolver) bounds(pa *v1alpha1.PodAutoscaler) (minScale, maxScale int32) {
	minScale, maxScale = pa.ScaleBounds(r.Knative)
	if _, _, given := knautoscaling.MaxScaleAnnotation.Get(pa.Annotations); given || maxScale > 0 || r.Own.MaxScale == 0 {
		return minScale, maxScale
	}
	maxScale = max(r.Own.MaxScale, minScale) // a min-scale asks for these replicas by name
	if limit := r.Knative.MaxScaleLimit; limit > 0 {
		maxScale = min(maxScale, limit)
	}
	return minScale, maxScale
}

// target resolves one metric's target value: the list's own, the target
// annotation, the cluster's default, in this order.
func (r Resolver) target(pa *v1alpha1.PodAutoscaler, t target) (decider.Target, error) {
	if v, ok := pa.Target(); ok {
		if t.Value != 0 {
			return decider.Target{}, fmt.Errorf("%s: %v: %s already has the target %v in %s; remove one",
				knautoscaling.TargetAnnotationKey, v, t.Metric, t.Value, knautoscaling.MetricAnnotationKey)
		}
		t.Value = v
		if err := checkTarget(knautoscaling.TargetAnnotationKey, t); err != nil {
			return decider.Target{}, err
		}
	}
	d, _ := t.Metric.Describe()
	switch d.Target.Default {
	case decider.NoTarget:
		if t.Value != 0 {
			return decider.Target{}, fmt.Errorf("%s: %v: the metric %s takes no target; set %s", knautoscaling.TargetAnnotationKey, t.Value, t.Metric, sloKeys())
		}
	case decider.FromKnative:
		return decider.Target{Metric: t.Metric, Value: r.knativeTarget(pa, t)}, nil
	case decider.Required:
		if t.Value == 0 {
			return decider.Target{}, fmt.Errorf(
				"%s: %q: %s needs a target, which depends on model and GPU; set %s, or write %s=<target per replica>", knautoscaling.MetricAnnotationKey, pa.Metric(), t.Metric, knautoscaling.TargetAnnotationKey, t.Metric)
		}
	default:
		t.Value = cmp.Or(t.Value, r.Own.defaultTarget(d))
	}
	return decider.Target{Metric: t.Metric, Value: t.Value}, nil
}

// knativeTarget asks Knative's own code, as if the metric stood alone, so that
// containerConcurrency, target utilization and cluster defaults keep their meaning.
func (r Resolver) knativeTarget(pa *v1alpha1.PodAutoscaler, t target) float64 {
	value, _ := r.knativeTargets(pa, t)
	return value
}

// knativeCapacity is the same without the target utilization.
func (r Resolver) knativeCapacity(pa *v1alpha1.PodAutoscaler, t target) float64 {
	_, total := r.knativeTargets(pa, t)
	return total
}

func (r Resolver) knativeTargets(pa *v1alpha1.PodAutoscaler, t target) (value, total float64) {
	alone := pa.DeepCopy()
	if alone.Annotations == nil {
		alone.Annotations = map[string]string{}
	}
	alone.Annotations[knautoscaling.MetricAnnotationKey] = string(t.Metric)
	if t.Value != 0 {
		alone.Annotations[knautoscaling.TargetAnnotationKey] = strconv.FormatFloat(t.Value, 'g', -1, 64)
	}
	return aresources.ResolveMetricTarget(alone, r.Knative)
}

// zero reads how a revision goes to zero, and keeps one replica where the cluster says so.
// One without a route goes to zero all the same.
func (s *Settings) zero(pa *v1alpha1.PodAutoscaler, kn *autoscalerconfig.Config) {
	s.Zero = Zero{Grace: kn.ScaleToZeroGracePeriod, Retention: kn.ScaleToZeroPodRetentionPeriod,
		ActivatorCapacity: kn.ActivatorCapacity}
	if d, ok := pa.ScaleToZeroPodRetention(); ok {
		s.Zero.Retention, s.Zero.RetentionSet = d, true
	}
	s.Zero.RetentionSet = s.Zero.RetentionSet || s.Zero.Retention > 0
	if s.Spec.MinReplicas > 0 || pa.Spec.Reachability == v1alpha1.ReachabilityUnreachable {
		return
	}
	if s.Zero.Allowed = kn.EnableScaleToZero; !s.Zero.Allowed && pa.Spec.Reachability == v1alpha1.ReachabilityReachable {
		s.Spec.MinReplicas = 1
	}
}

// burst reads target-burst-capacity. Without the annotation the activator stays out of the
// path while a pod is Ready, whatever the cluster's default: a request that is passed on by
// an activator ends when the activator does.
func (r Resolver) burst(pa *v1alpha1.PodAutoscaler, targets []target) (burst, capacity float64) {
	burst, _ = pa.TargetBC()
	for _, t := range targets {
		if t.Metric == decider.Concurrency || t.Metric == decider.RPS {
			return burst, r.knativeCapacity(pa, t)
		}
	}
	return burst, 0
}
