package policy

import (
	"flag"
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// The defaults of kube-controller-manager and of autoscaling/v2.
const (
	hpaSync      = 15 * time.Second
	hpaTolerance = 0.1
)

// hpaBehavior is the part of an HPA that shapes its answer: spec.behavior.
type hpaBehavior struct {
	upWindow, downWindow time.Duration
	// upPods and upPercent bound the growth of a sync, the larger of both; downPods
	// and downPercent its shrinking. A percentage of 0 is none.
	upPods, upPercent, downPods, downPercent int32
}

// hpaDefaults are those of autoscaling/v2: up 4 pods or 100 % a period of 15 s
// and at once, down 100 % after 300 s.
func hpaDefaults() hpaBehavior {
	return hpaBehavior{downWindow: 300 * time.Second, upPods: 4, upPercent: 100, downPercent: 100}
}

type hpaSettings struct {
	metric            string
	target, tolerance float64
	behavior          hpaBehavior
}

func defineHPA(options *flag.FlagSet) simulator.NewPolicy {
	s := hpaSettings{metric: string(decider.KVCache), target: 70, tolerance: hpaTolerance, behavior: hpaDefaults()}
	options.Var(choice{&s.metric, allMetrics()}, "metric", "what is scaled on")
	options.Var(number{&s.target, 1e-6, decider.MaxTarget}, "target", "the metric's value of one replica (target type AverageValue)")
	options.Var(number{&s.tolerance, 0, 0.99}, "tolerance", "relative distance from the target within which nothing changes")
	options.Var(span{&s.behavior.downWindow, 0, time.Hour}, "down-window", "scaleDown.stabilizationWindowSeconds")
	options.Var(span{&s.behavior.upWindow, 0, time.Hour}, "up-window", "scaleUp.stabilizationWindowSeconds")
	options.Var(count{&s.behavior.upPods, 0, maxReplicas}, "up-pods", "pods that a sync may add")
	options.Var(count{&s.behavior.upPercent, 0, 10000}, "up-percent", "percent that a sync may add; the larger of both counts")
	return func(simulator.Config) (simulator.Policy, error) {
		return atLeastOne(&hpa{settings: s, stabilizer: stabilizer{behavior: s.behavior}}), nil
	}
}

// hpa is the HorizontalPodAutoscaler of Kubernetes 1.34 (replica_calculator.go
// and horizontal.go of k8s.io/kubernetes/pkg/controller/podautoscaler): an
// engine metric is one of type Pods, concurrency and rps are of type Object,
// both with AverageValue.
//
// Its minReplicas is at least 1: below that only the alpha gate HPAScaleToZero goes.
//
// Simplified: rates have the period of a sync, 15 s, so no event of a sync
// before counts; a pod that starts has a container without metrics (missing),
// one that cannot be scheduled is Pending (unready).
type hpa struct {
	settings   hpaSettings
	stabilizer stabilizer
}

// Period is --horizontal-pod-autoscaler-sync-period.
func (h *hpa) Period() time.Duration { return hpaSync }

// Want computes the replicas, and keeps those there are while no metric is known.
func (h *hpa) Want(obs decider.Observation) (simulator.Want, error) {
	desired := h.replicas(obs)
	return simulator.Want{Replicas: h.stabilizer.apply(obs, desired)}, nil
}

func (h *hpa) replicas(obs decider.Observation) int32 {
	if sum, ok := demandSum(obs, h.settings.metric); ok {
		if !sum.Known() {
			return obs.Replicas
		}
		return h.settings.perPod(float64(sum), int32(len(obs.Pods)))
	}
	pods := groupPods(obs, h.settings.metric)
	if len(pods.values) == 0 {
		return obs.Replicas
	}
	return h.ofPods(obs, pods)
}

// perPod is GetObjectPerPodMetricReplicas, and GetExternalPerPodMetricReplicas,
// which is the same: status.replicas unless the mean is off the target.
func (s hpaSettings) perPod(sum float64, there int32) int32 {
	if s.within(sum / (s.target * float64(there))) {
		return there
	}
	return ceil(sum / s.target)
}

// ofPods is calcPlainMetricReplicas.
func (h *hpa) ofPods(obs decider.Observation, pods podGroups) int32 {
	ratio := mean(pods.values) / h.settings.target
	upWithUnready := pods.unready > 0 && ratio > 1
	if !upWithUnready && pods.missing == 0 {
		if h.settings.within(ratio) {
			return obs.Replicas
		}
		return ceil(ratio * float64(len(pods.values)))
	}
	values := pods.values
	for range pods.missing {
		switch {
		case ratio < 1:
			values = append(values, h.settings.target)
		case ratio > 1:
			values = append(values, 0)
		}
	}
	if upWithUnready {
		values = append(values, make([]float64, pods.unready)...)
	}
	filled := mean(values) / h.settings.target
	if h.settings.within(filled) || ratio < 1 && filled > 1 || ratio > 1 && filled < 1 {
		return obs.Replicas
	}
	n := ceil(filled * float64(len(values)))
	if filled < 1 && n > obs.Replicas || filled > 1 && n < obs.Replicas {
		return obs.Replicas
	}
	return n
}

func (s hpaSettings) within(ratio float64) bool { return math.Abs(1-ratio) <= s.tolerance }

// podGroups are the pods in the groups of groupPods.
type podGroups struct {
	values           []float64
	unready, missing int
}

func groupPods(obs decider.Observation, metric string) (g podGroups) {
	for _, p := range obs.Pods {
		v := podValue(p, metric)
		switch {
		case p.Phase == decider.Starting && p.Unschedulable:
			g.unready++
		case p.Phase == decider.Starting || !v.Known():
			g.missing++
		default:
			g.values = append(g.values, float64(v))
		}
	}
	return g
}

// recommendation is what one sync wanted.
type recommendation struct {
	at       time.Time
	replicas int32
}

// stabilizer is normalizeDesiredReplicasWithBehaviors.
type stabilizer struct {
	behavior hpaBehavior
	past     []recommendation
}

// apply holds a change until its window agrees, and limits its rate.
func (s *stabilizer) apply(obs decider.Observation, desired int32) int32 {
	if s.past == nil { // recordInitialRecommendation
		s.past = []recommendation{{obs.Time, obs.Replicas}}
	}
	up, down := desired, desired
	kept := s.past[:0]
	for _, r := range s.past {
		age := obs.Time.Sub(r.at)
		if age < s.behavior.upWindow {
			up = min(up, r.replicas)
		}
		if age < s.behavior.downWindow {
			down = max(down, r.replicas)
		}
		if age < max(s.behavior.upWindow, s.behavior.downWindow) {
			kept = append(kept, r)
		}
	}
	kept = append(kept, recommendation{obs.Time, desired})
	s.past = kept
	now := obs.Replicas
	return s.behavior.limit(now, min(max(now, up), down))
}

// limit bounds the change of one sync.
func (b hpaBehavior) limit(now, want int32) int32 {
	most := max(now+b.upPods, ceil(float64(now)*(1+float64(b.upPercent)/100)), now)
	least := min(now-b.downPods, int32(float64(now)*(1-float64(b.downPercent)/100)), now)
	return min(max(want, least), most)
}

// ceil is the count of a computed number of replicas; one out of range is clamped.
func ceil(x float64) int32 {
	return int32(min(max(math.Ceil(x), 0), maxReplicas))
}
