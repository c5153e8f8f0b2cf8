package collector

import "time"

// pod is one pod with the readings of its two targets.
type pod struct {
	Pod
	targets [sources]*target
	// since is when the pod was first seen Ready; zero while it is not.
	since time.Time
	// seen is when the pod was first seen, and age how old it was then.
	seen time.Time
	age  time.Duration
	// unborn says that it was never Ready.
	unborn bool
	// left is when a draining pod was first seen not Ready; zero before.
	left time.Time

	requests requestSample
	// named is true when the last good report of the queue-proxy had the pod's name.
	named bool
	// engine is the last sample, before the part of the one before it that is read.
	engine engineSample
	before earlierSample
	// promptBefore and generationBefore are the tokens per second as of before.
	promptBefore, generationBefore float64
	rates                          rates
	latencies                      latencies
}

// noteReady keeps since when the pod has been Ready, or has been out of routing.
func (p *pod) noteReady(now time.Time) {
	switch {
	case !p.Draining || p.Ready:
		p.left = time.Time{}
	case p.left.IsZero():
		p.left = now
	}
	switch {
	case !p.Ready:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since, p.unborn = now, false
	}
}

// seenBegin is the age up to which a pod that is seen for the first time cannot
// have been Ready before.
const seenBegin = 5 * time.Second

// isNew reports whether a Ready pod has not had the time to be read yet. It had
// no requests before, so it does not stand for the mean of the others: counting
// it so would lift the sum for a moment with every pod that comes.
func (p *pod) isNew(now time.Time) bool {
	t := p.targets[queueProxy]
	return t != nil && t.good.IsZero() && now.Sub(p.since) <= t.patience()
}

// read reports whether the pod is to be read: it may hold requests.
func (p *pod) read() bool { return p.IP != "" && (p.Ready || p.Draining && !p.unborn) }

// serves reports whether the pod gets new requests.
func (p *pod) serves() bool { return p.Ready && !p.Draining }

// drop ends a target and forgets what it read.
func (p *pod) drop(s source) {
	if t := p.targets[s]; t != nil {
		t.rev.c.scheduler.drop(t)
	}
	p.targets[s] = nil
	if s != queueProxy {
		p.forgetEngine()
	}
}

func (p *pod) dropAll() {
	for s := range sources {
		p.drop(s)
	}
}

func (p *pod) forgetEngine() {
	p.engine, p.before = engineSample{}, earlierSample{}
	p.rates.reset()
	p.latencies.reset()
}

// isOfAnotherPod reports whether the pod's queue-proxy last reported as another pod.
func (p *pod) isOfAnotherPod() bool {
	t := p.targets[queueProxy]
	return t != nil && t.trouble != nil && t.trouble.cause == causeWrongPod
}
