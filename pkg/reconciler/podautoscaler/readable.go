package podautoscaler

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// unreadableAfter is for how long a metrics endpoint may fail before a condition says
// so: a restart of an engine's container takes less.
const unreadableAfter = 30 * time.Second

// atOnce are the causes that do not get better with time.
var atOnce = []string{
	"too_large", "config",
	string(collector.TokenForbidden), string(collector.TokenMissing), string(collector.TokenInvalid),
}

// cure is the reason of a condition and event for one cause, and what to do.
type cure struct{ reason, do string }

// cures are by the cause of a collector.Problem.
var cures = map[string]cure{
	"too_large": {autoscaling.ReasonPageTooLarge, "Reduce the number of series on the page: at most 2 MiB and 10,000 series of the engine's families are read."},
	"redirect":  {"EngineRedirects", "Set " + autoscaling.MetricsPathKey + " to the path that answers with status 200."},
	"redirect_tls": {"EngineRedirects", "Set " + autoscaling.MetricsSchemeKey + " to https, and " +
		autoscaling.MetricsPortKey + " and " + autoscaling.MetricsPathKey + " to the port and path that the redirect leads to."},
	"unauthorized":    {"EngineUnauthorized", "Set " + autoscaling.MetricsTokenSecretKey + " to a Secret with the token that the endpoint asks for, or " + autoscaling.MetricsPortKey + " to a port that answers without one."},
	"token_refused":   {"EngineUnauthorized", "Put the token that the endpoint takes into the Secret; it is read again within a minute."},
	"token_forbidden": {"EngineTokenForbidden", ""}, // see forbidden
	"token_missing":   {"EngineTokenMissing", "Create the Secret with the key in the namespace of the Service, or correct " + autoscaling.MetricsTokenSecretKey + "."},
	"token_invalid":   {"EngineTokenInvalid", "Put a token of 1 to 16384 printable characters of ASCII into the Secret."},
	"token_unread":    {"EngineTokenUnread", "See whether the API server answers; the Secret is read again every few seconds."},
	"token_withheld":  {"EngineTokenWithheld", "A token is sent only where the pod's queue-proxy can be read. See whether a NetworkPolicy or a mesh blocks port 9090 of the pods."},
	"tls":             {"EngineSpeaksTLS", "Set " + autoscaling.MetricsSchemeKey + " to https."},
	"plain":           {"EngineSpeaksPlainHTTP", "Set " + autoscaling.MetricsSchemeKey + " to http, or " + autoscaling.MetricsPortKey + " to a port that speaks https."},
	"status":          {"EngineBadStatus", "Set " + autoscaling.MetricsPortKey + " and " + autoscaling.MetricsPathKey + " to the engine's metrics endpoint."},
	"refused":         {"EngineRefusesConnections", "Set " + autoscaling.MetricsPortKey + " to the port on which the engine serves its metrics."},
	"timeout":         {"EngineTimesOut", "See whether the engine's metrics endpoint answers in time, and whether a NetworkPolicy or mesh blocks the autoscaler."},
	"network":         {"EngineUnreachable", "See whether a NetworkPolicy or a mesh with mutual TLS blocks the autoscaler."},
	"not_http":        {"EngineUnreachable", "Set " + autoscaling.MetricsPortKey + " to the port on which the engine serves its metrics by HTTP."},
	"malformed":       {"EngineBadPage", "Make the endpoint answer with valid HTTP/1.1 and no header line longer than 4 KiB, or set " + autoscaling.MetricsPortKey + " to a port that does."},
	"not_engine":      {"EngineUnknown", "Set " + autoscaling.MetricsPortKey + " and " + autoscaling.MetricsPathKey + " to the engine's metrics endpoint, or scale on concurrency."},
	"config":          {"EngineUnknown", "Set " + autoscaling.EngineKey + " to a known engine."},
	"parse":           {"EngineBadPage", "The page must be in the text format of Prometheus. Set " + autoscaling.MetricsPathKey + " to the right path."},
	"content_type":    {"EngineBadPage", "Let the endpoint answer uncompressed, or compressed by gzip."},
	"wrong_pod":       {"EngineOfAnotherPod", "Nothing is to be done: the address was given to another pod, and the pod's state follows soon."},
	"budget":          {"EngineWaitsForMemory", "Reduce the size of the metrics pages: too many larger than 128 KiB are read at once."},
	"panic":           {"AutoscalerFault", "Report this fault with the autoscaler's log."},
}

// markReadable says which engine is read where, or why its metrics endpoint cannot be
// read, and warns when the cause is another one than before.
func (r *Reconciler) markReadable(ctx context.Context, pa *v1alpha1.PodAutoscaler, s config.Settings) {
	now := time.Now()
	e := r.collector.Endpoint(revisionOf(pa))
	c, expected := readable(e, s), expectsEngine(s)
	if p, ok := lasting(r.collector.Problems(revisionOf(pa), now), now); ok {
		c = unreadable(e, p)
		switch p.Cause {
		case "not_engine":
			c.Message += " Known engines: " + strings.Join(engines.Names(), ", ") + "."
		case string(collector.TokenForbidden):
			c.Message = forbidden(p, grant(pa.Namespace, s.MetricsToken.Name, r.account))
		}
		expected = expected || p.Cause != "not_engine" && p.Cause != "status" && p.Cause != "refused"
	}
	old := pa.Status.GetCondition(c.Type)
	if c.IsFalse() && expected && (old == nil || old.Reason != c.Reason) {
		r.warnOwners(ctx, pa, c.Reason, c.Message)
	}
	if isRecent(old, c) {
		return
	}
	set(pa, c)
}

// readable is the condition while nothing fails: what is read where, and what it lacks.
func readable(e collector.Endpoint, s config.Settings) apis.Condition {
	c := apis.Condition{Type: autoscaling.ConditionEngineReadable, Severity: apis.ConditionSeverityInfo}
	switch lacks, consequence := lacking(e, s); {
	case e.Port == 0:
		c.Status, c.Reason = corev1.ConditionFalse, "EngineNotRead"
		c.Message = "No metrics endpoint is read: containerConcurrency is 1, and a reading would be a second request at the same time. If the container is an inference engine, name it in " + autoscaling.EngineKey + "."
	case e.Ready == 0:
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NoPodReady", "No pod is Ready, so no metrics endpoint is read."
	case e.Readable == 0:
		c.Status, c.Reason, c.Message = corev1.ConditionUnknown, "NotReadYet", fmt.Sprintf("The metrics endpoint of none of %d Ready pods was read yet.", e.Ready)
	case lacks != "":
		c.Status, c.Severity, c.Reason = corev1.ConditionFalse, apis.ConditionSeverityWarning, "EngineLacksMetric"
		c.Message = found(e) + " The page lacks " + lacks + ". " + consequence
	default:
		c.Status, c.Reason, c.Message = corev1.ConditionTrue, autoscaling.ReasonReadable, found(e)
	}
	return c
}

// found says which engine is read where.
func found(e collector.Endpoint) string {
	return fmt.Sprintf("Engine %s is read on port %d at %.100s in %d of %d Ready pods.", e.Engine, e.Port, e.URI, e.Readable, e.Ready)
}

// unreadable is the condition while a problem lasts.
func unreadable(e collector.Endpoint, p collector.Problem) apis.Condition {
	fix := cures[p.Cause]
	text := fmt.Sprintf("The metrics endpoint (%s, port %d, path %.100s) of %d of %d Ready pods cannot be read since %s, for example that of pod %s: %s. Their metrics are unknown and lower no count. %s",
		p.Source, p.Port, p.URI, p.Pods, p.Of, p.Since.UTC().Format(time.RFC3339), p.Pod, p.Message, fix.do)
	if e.Readable > 0 {
		text = found(e) + " " + text
	}
	return apis.Condition{
		Type: autoscaling.ConditionEngineReadable, Status: corev1.ConditionFalse, Severity: apis.ConditionSeverityWarning,
		Reason: fix.reason, Message: text,
	}
}

// forbidden says how to let us read one Secret.
func forbidden(p collector.Problem, commands string) string {
	return fmt.Sprintf("The metrics endpoint (port %d) of %d of %d Ready pods is not read since %s: the autoscaler has no right to read the Secret with its token. "+
		"Their metrics are unknown and lower no count. The right to read this Secret and no other is given by: %s",
		p.Port, p.Pods, p.Of, p.Since.UTC().Format(time.RFC3339), commands)
}

// grant is the commands that let an account read one Secret. The names are those of objects
// of Kubernetes, without a character that means something to a shell.
func grant(namespace, secret, account string) string {
	role := "read-" + secret
	if len(role) > maxRoleName {
		role = fmt.Sprintf("%s-%08x", role[:maxRoleName-9], crc32.ChecksumIEEE([]byte(secret)))
	}
	return fmt.Sprintf("kubectl -n %s create role %s --verb=get --resource=secrets --resource-name=%s && "+
		"kubectl -n %s create rolebinding %s --role=%s --serviceaccount=%s", namespace, role, secret, namespace, role, role, account)
}

// maxRoleName bounds the name in bytes that grant gives a role: an event has room for 1024.
const maxRoleName = 40

// lacking names what the metrics of the settings need and no page has, and what follows.
func lacking(e collector.Endpoint, s config.Settings) (lacks, consequence string) {
	const firstTokens = "a histogram of times to the first token"
	for _, t := range s.Spec.Targets {
		switch {
		case t.Metric == decider.SLO && slices.Contains(e.Lacks, decider.TTFTP95):
			return firstTokens, "The metric slo judges " + autoscaling.SLOTTFTKey + " by the engine's queue instead, and needs more replicas than with the histogram. Let the engine report the histogram, or scale on concurrency."
		case !slices.Contains(e.Lacks, t.Metric):
			continue
		case t.Metric == decider.TTFTP95:
			lacks = firstTokens
		case t.Metric == decider.ITLP95:
			lacks = "a histogram of times between tokens"
		default:
			lacks = "what " + string(t.Metric) + " is made of"
		}
		return lacks, string(t.Metric) + " is unknown and does not scale the revision. Let the engine report it, or name another metric in " + knautoscaling.MetricAnnotationKey + "."
	}
	return "", ""
}

// lasting returns the problem with the most pods that needs somebody to act.
func lasting(problems []collector.Problem, now time.Time) (collector.Problem, bool) {
	for _, p := range problems {
		if p.Source == "queue_proxy" || cures[p.Cause].reason == "" {
			continue
		}
		if slices.Contains(atOnce, p.Cause) || now.Sub(p.Since) >= unreadableAfter {
			return p, true
		}
	}
	return collector.Problem{}, false
}

// expectsEngine reports whether a problem deserves an event whatever it is: a web
// application that scales on concurrency has no metrics endpoint that could be read.
func expectsEngine(s config.Settings) bool { return namesEndpoint(s) || scalesOnEngine(s) }

// namesEndpoint reports whether the annotations name an engine, or where its metrics endpoint is.
func namesEndpoint(s config.Settings) bool {
	return s.Engine.Name != "" || s.Engine.MetricsPort != 0 || s.Engine.MetricsPath != ""
}

// scalesOnEngine reports whether a metric of the settings comes from engines.
func scalesOnEngine(s config.Settings) bool {
	return slices.ContainsFunc(s.Spec.Targets, func(t decider.Target) bool {
		return t.Metric != decider.Concurrency && t.Metric != decider.RPS
	})
}

// isRecent reports whether a condition with the same reason was written less than
// fresh ago: numbers and example move with every scrape, a status shall not.
func isRecent(old *apis.Condition, c apis.Condition) bool {
	return old != nil && old.Reason == c.Reason && old.Status == c.Status &&
		time.Since(old.LastTransitionTime.Inner.Time) < fresh
}
