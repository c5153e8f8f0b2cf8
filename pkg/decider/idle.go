package decider

import "time"

// observeWork updates EngineSeen and IdleSince.
func (st State) observeWork(obs Observation) State {
	for _, p := range obs.Pods {
		st.EngineSeen = st.EngineSeen || believableRequests(p.Running).Known() || believableRequests(p.Waiting).Known()
	}
	switch {
	case !idle(obs, st.EngineSeen):
		st.IdleSince = time.Time{}
	case st.IdleSince.IsZero():
		st.IdleSince = obs.Time
	}
	return st
}

// idleFor reports whether nothing was in flight for at least d.
func (st State) idleFor(d time.Duration, now time.Time) bool {
	return !st.IdleSince.IsZero() && now.Sub(st.IdleSince) >= d
}

// idle reports whether it is known that no request is in flight. Unknown is not
// idle: a pod whose metrics endpoint cannot be read may be streaming an answer. Only
// for a revision whose engines never reported anything the queue-proxies decide alone.
func idle(obs Observation, engineSeen bool) bool {
	if load := newest(obs.Concurrency); load > 0 || !engineSeen && !load.Known() {
		return false
	}
	return !engineSeen || enginesIdle(obs)
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
