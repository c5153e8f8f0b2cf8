package decider

import "math"

// queued is the requests that wait in front of the engines.
func queued(obs Observation) Reading {
	if !believable(obs.Queued, maxQueued) {
		return Unknown()
	}
	return max(obs.Queued, 0)
}

// waitingOrQueued is the known requests in the engines' queues and in front of them;
// unknown numbers count as 0.
func waitingOrQueued(obs Observation) (sum Reading) {
	for _, p := range obs.Pods {
		if w := believableRequests(p.Waiting); p.Phase == Ready && w.Known() {
			sum += w
		}
	}
	if q := queued(obs); q.Known() {
		sum += q
	}
	return sum
}

// requestsSeenOutside is the requests that the queue-proxies see in flight, and those
// that are queued in an endpoint picker or the activator; known is false if the
// queue-proxies report nothing.
func requestsSeenOutside(obs Observation) (requests float64, known bool) {
	for _, r := range [...]Reading{obs.Concurrency.Stable, obs.Concurrency.Panic} {
		if believable(r, maxDemand) {
			requests, known = max(requests, float64(r)), true
		}
	}
	if q := queued(obs); q.Known() {
		requests += float64(q)
	}
	return requests, known
}

// minOneIfBusy is 1 while a request is known to be in flight, else 0.
func minOneIfBusy(obs Observation) int32 {
	if waitingOrQueued(obs) > 0 || newest(obs.Concurrency) > 0 {
		return 1
	}
	for _, p := range obs.Pods {
		if p.Phase == Ready && believableRequests(p.Running) > 0 {
			return 1
		}
	}
	return 0
}

// newest is the average over the panic window, or else over the stable one.
func newest(w Windowed) Reading {
	for _, r := range [...]Reading{w.Panic, w.Stable} {
		if believable(r, maxDemand) {
			return r
		}
	}
	return Unknown()
}

// enginesIdle reports whether every Ready pod is known to have no request.
func enginesIdle(obs Observation) bool {
	ready := int32(0)
	for _, p := range obs.Pods {
		if p.Phase != Ready {
			continue
		}
		ready++
		if believableRequests(p.Running) != 0 || believableRequests(p.Waiting) != 0 {
			return false
		}
	}
	return ready >= obs.Ready // fewer: a Ready pod was not observed yet
}

// inFlight is a mean of requests in flight, NaN if unknown or not believable.
// Averages may round to slightly below 0; these are 0.
func inFlight(r Reading) float64 {
	if !believable(r, maxDemand) {
		return math.NaN()
	}
	return max(float64(r), 0)
}
