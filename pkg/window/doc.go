// Package window keeps short histories of a number: Mean averages it over a
// window of time, Max remembers its largest recent value.
//
// Both are Knative's own windows without a clock, a lock or a logger: the
// caller passes the time, so a simulator walks through hours in microseconds
// and the decision core stays a pure function. Tests compare them, step by
// step, with knative.dev/serving/pkg/autoscaler/aggregation.
//
// Times are cut into buckets of whole seconds. Nothing here is safe for
// concurrent use. Both types write themselves as JSON.
package window

import "time"

// wholeSeconds is the bucket width really used: at least one second, no
// fraction, because buckets are numbered by Unix seconds.
func wholeSeconds(granularity time.Duration) time.Duration {
	return max(granularity.Truncate(time.Second), time.Second)
}

// bucketCount is the number of buckets that cover a window, rounded up: 5 s in
// buckets of 2 s needs 3.
func bucketCount(window, granularity time.Duration) int {
	n := window / granularity
	if window%granularity > 0 {
		n++
	}
	return max(int(n), 1)
}

// bucketIndex numbers the bucket of t, counted from the Unix epoch.
func bucketIndex(t time.Time, granularity time.Duration) int64 {
	return t.Unix() / int64(granularity/time.Second)
}
