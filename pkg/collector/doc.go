// Package collector reads every Ready pod of every watched revision, twice:
// Knative's own Stat from the queue-proxy, which reports concurrency and
// request rate once a second, and the metrics page of the inference engine
// itself. It never asks through the queue-proxy's serving port: that would
// count as traffic and keep a draining pod alive.
//
//	target (one goroutine: offset, grid, timeout)
//	   -> fetch (bytes) -> decode (Stat) -> revision (pods, windows)
//	   -> Observe / Snapshot, and Notify when the picture changed
//
// What could not be measured, or is stale, is unknown and never zero.
package collector
