package collector

import "time"

// timeLimit is how long one target may take to answer. An engine renders its page on the
// loop that works on requests, so a slow page is a sign of load: a page that is cut off
// is asked for again with more time, up to Options.MaxTimeout.
type timeLimit struct {
	// current is that of the next scrape; below Options.Timeout it is Options.Timeout.
	current time.Duration
	// slowest is the time of the slowest response lately.
	slowest time.Duration
	// tired is until when a target that did not answer in the longest time gets the shortest.
	tired time.Time
}

const (
	// moreTime is the factor between a limit that was too short, or the slowest response,
	// and the next limit.
	moreTime = 3
	// tiredFor is how long a target that hangs is not given the longest time again: it
	// takes a place from others of its namespace for as long.
	tiredFor = time.Minute
)

// next is the limit of the next scrape.
func (l *timeLimit) next(o *Options) time.Duration { return max(l.current, o.Timeout) }

// answered takes the time of a response; slow ones are forgotten by an eighth at a time.
func (l *timeLimit) answered(o *Options, took time.Duration) {
	l.slowest = max(took, l.slowest-l.slowest/8)
	l.current, l.tired = min(moreTime*l.slowest, o.MaxTimeout), time.Time{}
}

// cutOff takes a scrape that was given too little time.
func (l *timeLimit) cutOff(o *Options, at time.Time) {
	switch {
	case at.Before(l.tired):
	case l.next(o) >= o.MaxTimeout:
		*l = timeLimit{tired: at.Add(tiredFor)}
	default:
		l.current = min(moreTime*l.next(o), o.MaxTimeout)
	}
}

// grace is how much longer than its intervals a target may go without a good sample: the
// time of one scrape, no longer than responses have shown to be needed.
func (l *timeLimit) grace(o *Options) time.Duration {
	return max(o.Timeout, min(l.current, max(moreTime*o.Timeout, 2*l.slowest)))
}
