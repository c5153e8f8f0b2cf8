package metricsapi

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// maxSharedBytes bounds what is kept of answers, without their questions: 130 lists of 100 pods.
const maxSharedBytes = 4 << 20

// question is a list that is asked for; equal questions have equal answers. Who asks is
// no part of it: whether they may was decided before.
type question struct {
	resource                             schema.GroupResource
	namespace, metric, selector, version string
}

func questionOf(q Query, version string) question {
	return question{q.Resource, q.Namespace, q.Metric, q.Selector.String(), version}
}

// size is what a question counts, more than it takes: 4,000 empty answers fill the room.
func (q question) size() int { return 1024 + len(q.namespace) + len(q.selector) }

// sharedAnswers keeps answers for as long as the values that they are made from are the
// newest, so that many who ask the same cost what one does. The zero value is ready for
// use. It is safe for concurrent use.
type sharedAnswers struct {
	mu    sync.Mutex
	bytes int
	kept  map[question]sharedAnswer
}

type sharedAnswer struct {
	body  []byte // only read
	until time.Time
}

// get returns nil when there is no answer at that time.
func (s *sharedAnswers) get(q question, now time.Time) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.kept[q]; ok && now.Before(a.until) {
		return a.body
	}
	return nil
}

// put keeps a copy of an answer, unless that is void now or there is no room.
func (s *sharedAnswers) put(q question, body []byte, until time.Time) {
	now := time.Now()
	if !now.Before(until) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(q)
	size := len(body) + q.size()
	if s.bytes+size > maxSharedBytes {
		s.prune(now)
	}
	if s.bytes+size > maxSharedBytes {
		return
	}
	if s.kept == nil {
		s.kept = map[question]sharedAnswer{}
	}
	s.kept[q] = sharedAnswer{slices.Clone(body), until}
	s.bytes += size
}

// prune drops what is void; s.mu is held.
func (s *sharedAnswers) prune(now time.Time) {
	for q, a := range s.kept {
		if !now.Before(a.until) {
			s.drop(q)
		}
	}
}

// drop forgets one answer; s.mu is held.
func (s *sharedAnswers) drop(q question) {
	if a, ok := s.kept[q]; ok {
		s.bytes -= len(a.body) + q.size()
		delete(s.kept, q)
	}
}
