package collector

import (
	"fmt"
	"runtime/debug"
)

// contained calls f: where the data of one revision make it panic, the other revisions go on, and
// that revision's values of this second are lost.
func (c *Collector) contained(r *revision, f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.metrics.panics.Inc()
			c.o.Log.Error("recovered from a panic", "revision", r.key, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	f()
}
