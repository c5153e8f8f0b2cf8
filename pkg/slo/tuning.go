package slo

import "time"

// What is believed of a reading, at most. Above it the metrics endpoint is wrong.
const (
	// MaxTotal is the largest believable counter.
	MaxTotal = 1e15
	// MaxRequests is the most believable requests in one engine.
	MaxRequests = 100_000
	// MaxDemand is the most believable requests, or requests per second, of a revision.
	MaxDemand = 1e9
)

// The times of the policy.
const (
	// minHistory is the least history, and otherwise a startup time, before the count may fall.
	minHistory = time.Minute
	// drain is the time within which what waits should have begun.
	drain = time.Minute
	// outage is a silence after which a memory is no longer trusted to lower.
	outage = 2 * time.Minute
)
