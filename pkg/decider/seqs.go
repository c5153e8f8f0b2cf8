package decider

// How an engine that runs as many requests as its --max-num-seqs allows is told
// from one that is short of something else.
const (
	// roomyKV is the percent of the KV cache in use below which it does not hold requests back.
	roomyKV = 85
	// roomyStep is the prompt tokens of a mean step below which the token budget,
	// vLLM's least is 2,048, does not hold them back.
	roomyStep = 1000
	// surelyFull is the samples after which the limit is believed.
	surelyFull = 3
)

// seqs learns how many requests an engine runs at once. vLLM does not tell its
// --max-num-seqs: it is the most that any pod was seen to run, when pods stay at
// that with a queue although nothing else holds it back.
type seqs struct {
	// Most is the most requests that a pod was seen to run; Full is the samples in
	// which one stayed at that with a queue.
	Most float64 `json:"most,omitempty"`
	Full int     `json:"full,omitempty"`
}

// full reports whether a pod ran as many requests as before, and let others
// wait both times.
func (m mark) full(before mark) bool {
	return m[markRunning] > 0 && m[markRunning] == before[markRunning] && m[markWaiting] >= 1 && before[markWaiting] >= 1
}

// learn takes a pod's sample.
func (s *seqs) learn(d sample) {
	if d.running > maxRequests {
		return
	}
	if d.running > s.Most {
		*s = seqs{Most: d.running}
	}
	tight := d.steps > 0 && d.prompt >= 0 && max(d.prompt-d.cached, 0) < roomyStep*d.steps
	if d.full && tight && d.running == s.Most {
		s.Full = min(s.Full+1, surelyFull)
	}
}

// limit is the requests that a replica runs at once, of which most are assumed.
func (s seqs) limit(most int) int {
	if s.Full >= surelyFull {
		return min(most, int(s.Most))
	}
	return most
}

func (s seqs) sound() bool {
	return s.Most >= 0 && s.Most <= maxRequests && s.Full >= 0
}
