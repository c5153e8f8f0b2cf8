package podautoscaler

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

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
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

// probeTimeout bounds one question whether the activator is in the path.
const probeTimeout = time.Second

// toZero takes a routed revision that needs no replica one step further. What it returns is
// the count for the scale target, -1 to leave it; the count of the status is rep.want.
func (r *Reconciler) toZero(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep *report) int32 {
	routed := pa.Spec.Reachability == v1alpha1.ReachabilityReachable
	if rep.want != 0 || rep.failed() || !routed || replicasOf(rep.target) == 0 {
		rep.asleep = rep.want == 0 && routed && !rep.failed()
		return rep.want
	}
	step := zero.Next(r.zeroFacts(ctx, pa, rep))
	rep.want = step.Want
	if step.Again > 0 {
		r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, step.Again)
	}
	if !step.Apply {
		return max(r.pods.serving(revisionOf(pa), rep.target), 1)
	}
	rep.asleep = step.Want == 0
	return step.Want
}

func (r *Reconciler) zeroFacts(ctx context.Context, pa *v1alpha1.PodAutoscaler, rep *report) zero.Facts {
	now := time.Now()
	f := zero.Facts{
		Activating: pa.Status.IsActivating(), Active: pa.Status.IsActive(), ActivatingFor: r.activatingFor(pa),
		ActiveFor: pa.Status.ActiveFor(now), InactiveFor: pa.Status.InactiveFor(now),
		Window: rep.settings.Spec.StableWindow, Deadline: r.startDeadline(ctx, pa, rep.startup()),
		Grace: rep.settings.Zero.Grace, Retention: keepAlive(rep.settings.Zero, rep.startup()),
		InPath: func() bool { return rep.settings.Spec.TargetBurst < 0 || r.activatorInPath(ctx, pa) },
	}
	if sks, err := r.SKSLister.ServerlessServices(pa.Namespace).Get(pa.Name); err == nil {
		f.Proxied, f.ProxiedFor = sks.Spec.Mode == nv1alpha1.SKSOperationModeProxy, sks.Status.ProxyFor()
	}
	return f
}

// keepAlive is for how long the last pod stays without traffic: what the user or the cluster
// set, else what the startup time is worth.
func keepAlive(set config.Zero, startup time.Duration) time.Duration {
	if set.RetentionSet {
		return set.Retention
	}
	return zero.KeepAlive(startup)
}

// startup is the time that a pod takes to become Ready: what was measured, else what slo has
// learned or assumes; 0 when not known.
func (rep report) startup() time.Duration {
	return decider.StartupTime(rep.record.ReadyAfter, rep.record.Decision)
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

// Pool is an InferencePool.
type Pool struct {
	Selector map[string]string
	// Serves are the revisions that the pool's requests wait for in a picker that we read, each
	// with its share of the requests, 0 to 1; nil where the revisions are not known.
	Serves map[string]float64
	// NegativeWaits is true if requests of a negative priority wake no revision.
	NegativeWaits bool
}

// poolsIn reads the pools of a namespace, which decodes each of them.
func (r *Reconciler) poolsIn(namespace string) []Pool {
	if r.pools == nil {
		return nil
	}
	return r.pools(namespace)
}

// heldByPicker reports whether requests of a revision may wait in a picker that we read.
func heldByPicker(pools []Pool, revision string) bool {
	return slices.ContainsFunc(pools, func(p Pool) bool { return p.Serves[revision] > 0 })
}

// negativeWaits reports whether requests of a negative priority do not wake a revision.
func negativeWaits(pools []Pool, revision string) bool {
	return slices.ContainsFunc(pools, func(p Pool) bool { return p.Serves[revision] > 0 && p.NegativeWaits })
}

// requireOneIfPooled keeps one replica of a routed revision whose pods an InferencePool selects
// that does not say whom its requests are for: a request that comes through an inference
// gateway passes no activator, and nobody would see that it waits for the revision.
func (r *Reconciler) requireOneIfPooled(pa *v1alpha1.PodAutoscaler, pools []Pool, rep *report) bool {
	s := &rep.settings
	if !s.Zero.Allowed {
		return false
	}
	for _, p := range pools {
		if p.Serves != nil {
			continue
		}
		selects := labels.SelectorFromSet(p.Selector)
		pooled := selects.Matches(labels.Set(rep.target.Spec.Template.Labels))
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
