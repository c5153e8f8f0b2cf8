package policy

import (
	"flag"
	"math"
	"slices"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// apaPeriod is AIBrix's requeue interval of a PodAutoscaler.
const apaPeriod = 10 * time.Second

type apaSettings struct {
	metric                       string
	target                       float64
	window, upWindow, downWindow time.Duration
	upTolerance, downTolerance   float64
	upRate, downRate             float64
	pendingGuard                 bool
}

func defineAPA(options *flag.FlagSet) simulator.NewPolicy {
	s := apaSettings{
		metric: string(decider.KVCache), target: 50, window: 180 * time.Second, downWindow: 300 * time.Second,
		upTolerance: 0.1, downTolerance: 0.1, upRate: 2, downRate: 2, pendingGuard: true,
	}
	options.Var(choice{&s.metric, engineMetrics()}, "metric", "what is scaled on, averaged over the pods")
	options.Var(number{&s.target, 1e-6, decider.MaxTarget}, "target", "the metric's value of one replica")
	options.Var(span{&s.window, time.Second, time.Hour}, "window", "averaging window")
	options.Var(number{&s.upTolerance, 0, 10}, "up-tolerance", "relative excess below which nothing is added")
	options.Var(number{&s.downTolerance, 0, 0.99}, "down-tolerance", "relative shortfall below which nothing is removed")
	options.Var(number{&s.upRate, 1, 1e4}, "max-scale-up-rate", "largest growth of one decision")
	options.Var(number{&s.downRate, 1, 1e4}, "max-scale-down-rate", "largest shrinking of one decision")
	options.Var(span{&s.upWindow, 0, time.Hour}, "up-window", "cooldown window up")
	options.Var(span{&s.downWindow, 0, time.Hour}, "down-window", "cooldown window down")
	options.BoolVar(&s.pendingGuard, "pending-guard", s.pendingGuard, "starting pods count as idle on the way up and at the target on the way down; false is as before August 2026")
	return func(simulator.Config) (simulator.Policy, error) {
		return atLeastOne(&apa{settings: s}), nil
	}
}

// apa is AIBrix's APA: computeTargetReplicas of
// pkg/controller/podautoscaler/algorithm/apa.go with stabilizeRecommendation
// and applyPendingReplicaGuard around it, of vllm-project/aibrix at 015a2e5f
// (August 2026), on the mean of the metric over the Ready pods.
//
// As there, the current replicas include starting pods, the cooldown window
// down takes the least recommendation and not the largest, and the scale is
// left alone while no pod answers. So it keeps one replica: nothing of it sees a request
// that waits for a fleet of none. Simplified: a pod whose page cannot be read
// is left out, where AIBrix at e3e10f9e counted it as 0; and nothing changes
// until the averaging window is full, for the empty engines that a run begins
// with are not the load.
type apa struct {
	settings apaSettings
	load     history
	began    time.Time
	past     []recommendation
}

// Period is the requeue interval.
func (a *apa) Period() time.Duration { return apaPeriod }

// Want compares the averaged metric with its target.
func (a *apa) Want(obs decider.Observation) (simulator.Want, error) {
	values := podValues(obs, a.settings.metric)
	if len(values) == 0 || obs.Replicas == 0 {
		return simulator.Want{Replicas: obs.Replicas}, nil
	}
	a.load.add(sample{obs.Time, mean(values)}, a.settings.window)
	if a.began.IsZero() {
		a.began = obs.Time
	}
	if obs.Time.Sub(a.began) < a.settings.window {
		return simulator.Want{Replicas: obs.Replicas}, nil
	}
	value := a.load.mean()
	desired := a.settings.recommend(obs.Replicas, value)
	if a.settings.pendingGuard {
		desired = a.settings.guard(obs, value, desired)
	}
	return simulator.Want{Replicas: a.cool(obs, desired)}, nil
}

// recommend is computeTargetReplicas.
func (s apaSettings) recommend(now int32, value float64) int32 {
	ratio, n := value/s.target, float64(now)
	switch {
	case ratio > 1+s.upTolerance:
		return ceil(min(n*ratio, math.Ceil(n*s.upRate)))
	case ratio < 1-s.downTolerance:
		return ceil(max(n*ratio, math.Floor(n/s.downRate)))
	}
	return now
}

// guard is applyPendingReplicaGuard of a metric of pods: those that start
// count as idle on the way up and as being at the target on the way down.
func (s apaSettings) guard(obs decider.Observation, value float64, desired int32) int32 {
	now, ready := obs.Replicas, min(obs.Ready, obs.Replicas)
	if desired == now || ready >= now {
		return desired
	}
	used := value * float64(ready)
	if desired > now {
		return min(max(ceil(used/s.target), now), desired)
	}
	used += s.target * float64(now-ready)
	return max(min(ceil(used/s.target), now), desired)
}

// cool is stabilizeRecommendation.
func (a *apa) cool(obs decider.Observation, desired int32) int32 {
	longest := max(a.settings.upWindow, a.settings.downWindow)
	a.past = slices.DeleteFunc(a.past, func(r recommendation) bool { return obs.Time.Sub(r.at) >= longest })
	a.past = append(a.past, recommendation{obs.Time, desired})
	answer := desired
	for _, r := range a.past {
		age := obs.Time.Sub(r.at)
		switch {
		case desired > obs.Replicas && age < a.settings.upWindow:
			answer = max(answer, r.replicas)
		case desired < obs.Replicas && age < a.settings.downWindow:
			answer = min(answer, r.replicas)
		}
	}
	return answer
}
