package slo

import "math"

// needNow is the replicas that the plan and what waits now ask for; NaN when
// neither arrivals nor requests in flight are known. With unlearned a plan says too
// little: requests in flight may ask for more.
func needNow(o Objective, plan Parts, in Input, unlearned bool) (need float64, partial bool) {
	need = float64(plan.Need)
	if !plan.Need.Known() {
		// Requests in flight hold the queue too, so this is no more than a doubling.
		return min(inFlight(in)/float64(plan.ConcurrencyTarget), maxBlindGrowth*float64(max(in.Ready, 1))), true
	}
	if o.Has(FeatureBacklog) {
		need += backlogReplicas(plan.ratePerReplica(), in)
	}
	if unlearned {
		if replicas := inFlightReplicas(plan, in); replicas > need {
			need = replicas
		}
	}
	return min(need, math.MaxInt32), false
}

// inFlightReplicas is the replicas for what is in flight, NaN when that is unknown. What
// waits in the engines' queues is in flight, too, but needs no place of its own, and what waits
// for something else than capacity needs none at all; and where
// most engines let as many wait as they run, those that run are all that one can run.
func inFlightReplicas(plan Parts, in Input) float64 {
	all, target := inFlight(in), float64(plan.ConcurrencyTarget)
	var saturatedPods int32
	var running, queued, saturatedRunning float64
	for _, p := range in.Pods {
		if p.Deferred.Known() {
			all = max(all-float64(p.Deferred), 0)
		}
		r, w := p.Running, p.Waiting
		if !r.Known() || !w.Known() {
			continue
		}
		running += float64(r)
		queued += float64(w)
		if r > 0 && w >= r {
			saturatedPods++
			saturatedRunning += float64(r)
		}
	}
	if saturatedPods*2 > in.Ready {
		target = min(target, saturatedRunning/float64(saturatedPods)*float64(plan.TargetLoad))
	}
	return max(all-queued, min(all, running)) / target
}

// backlogReplicas is the replicas that what waits now keeps busy for the time of
// drain. Requests in an engine's queue cannot move, so a pod counts as one at
// most, however long its queue; those outside of the engines need any pod.
func backlogReplicas(ratePerReplica float64, in Input) (replicas float64) {
	perReplica := drain.Seconds() * ratePerReplica
	for _, p := range in.Pods {
		if w := p.Waiting; w.Known() {
			replicas += min(float64(w)/perReplica, 1)
		}
	}
	if q := in.Queued; q.Known() {
		replicas += float64(q) / perReplica
	}
	return replicas
}

// waiting is the requests that wait in the Ready pods' queues and outside of
// them, where they are known.
func waiting(in Input) (sum Reading) {
	for _, p := range in.Pods {
		if p.Waiting.Known() {
			sum += p.Waiting
		}
	}
	if in.Queued.Known() {
		sum += in.Queued
	}
	return sum
}

// inFlight is the mean requests in flight, NaN when that is unknown.
func inFlight(in Input) float64 { return float64(in.InFlight) }
