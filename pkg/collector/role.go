package collector

import "time"

// FollowLeader sets the function that says whether this replica acts for a revision. A
// replica that does not reads its pods less often. Without the function it acts for all.
// It is called once, before Run; leads is called about once a second for each revision,
// without locks held.
func (c *Collector) FollowLeader(leads func(Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = leads
}

// leading reports whether this replica acts for a revision; c.mu is not held.
func (c *Collector) leading(key Key) bool {
	c.mu.Lock()
	leads := c.leads
	c.mu.Unlock()
	return leads == nil || leads(key)
}

// followRoles takes the role for every revision, and reads the pods of one that it leads
// from now on at the leader's rate.
func (c *Collector) followRoles(now time.Time) {
	c.mu.Lock()
	leads := c.leads
	held := map[*revision][]Key{}
	for key, pickers := range c.pickersOf {
		for _, p := range pickers {
			if r := c.revisions[p]; r != nil {
				held[r] = append(held[r], key)
			}
		}
	}
	c.mu.Unlock()
	if leads == nil {
		return
	}
	for _, r := range c.all() {
		leads := leadsAny(leads, r.key, held[r])
		if r.leads.Swap(leads) != leads && leads {
			r.readSoon(now)
		}
	}
}

// leadsAny reports whether this replica acts for one of the revisions whose requests a
// picker holds, or where there are none, for the key itself.
func leadsAny(leads func(Key) bool, key Key, held []Key) bool {
	if len(held) == 0 {
		return leads(key)
	}
	for _, k := range held {
		if leads(k) {
			return true
		}
	}
	return false
}

// readSoon moves the turns of the revision's targets to their places in the present
// interval by size: after a change of leader each is read within one, whatever that
// costs the engine this once.
func (r *revision) readSoon(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pods {
		for _, t := range p.targets {
			if t != nil {
				r.c.scheduler.advance(t, now.Add(t.untilNext(now, t.sizeInterval())))
			}
		}
	}
}
