package engine

import (
	"bytes"
	"math"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// fill writes the folded rows into the Stat.
func (p *Parser) fill(s *Stat) {
	s.reset(p.current.name)
	p.cache = unknownCache()
	var rows [engines.Fields]int
	s.Ranks = 0
	for i := range p.totals {
		r, t := &p.current.rows[i], &p.totals[i]
		if t.n == 0 || rows[r.Field] != 0 && !r.Plus {
			continue
		}
		p.set(s, r, t)
		if r.Field == engines.Running && !r.Plus {
			s.Ranks = t.rankCount()
		}
		if rows[r.Field] == 0 {
			rows[r.Field] = i + 1
		}
	}
	s.Fullest = p.fullest(s.Ranks, &rows)
	p.cache.complete(s)
}

func (p *Parser) set(s *Stat, r *engines.Row, t *total) {
	switch r.Field {
	case engines.TTFT:
		t.hist.copyTo(&s.TTFT)
	case engines.ITL:
		t.hist.copyTo(&s.ITL)
	case engines.E2E:
		t.hist.copyTo(&s.E2E)
	case engines.QueueTime:
		t.hist.copyTo(&s.QueueTime)
	case engines.PrefillTime:
		t.hist.copyTo(&s.PrefillTime)
	case engines.PromptLengths:
		t.hist.copyTo(&s.PromptLengths)
	case engines.Adapters:
		s.setLoRA(t.lists)
	case engines.Awake:
		s.Asleep = t.result(r.Fold) == 0
	default:
		to := p.scalar(s, r.Field)
		switch {
		case r.Kind == engines.Presence:
			*to = 0
		case r.Plus:
			*to += t.result(r.Fold)
		default:
			*to = t.result(r.Fold)
		}
	}
}

// idle turns what is absent because nothing happened yet into zeros. A Python
// client declares a family that has no series yet; a Go client does not even
// declare it, so without anything running or waiting, absent token counters are zero.
func (p *Parser) idle(s *Stat) {
	for i := range p.totals {
		r, t := &p.current.rows[i], &p.totals[i]
		if t.n == 0 && t.declared && !r.Plus && !r.Fixed && r.Field < engines.KVCapacity {
			zero(s.scalar(r.Field))
		}
	}
	counted := !math.IsNaN(s.PromptTokens) || !math.IsNaN(s.GenerationTokens) || !math.IsNaN(s.Finished)
	if s.Running == 0 && s.Waiting == 0 && !counted {
		s.PromptTokens, s.GenerationTokens, s.Finished = 0, 0, 0
	}
}

// scalar is where a field's number goes.
func (p *Parser) scalar(s *Stat, f engines.Field) *float64 {
	switch f {
	case engines.KVUsed:
		return &p.cache.used
	case engines.KVBlocks:
		return &p.cache.blocks
	case engines.KVBlockSize:
		return &p.cache.blockSize
	default:
		return s.scalar(f)
	}
}

// cacheParts are what the KV cache's share and size are made of where a page
// does not report them.
type cacheParts struct{ used, blocks, blockSize float64 }

func unknownCache() cacheParts { return cacheParts{math.NaN(), math.NaN(), math.NaN()} }

// complete fills what the page left out; without all parts it stays unknown.
func (c cacheParts) complete(s *Stat) {
	if math.IsNaN(s.KVCapacity) {
		s.KVCapacity = c.blocks * c.blockSize
	}
	if !math.IsNaN(s.KVUsage) {
		return
	}
	all := c.blocks
	if math.IsNaN(all) {
		all = s.KVCapacity
	}
	if all > 0 {
		s.KVUsage = c.used / all
	}
}

func zero(v *float64) {
	if math.IsNaN(*v) {
		*v = 0
	}
}

func (s *Stat) scalar(f engines.Field) *float64 {
	switch f {
	case engines.Running:
		return &s.Running
	case engines.Waiting:
		return &s.Waiting
	case engines.WaitingNegative:
		return &s.WaitingNegative
	case engines.Deferred:
		return &s.Deferred
	case engines.KVUsage:
		return &s.KVUsage
	case engines.KVCapacity:
		return &s.KVCapacity
	case engines.PromptTokens:
		return &s.PromptTokens
	case engines.GenerationTokens:
		return &s.GenerationTokens
	case engines.Steps:
		return &s.Steps
	case engines.Preemptions:
		return &s.Preemptions
	case engines.Finished:
		return &s.Finished
	case engines.PrefixQueries:
		return &s.PrefixQueries
	case engines.PrefixHits:
		return &s.PrefixHits
	default:
		return &s.Created
	}
}

// reset makes everything unknown and keeps the slices for reuse.
func (s *Stat) reset(name string) {
	old := *s
	*s = NewStat(name)
	s.TTFT.reuseBuffers(old.TTFT)
	s.ITL.reuseBuffers(old.ITL)
	s.E2E.reuseBuffers(old.E2E)
	s.QueueTime.reuseBuffers(old.QueueTime)
	s.PrefillTime.reuseBuffers(old.PrefillTime)
	s.PromptLengths.reuseBuffers(old.PromptLengths)
	s.LoRA = old.LoRA[:0]
}

func (h *Histogram) reuseBuffers(old Histogram) {
	h.Bounds, h.Counts = old.Bounds[:0], old.Counts[:0]
}

// maxAdapters is the number of LoRA adapters read from one page; further ones are
// left out. vLLM runs at most its --max-loras at once, a few dozen.
const maxAdapters = 256

// setLoRA splits comma-separated lists. A name that stood at the same place on
// the last page is kept rather than allocated again.
func (s *Stat) setLoRA(lists [2][]byte) {
	old := s.LoRA[:cap(s.LoRA)]
	s.LoRA = s.LoRA[:0]
	for _, list := range lists {
		for len(list) > 0 && len(s.LoRA) < maxAdapters {
			var name []byte
			name, list, _ = bytes.Cut(list, []byte{','})
			name = bytes.TrimSpace(name)
			if len(name) > 0 && !slices.ContainsFunc(s.LoRA, func(l string) bool { return l == string(name) }) {
				s.LoRA = append(s.LoRA, intern(old, len(s.LoRA), name))
			}
		}
	}
}

func intern(old []string, i int, name []byte) string {
	if i < len(old) && old[i] == string(name) {
		return old[i]
	}
	return string(name)
}
