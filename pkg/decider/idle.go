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
