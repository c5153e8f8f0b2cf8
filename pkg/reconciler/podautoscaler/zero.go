package podautoscaler

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	netapis "knative.dev/networking/pkg/apis/networking"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	nethttp "knative.dev/networking/pkg/http"
	netheader "knative.dev/networking/pkg/http/header"
	netprober "knative.dev/networking/pkg/prober"
	pkgnet "knative.dev/pkg/network"
	"knative.dev/serving/pkg/activator"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

const (
	// probeTimeout bounds one question whether the activator is in the path, and
	// probeAgain is the time between two.
	probeTimeout, probeAgain = time.Second, time.Second
	// proxiedAgain is the time until the next reconciliation of a revision that was just marked inactive
	// and whose ServerlessService does not change by that. It is Knative's.
	proxiedAgain = 3 * time.Second
	// maxKeepAlive bounds for how long the last pod stays because pods take long to start.
	maxKeepAlive = 30 * time.Minute
)

// zeroFacts is what the way to zero depends on.
type zeroFacts struct {
	// activating and active are the states of the condition Active; else it is inactive.
	activating, active bool
	// activatingFor, activeFor and inactiveFor are how long it has had that state, and
	// proxiedFor how long the activator has been in the path.
	activatingFor, activeFor, inactiveFor, proxiedFor time.Duration
	// proxied is true where the ServerlessService asks for the activator already.
	proxied bool
	// window is the stable window, deadline that of a start.
	window, deadline, grace, retention time.Duration
	// inPath reports whether requests reach the activator.
	inPath func() bool
}

// zeroStep is the next step of a revision that needs no replica.
type zeroStep struct {
	// want is the count of the status; -1 leaves what is there.
	want int32
	// apply is true when the scale target is to follow.
	apply bool
	// again is when to look again; 0 is at the next event.
	again time.Duration
}

// stepToZero is what Knative's own class does with a need of 0, in its order (handleScaleToZero
// in knative.dev/serving pkg/reconciler/autoscaling/kpa/scaler.go v0.50): the revision is
// active for a stable window, is marked inactive, which brings the activator into the
// path, and has its last pod until requests have reached the activator for the grace
// period and the retention period is over. TestStepToZero has the cases.
func stepToZero(f zeroFacts) zeroStep {
	switch {
	case f.activating && f.activatingFor >= f.deadline:
		return zeroStep{apply: true}
	case f.activating:
		return zeroStep{want: -1, again: f.deadline - f.activatingFor}
	case f.active && f.activeFor < f.window:
		return zeroStep{want: 1, apply: true, again: f.window - f.activeFor}
	case f.active && f.proxied:
		return zeroStep{again: proxiedAgain}
	case f.active:
		return zeroStep{}
	case !f.inPath():
		return zeroStep{again: probeAgain}
	case f.inactiveFor >= max(f.grace, f.retention):
		return zeroStep{apply: true}
	case f.inactiveFor < f.retention:
		return zeroStep{again: f.retention - f.inactiveFor}
	case f.proxiedFor < f.grace:
		return zeroStep{again: f.grace - f.proxiedFor}
	}
	return zeroStep{apply: true}
}

// toZero takes a routed revision that needs no replica one step further. What it returns is
// the count for the scale target, -1 to leave it; the count of the status is rep.want.
func (r *Reconciler) toZero(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep *report) int32 {
	routed := pa.Spec.Reachability == v1alpha1.ReachabilityReachable
	if rep.want != 0 || rep.failed() || !routed || replicasOf(rep.target) == 0 {
		rep.asleep = rep.want == 0 && routed && !rep.failed()
		return rep.want
	}
	step := stepToZero(r.zeroFacts(ctx, pa, rep))
	rep.want = step.want
	if step.again > 0 {
		r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, step.again)
	}
	if !step.apply {
		return max(r.pods.serving(revisionOf(pa), rep.target), 1)
	}
	rep.asleep = step.want == 0
	return step.want
}

func (r *Reconciler) zeroFacts(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep *report) zeroFacts {
	now, zero := time.Now(), rep.settings.Zero
	f := zeroFacts{
		activating: pa.Status.IsActivating(), active: pa.Status.IsActive(), activatingFor: r.activatingFor(pa),
		activeFor: pa.Status.ActiveFor(now), inactiveFor: pa.Status.InactiveFor(now),
		window: rep.settings.Spec.StableWindow, deadline: r.startDeadline(ctx, pa, rep.startup()), grace: zero.Grace,
		retention: keepAlive(zero, rep.startup()),
		inPath:    func() bool { return rep.settings.Spec.TargetBurst < 0 || r.activatorInPath(ctx, pa) },
	}
	if sks, err := r.SKSLister.ServerlessServices(pa.Namespace).Get(pa.Name); err == nil {
		f.proxied, f.proxiedFor = sks.Spec.Mode == nv1alpha1.SKSOperationModeProxy, sks.Status.ProxyFor()
	}
	return f
}

// keepAlive is for how long the last pod stays without traffic: what the user or the cluster
// set, else two startup times, because a pod that takes minutes to load is soon missed.
func keepAlive(zero config.Zero, startup time.Duration) time.Duration {
	if zero.RetentionSet {
		return zero.Retention
	}
	return min(2*startup, maxKeepAlive)
}

// startup is the time that a pod takes to become Ready: the shortest that a Ready pod of
// now took, else what slo has learned or assumes (two minutes at first); 0 when not known.
func (rep report) startup() time.Duration {
	shortest := time.Duration(0)
	for _, p := range rep.record.Observation.Pods {
		if p.ReadyAfter > 0 && (shortest == 0 || p.ReadyAfter < shortest) {
			shortest = p.ReadyAfter
		}
	}
	if slo := rep.record.Decision.SLO; shortest == 0 && slo != nil && slo.StartupTime.Known() && slo.StartupTime > 0 {
		return time.Duration(float64(slo.StartupTime) * float64(time.Second))
	}
	return shortest
}

// activatorInPath reports whether the revision's Service leads to the activator.
func (r *Reconciler) activatorInPath(ctx context.Context, pa *v1alpha1.PodAutoscaler) bool {
	if pa.Status.ServiceName == "" {
		return false
	}
	in, err := r.probe(ctx, pa)
	if err != nil {
		r.log.Debug("the activator does not answer at the revision's Service yet", "namespace", pa.Namespace, "revision", pa.Name, "error", err)
	}
	return in && err == nil
}

// probeActivator asks the revision's Service who answers, as Knative's own class does.
func probeActivator(transport http.RoundTripper) func(context.Context, *v1alpha1.PodAutoscaler) (bool, error) {
	return func(ctx context.Context, pa *v1alpha1.PodAutoscaler) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		host := pkgnet.GetServiceHostname(pa.Status.ServiceName, pa.Namespace)
		url := fmt.Sprintf("http://%s/%s", net.JoinHostPort(host,
			strconv.Itoa(netapis.ServicePort(pa.Spec.ProtocolType))), nethttp.HealthCheckPath)
		return netprober.Do(ctx, transport, url,
			netprober.WithHeader(netheader.UserAgentKey, netheader.AutoscalingUserAgent),
			netprober.WithHeader(netheader.ProbeKey, activator.Name),
			netprober.ExpectsBody(activator.Name),
			netprober.ExpectsStatusCodes([]int{http.StatusOK}))
	}
}

// keepPooled keeps one replica of a routed revision whose pods an InferencePool selects: a
// request that comes through an inference gateway passes no activator, and nothing
// says of which revision it is while there is no pod.
func (r *Reconciler) keepPooled(pa *v1alpha1.PodAutoscaler, s *config.Settings, d *appsv1.Deployment) bool {
	if !s.Zero.Allowed || r.pools == nil {
		return false
	}
	for _, selector := range r.pools(pa.Namespace) {
		selects := labels.SelectorFromSet(selector)
		pooled := selects.Matches(labels.Set(d.Spec.Template.Labels))
		for _, pod := range r.pods.list(revisionOf(pa)) {
			pooled = pooled || selects.Matches(labels.Set(pod.Labels))
		}
		if pooled {
			s.Zero.Allowed = false
			if pa.Spec.Reachability == v1alpha1.ReachabilityReachable {
				s.Spec.MinReplicas = max(s.Spec.MinReplicas, 1)
			}
			return true
		}
	}
	return false
}
