// Package collector reads every pod that is Ready or drains of every watched revision, twice:
// Knative's own Stat from the queue-proxy, which reports concurrency and
// request rate once a second, and the metrics page of the inference engine
// itself. It never asks through the queue-proxy's serving port: that would
// count as traffic and keep a draining pod alive.
//
//	target (due) -> scheduler (lanes, fair between namespaces) -> worker
//	   -> fetch (bytes) -> decode (Stat) -> revision (pods, windows)
//	   -> Observe / Snapshot, and Notify when the picture changed
//
// All times inside are those of the collector's clock, which is monotonic: setting
// the wall clock changes no window and makes no stale value known.
//
// Locks are taken in this order:
//
//	Collector.mu -> revision.mu of a Revision or Pool -> revision.mu of a Picker
//	revision.mu of any -> activators.mu, or scheduler.mu -> httpget's of one connection
//
// Whoever holds a revision.mu takes no Collector.mu. Two revision.mu are held together
// only where a revision's ledger reads its pickers: SetHeld makes sure that pickers have
// no pickers. Functions from outside (those of Notify and FollowLeader) are called without
// a lock; the log and the metrics, which have leaf locks, under any.
//
// What could not be measured, or is stale, is unknown and never zero.
package collector
