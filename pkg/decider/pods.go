package decider

import "math"

// readyPods is the number of Ready pods to compute with: at least 1.
func readyPods(obs Observation) float64 { return float64(max(1, obs.Ready)) }

// maxPods is the largest count of one decision. A slow rate still grows by one:
// 1.1 with 2 Ready pods gives ceil(2.2) = 3.
func maxPods(spec Spec, obs Observation) float64 {
	return math.Ceil(spec.MaxScaleUpRate * readyPods(obs))
}

// minPods is the smallest count of one decision: rate 2 with 5 Ready pods gives
// floor(2.5) = 2. An unreachable revision may go to 0 at once.
func minPods(spec Spec, obs Observation) float64 {
	if !spec.Reachable {
		return 0
	}
	return math.Floor(readyPods(obs) / spec.MaxScaleDownRate)
}

// coming reports whether a starting pod is expected to become Ready. A pod that has
// been starting for longer than StartupDeadline is broken or has no node.
func coming(spec Spec, p Pod) bool {
	return p.Phase == Starting && p.Age < spec.StartupDeadline
}

// anyComing reports whether a pod is starting that is expected to become Ready.
func anyComing(spec Spec, obs Observation) bool {
	for _, p := range obs.Pods {
		if coming(spec, p) {
			return true
		}
	}
	return false
}

// waitsForPods reports whether a pod has not become Ready yet.
func waitsForPods(obs Observation) bool {
	for _, p := range obs.Pods {
		if p.Phase == Starting {
			return true
		}
	}
	return obs.Ready == 0 && obs.Replicas > 0
}

// unschedulablePods is the number of pods for which no node was found.
func unschedulablePods(obs Observation) (n int32) {
	for _, p := range obs.Pods {
		if p.Phase == Starting && p.Unschedulable {
			n++
		}
	}
	return n
}

// mostlyUnknown reports whether the counters of more than half of the Ready pods are unknown.
func mostlyUnknown(obs Observation) bool {
	known := int32(0)
	for _, p := range obs.Pods {
		if p.Phase == Ready && p.Totals.Known {
			known++
		}
	}
	return known*2 < obs.Ready
}
