package annotations

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// latency is the range of an objective: below a millisecond no engine answers, above an
// hour nobody waits.
func latency(example string) Duration {
	return Duration{Min: time.Millisecond, Max: time.Hour, Example: example}
}

// enginesWithAnother lists the engines whose own port or path is not the default, each with its own.
func enginesWithAnother[T comparable](own func(engines.Engine) T) (text string) {
	var none T
	for _, name := range engines.Names() {
		if e, _ := engines.ByName(name); own(e) != none {
			text += fmt.Sprintf("; `%v` where the engine named is `%s`", own(e), name)
		}
	}
	return text
}

// revision lists our annotations of a revision.
func revision() []Annotation {
	return []Annotation{
		{Key: autoscaling.EngineKey, Kind: Words{List: engines.Names, Empty: true, Meant: engines.Meant, Fix: ", or remove the annotation to detect the engine from its metrics"}, DefaultDoc: "detected from the metrics endpoint",
			Doc: "the inference engine: [what each reports](metrics.md#engines)"},
		{Key: autoscaling.MetricsPortKey, Kind: Port{}, DefaultDoc: "the port of the user's container" + enginesWithAnother(func(e engines.Engine) int { return e.Port }),
			Doc: "the container port of the engine's metrics endpoint"},
		{Key: autoscaling.MetricsPathKey, Kind: Path{}, DefaultDoc: "`" + engines.DefaultPath + "`" + enginesWithAnother(func(e engines.Engine) string { return e.Path }),
			Doc: "the path of the metrics endpoint"},
		{Key: autoscaling.MetricsSchemeKey, Kind: words(HTTP, HTTPS), Default: HTTP,
			Doc: "the scheme of the metrics endpoint. With `https` the pod's certificate is not verified, because pods have no names: whoever can answer at the pod's address can send numbers, as with `http`"},
		{Key: autoscaling.MetricsTokenSecretKey, OwnClass: true, Kind: Secret{},
			Doc: "the Secret with the bearer token that the metrics endpoint asks for: [how the autoscaler gets to read it](#a-metrics-endpoint-that-asks-for-a-token)"},
		{Key: autoscaling.SLOTTFTKey, OwnClass: true, Only: SLOOnly, Kind: latency(short(slo.DefaultTTFT)), Default: short(slo.DefaultTTFT),
			Doc: "time to the first token"},
		{Key: autoscaling.SLOITLKey, OwnClass: true, Only: SLOOnly, Kind: latency(short(slo.DefaultITL)), Default: short(slo.DefaultITL),
			Doc: "mean time per further token"},
		{Key: autoscaling.SLOTTFTPerTokenKey, OwnClass: true, Only: SLOOnly, Kind: Duration{Max: time.Second, Example: "200us"}, Default: "0s",
			Doc: "what every token of the mean prompt adds to `slo-ttft`, for long prompts"},
		{Key: autoscaling.SLOGoalKey, OwnClass: true, Only: SLOOnly, Kind: Number{Min: 0.5, Max: 0.9999, What: "a share of the requests", Example: fmt.Sprint(slo.DefaultGoal)}, Default: fmt.Sprint(slo.DefaultGoal),
			Doc: "the share of the requests that should meet both latencies; all requests cannot be promised"},
		{Key: autoscaling.SLOMarginKey, OwnClass: true, Only: SLOOnly, Kind: Number{Min: slo.MinMargin, Max: slo.MaxMargin, What: "a multiple of the demand", Example: "1.5"}, Default: "1",
			Doc: "multiplies the demand that is planned for: [spare capacity](#spare-capacity)"},
		{Key: autoscaling.StartScaleKey, OwnClass: true, Kind: words(StartAtPredecessor, StartAtInitial), Default: StartAtPredecessor,
			Doc: "`predecessor`: a new revision starts with its share of the Service's traffic times the replicas that the others have for theirs (1 % beside 20 replicas at 99 %: one; the whole traffic: all 20), at most max-scale, gets traffic when they are Ready or cannot be scheduled, and keeps them for a stable window after that. `initial`: Knative's initial scale alone"},
		{Key: autoscaling.DrainTimeoutKey, OwnClass: true, Kind: Duration{Min: time.Second, Max: 24 * time.Hour, Example: "10m"}, DefaultDoc: "the revision's `timeoutSeconds`",
			Doc: "how long a pod that is [given up](drain.md) may end its requests"},
		{Key: autoscaling.MaxUnavailableKey, OwnClass: true, Kind: PodCount{}, DefaultDoc: "no budget",
			Doc: "how many pods of the revision Kubernetes may evict at a time: [a PodDisruptionBudget](drain.md#pods-that-kubernetes-deletes-itself)"},
		{Key: autoscaling.AcceptedKey, Place: Ours},
	}
}
