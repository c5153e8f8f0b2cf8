package inferencegateway

import (
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	pkgreconciler "knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// beginTerm makes this replica the leader: every Service is checked, and what nobody
// owns. What the replica remembers of an earlier term is dropped: Services that went while
// another replica led would be counted for ever, and an object that was unwanted then
// would go now without a drain.
func (r *Reconciler) beginTerm(b pkgreconciler.Bucket, enqueue func(pkgreconciler.Bucket, types.NamespacedName)) error {
	r.ledger.begin(r.now())
	for _, s := range []*firstSeen{&r.stale, &r.ready, &r.leaving, &r.left, &r.introduced, &r.accepted} {
		s.clear()
	}
	for _, key := range append(cacheKeys(r.serviceIndex), r.unowned()...) {
		enqueue(b, key)
	}
	return nil
}

// ledger remembers what the leader did last for each Service. Losing it costs
// some reads and a repeated event, nothing else.
type ledger struct {
	mu      sync.Mutex
	entries map[types.NamespacedName]entry
	// wide counts the Services that want an object of a whole Gateway.
	wide map[id]int
	// term is when this replica became the leader.
	term time.Time
}

type entry struct {
	// built is true once a Plan was made.
	built       bool
	hosts       []string
	gatewayWide []id
	conditions  []metav1.Condition
}

func (l *ledger) planned(key types.NamespacedName, p manifest.Plan) {
	var wide []id
	for _, o := range p.Gateway {
		wide = append(wide, idOf(o.Unstructured))
	}
	l.change(key, func(e *entry) {
		l.count(e.gatewayWide, -1)
		l.count(wide, 1)
		e.built, e.hosts, e.gatewayWide = true, p.Hosts, wide
	})
}

// count adds to the Services that want objects; l.mu is held.
func (l *ledger) count(objects []id, n int) {
	if l.wide == nil {
		l.wide = map[id]int{}
	}
	for _, o := range objects {
		if l.wide[o] += n; l.wide[o] == 0 {
			delete(l.wide, o)
		}
	}
}

func (l *ledger) change(key types.NamespacedName, f func(*entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = map[types.NamespacedName]entry{}
	}
	e := l.entries[key]
	f(&e)
	l.entries[key] = e
}

func (l *ledger) get(key types.NamespacedName) (entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	return e, ok
}

func (l *ledger) forget(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(l.entries[key].gatewayWide, -1)
	delete(l.entries, key)
}

// wants is true for an object that some Service wants for its Gateway.
func (l *ledger) wants(object id) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wide[object] > 0
}

// begin forgets everything: this replica leads from now on.
func (l *ledger) begin(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term = now
	l.entries, l.wide = nil, nil
}

// leads reports whether this replica led at a time already.
func (l *ledger) leads(at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.term.IsZero() && at.After(l.term)
}

// built is true once a Plan was made for every one of the Services.
func (l *ledger) built(all []types.NamespacedName) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(all, func(key types.NamespacedName) bool { return !l.entries[key].built })
}

// serving lists the Services with one of the hosts.
func (l *ledger) serving(hosts map[string]bool) (keys []types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, e := range l.entries {
		for _, h := range e.hosts {
			if hosts[h] {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys
}

// forgotten is when a mark is dropped of an object that went in another way: later than
// the longest answer ends.
const forgotten = 24 * time.Hour

// firstSeen remembers when an object was first seen in some state, such as unwanted or Ready.
type firstSeen struct {
	mu    sync.Mutex
	first map[types.UID]time.Time
}

// age returns how long ago the object was first seen, 0 when that is now.
func (s *firstSeen) age(uid types.UID, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[types.UID]time.Time{}
	}
	first, ok := s.first[uid]
	if !ok {
		maps.DeleteFunc(s.first, func(_ types.UID, t time.Time) bool { return now.Sub(t) > forgotten })
		s.first[uid], first = now, now
	}
	return now.Sub(first)
}

func (s *firstSeen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = nil
}

func (s *firstSeen) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.first, uid)
}
