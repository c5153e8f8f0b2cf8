// Package rollup makes of what the collector knows of pods what the metrics API serves of
// pods, revisions, Services and InferencePools: sums, means over pods, and the worst
// percentile. It reads caches and memory only, writes nothing, and decides nothing.
package rollup
