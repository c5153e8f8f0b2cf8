package binding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// check finds what does not go together, and what works but will hurt.
func check(in *Intent, annotations map[string]string) []Problem {
	return slices.Concat(checkPool(in, annotations), checkPicker(in, annotations), checkPriority(in, annotations),
		checkModels(in), checkPaths(in))
}

// parsed are the ends of the paths whose bodies a picker of GIE v1.5.0 parses.
var parsed = []string{"/chat/completions", "/completions", "/responses", "/conversations", "/embeddings"}

// checkPaths warns of bodies that the picker takes for malformed completions.
func checkPaths(in *Intent) (problems []Problem) {
	if in.Picker.Mode != PickerManaged || in.Picker.Flavor != FlavorGIE {
		return nil
	}
	for _, p := range in.Paths {
		known := slices.ContainsFunc(parsed, func(end string) bool { return strings.HasSuffix(p, end) })
		if !known && !strings.HasPrefix(p, "/v2/") {
			problems = append(problems, Problem{Path: path(inference.PathsKey), Warning: true,
				Message: fmt.Sprintf("%q: a picker of flavor gie reads its body as a completion and answers 400 where there is no prompt; leave the path to Knative's own route, or use a picker of flavor %s", p, FlavorLLMD)})
		}
	}
	return problems
}

func checkPool(in *Intent, annotations map[string]string) (problems []Problem) {
	refuse := func(key, format string, args ...any) {
		problems = append(problems, Problem{Path: path(key), Message: fmt.Sprintf(format, args...)})
	}
	if in.Pool != "" && in.PoolMode == PoolPerRevision {
		refuse(inference.PoolModeKey, "%q needs pools of its own; remove %s, or use %q", in.PoolMode, inference.PoolKey, PoolPerService)
	}
	if in.Pool != "" && in.Selector != nil {
		refuse(inference.SelectorKey, "a pool that %s names has a selector already; remove one of the two", inference.PoolKey)
	}
	if in.Selector != nil && in.PoolMode == PoolPerRevision {
		refuse(inference.SelectorKey, "the pools of %s %q select their revision; remove one of the two", inference.PoolModeKey, in.PoolMode)
	}
	if in.Gateway == (Name{}) {
		refuse(inference.GatewayKey, "no Gateway is configured; correct or restore the ConfigMap %s and its key \"gateway\" (an empty ConfigMap means the defaults)", ConfigName)
	}
	if _, given := annotations[inference.PoolModeKey]; in.PoolMode == PoolPerRevision && given &&
		in.Picker.Mode != PickerManaged {
		refuse(inference.PickerKey, "%s %q needs a picker for each revision: only \"managed\" is possible", inference.PoolModeKey, in.PoolMode)
	}
	return problems
}

func checkPicker(in *Intent, annotations map[string]string) (problems []Problem) {
	if in.Picker.Mode == PickerManaged {
		return checkNegative(in, annotations)
	}
	for _, key := range []string{inference.PickerImageKey, inference.PickerReplicasKey, inference.PickerConfigKey,
		inference.FlowControlKey, inference.QueueTTLKey, inference.QueueMaxRequestsKey, inference.QueueDepthKey,
		inference.NegativePriorityKey} {
		if _, ok := annotations[key]; ok {
			problems = append(problems, Problem{Path: path(key), Message: fmt.Sprintf("has no effect on a picker that we do not run; remove it, or set %s to %q", inference.PickerKey, PickerManaged)})
		}
	}
	return problems
}

// checkNegative refuses to let requests wait where nothing would hold them as asked.
func checkNegative(in *Intent, annotations map[string]string) (problems []Problem) {
	if _, given := annotations[inference.NegativePriorityKey]; !given || in.NegativePriority != NegativeWait {
		return nil
	}
	refuse := func(format string, args ...any) {
		message := fmt.Sprintf("%q "+format, append([]any{NegativeWait}, args...)...)
		problems = append(problems, Problem{Path: path(inference.NegativePriorityKey), Message: message})
	}
	switch {
	case !in.Flow.Enabled:
		refuse("needs a picker that lets requests wait; remove it, or set %s to \"true\"", inference.FlowControlKey)
	case in.Pool != "":
		refuse("is for a pool of the Service's own; remove it, or remove %s", inference.PoolKey)
	case in.Picker.ConfigMap != "":
		refuse("does not reach a configuration of yours; remove it, or remove %s", inference.PickerConfigKey)
	}
	return problems
}

func checkPriority(in *Intent, annotations map[string]string) (problems []Problem) {
	warn := func(key, format string, args ...any) {
		problems = append(problems, Problem{Path: path(key), Message: fmt.Sprintf(format, args...), Warning: true})
	}
	if in.Priority != nil && *in.Priority < 0 && in.NegativePriority == NegativeWait {
		warn(inference.NegativePriorityKey, "%q, and the Service's own requests have a negative priority: they do not wake its revisions from zero, but wait for a request of another priority, at most for %s", NegativeWait, inference.QueueTTLKey)
	} else if in.Priority != nil && *in.Priority < 0 {
		key := inference.ACKPriorityKey
		if _, ok := annotations[inference.PriorityKey]; ok {
			key = inference.PriorityKey
		}
		warn(key, "%d is below 0: every request of this Service is refused with 429 while its pool is saturated", *in.Priority)
	}
	if in.ObjectiveHeader == HeaderNone && (in.Priority != nil || len(in.Objectives) > 0) {
		warn(inference.ObjectiveHeaderKey, "%q leaves the priority to the header x-gateway-inference-objective of the client, who may send any; use %q", HeaderNone, HeaderAuto)
	}
	return problems
}

// maxMatches is Gateway API's bound for one rule.
const maxMatches = 64

func checkModels(in *Intent) (problems []Problem) {
	if n := len(in.Models) * max(len(in.Paths), 1); n > maxMatches {
		problems = append(problems, Problem{Path: path(inference.ModelKey),
			Message: fmt.Sprintf("%d models on %d paths are %d matches; a route's rule holds %d: name fewer", len(in.Models), len(in.Paths), n, maxMatches)})
	}
	if len(in.Models) > 0 && in.BodyRouter.Mode == BodyRouterOff {
		problems = append(problems, Problem{Path: path(inference.ModelKey), Warning: true,
			Message: fmt.Sprintf("nobody writes the model's name into a header: set %q in the ConfigMap %s to %q or %q", bodyRouterKey, ConfigName, BodyRouterManaged, BodyRouterExternal)})
	}
	return problems
}
