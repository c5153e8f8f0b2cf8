package slo

import "math"

// seqs learns how many requests an engine runs at once. vLLM does not tell its
// --max-num-seqs: it is the most that any pod was seen to run, when pods stay at
// that with a queue although nothing else holds it back.
type seqs struct {
	// Most is the most requests that a pod was seen to run; Full is the bins in a
	// row in which one stayed at that with a queue.
	Most float64 `json:"most,omitempty"`
	Full int     `json:"full,omitempty"`
}

// full reports whether a pod ran as many requests as before, and let others
// wait both times, with kv percent of its cache in use.
func (m mark) full(before mark, kv Reading) bool {
	running := m[markRunning]
	room := min(roomyKV, fullCache*running/(running+1))
	return running >= 1 && running == before[markRunning] && m[markWaiting] >= 1 && before[markWaiting] >= 1 && float64(kv) < room
}

// learn takes the samples of a bin.
func (s *seqs) learn(samples []looked) {
	most := 0.0
	for _, d := range samples {
		if d.running <= MaxRequests {
			most = max(most, math.Floor(d.running))
		}
	}
	if most > s.Most {
		*s = seqs{Most: most}
	}
	full := false
	for _, d := range samples {
		// A prompt is counted when it has been computed: without one, the steps may be full of it.
		tight := d.steps > 0 && d.firsts > 0 && d.prompt >= 0 && max(d.prompt-d.cached, 0) < roomyStep*d.steps
		full = full || d.full && tight && d.running == s.Most
	}
	switch {
	case full:
		s.Full = min(s.Full+1, surelyFull)
	case s.Full < surelyFull:
		s.Full = 0
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
	return s.Most >= 0 && s.Most <= MaxRequests && s.Full >= 0 && (s.Full == 0 || s.Most >= 1)
}
