package webhook

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// Latencies that nobody waits for: a value above is most likely of another unit.
const longestITL, longestTTFT = 5 * time.Second, 10 * time.Minute

// units warns of an objective that no request could miss: 100s for 100ms.
func (w warner) units() (problems []binding.Problem) {
	for _, l := range []struct {
		key     string
		longest time.Duration
	}{{autoscaling.SLOTTFTKey, longestTTFT}, {autoscaling.SLOITLKey, longestITL}} {
		value := w.service.Spec.Template.Annotations[l.key]
		if d, err := time.ParseDuration(value); err == nil && d > l.longest {
			problems = append(problems, warn(binding.TemplatePath(l.key),
				"%s is so long that hardly a request misses it, and the replicas will not grow for it; a usual value is %s", value, annotations.Default[time.Duration](l.key))...)
		}
	}
	return append(problems, w.seconds95()...)
}

// shortestTTFT is in milliseconds: an engine that generates text takes longer for a first token.
const ttftP95, itlP95, shortestTTFT = "ttft_p95_ms", "itl_p95_ms", 10

// seconds95 warns of a target of a percentile that is most likely in seconds, or in microseconds.
func (w warner) seconds95() (problems []binding.Problem) {
	given := w.service.Spec.Template.Annotations
	longest := map[string]time.Duration{ttftP95: longestTTFT, itlP95: longestITL}
	list, _ := annotations.List(given[knautoscaling.MetricAnnotationKey]) // config refuses a malformed one
	for _, entry := range list {
		name, target, _ := strings.Cut(entry, "=")
		name = strings.TrimSpace(name)
		target = strings.TrimSpace(cmp.Or(target, given[knautoscaling.TargetAnnotationKey]))
		ms, err := strconv.ParseFloat(target, 64)
		most, isPercentile := longest[name]
		switch path := binding.TemplatePath(knautoscaling.MetricAnnotationKey); {
		case err != nil || !isPercentile:
		case name == ttftP95 && ms < shortestTTFT:
			problems = append(problems, warn(path, "the target of %s is %s milliseconds, which hardly any engine reaches: the count grows to max-scale. If these are seconds, write %g", ttftP95, target, 1000*ms)...)
		case ms > 1000*most.Seconds():
			problems = append(problems, warn(path, "the target of %s is %.20s milliseconds, so long that hardly a request misses it, and the replicas will not grow for it", name, target)...)
		}
	}
	return problems
}

// misspelt warns of a class that looks like ours and is not: no autoscaler acts upon it, and
// the revision never becomes Ready.
func (w warner) misspelt() []binding.Problem {
	given := class(w.service)
	like := strings.ToLower(given)
	if !strings.HasPrefix(like, "ipa") && !strings.Contains(like, "knative-inference") {
		return nil
	}
	return warn(binding.TemplatePath(classKey), "%.60q is not %s: correct it, unless you run an autoscaler of that class", given, autoscaling.Class)
}
