package drain

import (
	"cmp"
	"math"
	"slices"
)

// Next returns what is to be written now. Pods in any order give the same plan.
func Next(in Input) Plan {
	pods := slices.Clone(in.Pods)
	slices.SortFunc(pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	plan := Plan{Replicas: in.Replicas}
	if in.Want < 0 {
		plan.openUnset(pods)
		plan.Draining = closed(pods)
		return plan
	}
	staying, leaving := split(pods, in.Replicas)
	switch {
	case rolled(staying):
		plan.retain(staying)
		plan.Replicas = max(in.Replicas, in.Want)
		return plan
	case len(staying) > int(in.Replicas): // Kubernetes is about to delete some
		plan.openUnset(staying)
		plan.Draining, plan.Replicas, plan.Again = closed(staying), max(in.Replicas, in.Want), LookAgain
		return plan
	}
	kept, victims := choose(staying, min(int(in.Want), len(staying)))
	plan.retain(kept)
	released := plan.giveUp(in, append(victims, leaving...))
	plan.Draining = len(victims)
	plan.Replicas = in.replicas(len(pods), deletable(pods, released))
	if len(victims) > 0 {
		plan.Again = LookAgain
	}
	return plan
}

// GivenUp is the number of pods that spec.replicas still counts and that are given up. A
// decision is made with that many replicas fewer.
func GivenUp(pods []Pod, replicas int32) int32 {
	staying, _ := split(pods, replicas)
	return int32(closed(staying))
}

// split takes away the released pods that Kubernetes is about to delete, because
// spec.replicas was lowered for them already.
func split(pods []Pod, replicas int32) (staying, leaving []Pod) {
	excess := len(pods) - int(replicas)
	for _, p := range pods {
		if excess > 0 && p.Cost == ReleaseCost && p.Gate != Open && p.Gate != Unset {
			leaving = append(leaving, p)
			excess--
			continue
		}
		staying = append(staying, p)
	}
	return staying, leaving
}

// rolled reports whether the pods come from several templates: the Deployment itself is
// being rolled out, as an upgrade of Knative does. It is unknown then which pods Kubernetes
// deletes, so no pod is given up, and draining pods serve again.
func rolled(pods []Pod) bool {
	return slices.ContainsFunc(pods, func(p Pod) bool { return p.Template != pods[0].Template })
}

// closed is the number of pods whose gate is closed.
func closed(pods []Pod) (n int) {
	for _, p := range pods {
		if p.Gate == Closed {
			n++
		}
	}
	return n
}

// openUnset opens the gates of pods whose condition was not written yet.
func (p *Plan) openUnset(pods []Pod) {
	for _, pod := range pods {
		if pod.Gate == Unset {
			p.Open = append(p.Open, pod.Name)
		}
	}
}

// retain opens the gates of the pods that stay.
func (p *Plan) retain(pods []Pod) {
	for _, pod := range pods {
		if pod.Cost == ReleaseCost {
			p.Keep = append(p.Keep, pod.Name)
		}
		if pod.Gate == Unset || pod.Gate == Closed {
			p.Open = append(p.Open, pod.Name)
		}
		if pod.Gate == Closed {
			p.Rescued++
		}
	}
}

// giveUp closes the gates of the victims. It returns those that may be deleted and already
// have ReleaseCost.
func (p *Plan) giveUp(in Input, victims []Pod) map[string]bool {
	released := map[string]bool{}
	for _, v := range victims {
		if v.Gate == Unset || v.Gate == Open {
			p.Close = append(p.Close, v.Name)
			continue
		}
		ended, timedOut := in.ended(v)
		switch {
		case !ended:
		case v.Cost == ReleaseCost:
			released[v.Name] = true
		default:
			p.Release = append(p.Release, v.Name)
			if timedOut {
				p.TimedOut = append(p.TimedOut, v.Name)
			}
		}
	}
	return released
}

// ended reports whether a pod that is given up may be deleted.
func (in Input) ended(p Pod) (ended, timedOut bool) {
	if p.Gate == None {
		return true, false
	}
	drained := in.Now.Sub(p.ClosedAt)
	switch {
	case p.Ready: // the kubelet has not taken the pod out of routing yet
	case (p.Pending || p.Unborn) && drained >= UnbornTime:
		return true, false
	case p.Quiet >= QuietTime:
		return true, false
	}
	late := drained >= in.Timeout
	return late, late
}

// replicas is the lowest spec.replicas, at least Want, at which Kubernetes deletes no pods
// but the first n of its order.
func (in Input) replicas(pods, n int) int32 {
	lowest := min(int64(in.Replicas), int64(pods-n))
	return int32(min(max(int64(in.Want), lowest), math.MaxInt32))
}

// deletable is the number of released pods that a ReplicaSet would delete, in its own
// order, before the first pod that is not released. Among equal pods its choice is unknown,
// so the released ones come last.
func deletable(pods []Pod, released map[string]bool) int {
	order := slices.Clone(pods)
	slices.SortFunc(order, func(a, b Pod) int {
		return cmp.Or(byKubernetes(a, b), cmp.Compare(number(released[a.Name]), number(released[b.Name])))
	})
	for i, p := range order {
		if !released[p.Name] {
			return i
		}
	}
	return len(order)
}

// byKubernetes orders pods as k8s.io/kubernetes pkg/controller ActivePodsWithRanks v1.35
// does, by what this package knows: the first is deleted first.
func byKubernetes(a, b Pod) int {
	return cmp.Or(
		cmp.Compare(number(a.Assigned), number(b.Assigned)),
		cmp.Compare(number(!a.Pending), number(!b.Pending)),
		cmp.Compare(number(a.Ready), number(b.Ready)),
		cmp.Compare(a.Cost, b.Cost),
	)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
