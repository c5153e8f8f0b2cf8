package podautoscaler

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// unreadableAfter is for how long a metrics endpoint may fail before a condition says
// so: a restart of an engine's container takes less. A page that is too large, or an
// engine that nobody knows, does not get better with time.
const unreadableAfter = 30 * time.Second

// cure is the reason of a condition and event for one cause, and what to do.
type cure struct{ reason, do string }

// cures are by the cause of a collector.Problem.
var cures = map[string]cure{
	"too_large":    {autoscaling.ReasonPageTooLarge, "Reduce the number of series on the page: at most 2 MiB and 10,000 series of the engine's families are read."},
	"redirect":     {"EngineRedirects", "Set " + autoscaling.MetricsPathKey + " to the path that answers with status 200."},
	"unauthorized": {"EngineUnauthorized", "Let the metrics endpoint answer without credentials, or set " + autoscaling.MetricsPortKey + " to a port that does."},
	"status":       {"EngineBadStatus", "Set " + autoscaling.MetricsPortKey + " and " + autoscaling.MetricsPathKey + " to the engine's metrics endpoint."},
	"refused":      {"EngineRefusesConnections", "Set " + autoscaling.MetricsPortKey + " to the port on which the engine serves its metrics."},
	"timeout":      {"EngineTimesOut", "See whether the engine's metrics endpoint answers within one second, and whether a NetworkPolicy or mesh blocks the autoscaler."},
	"network":      {"EngineUnreachable", "See whether a NetworkPolicy or a mesh with mutual TLS blocks the autoscaler; the endpoint must speak plain HTTP."},
	"not_engine":   {"EngineUnknown", "Set " + autoscaling.MetricsPortKey + " and " + autoscaling.MetricsPathKey + " to the engine's metrics endpoint, or scale on concurrency."},
	"config":       {"EngineUnknown", "Set " + autoscaling.EngineKey + " to a known engine."},
	"parse":        {"EngineBadPage", "The page must be in the text format of Prometheus. Set " + autoscaling.MetricsPathKey + " to the right path."},
	"wrong_pod":    {"EngineOfAnotherPod", "Nothing is to be done: the address was given to another pod, and the pod's state follows soon."},
	"budget":       {"EngineWaitsForMemory", "Reduce the size of the metrics pages: too many larger than 128 KiB are read at once."},
	"panic":        {"AutoscalerFault", "Report this fault with the autoscaler's log."},
}

// markReadable says whether the engines' metrics endpoints can be read, and warns when
// the cause is another one than before.
func (r *Reconciler) markReadable(ctx context.Context, pa *v1alpha1.PodAutoscaler, s config.Settings) {
	now := time.Now()
	c := apis.Condition{
		Type: autoscaling.ConditionEngineReadable, Status: corev1.ConditionTrue, Severity: apis.ConditionSeverityInfo,
		Reason: autoscaling.ReasonReadable,
	}
	if p, ok := lasting(r.collector.Problems(revisionOf(pa), now), now); ok {
		fix := cures[p.Cause]
		c.Status, c.Severity, c.Reason = corev1.ConditionFalse, apis.ConditionSeverityWarning, fix.reason
		c.Message = fmt.Sprintf("The metrics endpoint of %d of %d Ready pods (%s) cannot be read since %s, for example that of pod %s: %s. Their metrics are unknown and lower no count. %s",
			p.Pods, p.Of, p.Source, p.Since.UTC().Format(time.RFC3339), p.Pod, p.Message, fix.do)
		if old := pa.Status.GetCondition(c.Type); (old == nil || old.Reason != c.Reason) && expectsEngine(s, p) {
			r.warnOwners(ctx, pa, c.Reason, c.Message)
		}
	}
	if sameButPod(pa.Status.GetCondition(c.Type), c) {
		return
	}
	set(pa, c)
}

// lasting returns the problem with the most pods that needs somebody to act.
func lasting(problems []collector.Problem, now time.Time) (collector.Problem, bool) {
	for _, p := range problems {
		if p.Source == "queue_proxy" || cures[p.Cause].reason == "" {
			continue
		}
		atOnce := p.Cause == "too_large" || p.Cause == "config"
		if atOnce || now.Sub(p.Since) >= unreadableAfter {
			return p, true
		}
	}
	return collector.Problem{}, false
}

// expectsEngine reports whether a problem deserves an event: a web application
// without an engine has no metrics endpoint that could be read.
func expectsEngine(s config.Settings, p collector.Problem) bool {
	named := s.Engine != "" || s.MetricsPort != 0 || s.MetricsPath != ""
	return named || p.Cause != "not_engine" && p.Cause != "status" && p.Cause != "refused"
}

// sameButPod reports whether a condition with the same reason was written less than
// fresh ago: numbers and example move with every scrape, a status shall not.
func sameButPod(old *apis.Condition, c apis.Condition) bool {
	return old != nil && old.Reason == c.Reason && old.Status == c.Status && c.Status == corev1.ConditionFalse &&
		time.Since(old.LastTransitionTime.Inner.Time) < fresh
}
