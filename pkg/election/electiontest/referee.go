package electiontest

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/reconciler"
)

// Referee sees who leads which bucket. It fails the test when two replicas lead one at once. It is
// safe for concurrent use.
type Referee struct {
	t *testing.T

	mu sync.Mutex
	// leaders are by bucket; free is since when a bucket that was led is not.
	leaders map[string]string
	free    map[string]time.Time
	longest time.Duration
	changes int
}

// NewReferee returns a Referee who has seen nothing.
func NewReferee(t *testing.T) *Referee {
	return &Referee{t: t, leaders: map[string]string{}, free: map[string]time.Time{}}
}

// Player is one replica under the eyes of the Referee; it can be promoted and demoted.
func (r *Referee) Player(name string) *Player { return &Player{r, name} }

// Led is how many buckets each replica leads.
func (r *Referee) Led() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := map[string]int{}
	for _, name := range r.leaders {
		led[name]++
	}
	return led
}

// Leaders are the leaders by bucket.
func (r *Referee) Leaders() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.leaders)
}

// Changes is how often a bucket got a leader since the last call.
func (r *Referee) Changes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.changes
	r.changes = 0
	return n
}

// LongestFree is the longest time that a bucket was without a leader since the last call, from the
// first leader on.
func (r *Referee) LongestFree() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest := r.longest
	for _, since := range r.free {
		longest = max(longest, time.Since(since))
	}
	r.longest = 0
	return longest
}

// Player is one replica.
type Player struct {
	referee *Referee
	name    string
}

// Promote implements reconciler.LeaderAware.
func (p *Player) Promote(b reconciler.Bucket, _ func(reconciler.Bucket, types.NamespacedName)) error {
	r := p.referee
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, led := r.leaders[b.Name()]; led {
		r.t.Errorf("%s leads %s, which %s leads", p.name, b.Name(), other)
	}
	if since, was := r.free[b.Name()]; was {
		r.longest = max(r.longest, time.Since(since))
		delete(r.free, b.Name())
	}
	r.leaders[b.Name()] = p.name
	r.changes++
	return nil
}

// Demote implements reconciler.LeaderAware.
func (p *Player) Demote(b reconciler.Bucket) {
	r := p.referee
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaders[b.Name()] == p.name {
		delete(r.leaders, b.Name())
		r.free[b.Name()] = time.Now()
	}
}

// Buckets are n buckets, which have the names of their leases.
func Buckets(n int) (all []reconciler.Bucket) {
	for i := range n {
		all = append(all, bucket(fmt.Sprintf("autoscaler-adapter-%02d-of-%02d", i, n)))
	}
	return all
}

// bucket owns no key.
type bucket string

func (b bucket) Name() string                  { return string(b) }
func (b bucket) Has(types.NamespacedName) bool { return false }
