// Package enginetoken reads the bearer tokens of metrics endpoints from Secrets. The program
// has no right to any Secret of a tenant: the owner of a namespace grants it one Secret at a
// time, by name. So a Secret is read by GET, and never listed or watched.
//
//	Token (asked for each scrape) -> due -> reader (GET) -> entry, for refreshAfter or retryAfter
//
// A token is in memory only, and in no error, log line or metric.
package enginetoken

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

const (
	// refreshAfter is the age from which a token is read again.
	refreshAfter = 30 * time.Second
	// retryAfter is the time between two readings of a Secret that gave no token, or whose
	// token an engine refused.
	retryAfter = 5 * time.Second
	// forgetAfter is how long a token is kept that nobody asks for.
	forgetAfter = 5 * time.Minute
	// timeout bounds one reading.
	timeout = 10 * time.Second
	// readers is the number of readings at once. Fewer Secrets of 1 MiB than that are in memory.
	readers = 4
	// maxPerNamespace bounds the keys of Secrets of one namespace: at retryAfter one namespace
	// costs the API server 7 readings a second at most.
	maxPerNamespace = 32
	// maxDue bounds the readings that wait; what finds no place is asked for again.
	maxDue = 1024
)

// Get reads a Secret.
type Get func(ctx context.Context, namespace, name string) (*corev1.Secret, error)

// Store is a collector.Tokens. It is safe for concurrent use.
type Store struct {
	get Get
	own string
	due chan key

	mu         sync.Mutex
	namespaces map[string]map[collector.SecretKey]*entry
}

type key struct {
	namespace string
	secret    collector.SecretKey
}

// entry is what is known of one key of a Secret; guarded by Store.mu.
type entry struct {
	token string
	// err is why there is no token.
	err error
	// read is when the last reading ended; zero before the first. again is the age from
	// which the next one is due.
	read    time.Time
	again   time.Duration
	reading bool
	asked   time.Time
}

// New returns a store that reads nothing before Run. It refuses the Secrets of own, the
// program's own namespace, where it may read the key of its certificate.
func New(get Get, own string) *Store {
	return &Store{get: get, own: own, due: make(chan key, maxDue), namespaces: map[string]map[collector.SecretKey]*entry{}}
}

// Run reads Secrets until ctx ends.
func (s *Store) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range readers {
		all.Go(func() { s.work(ctx) })
	}
	all.Go(func() { s.forgetUnasked(ctx) })
	all.Wait()
}

// Token returns the token that is known, and begins a reading when it is due.
func (s *Store) Token(namespace string, k collector.SecretKey) (string, error) {
	if namespace == s.own {
		return "", fail(collector.TokenInvalid, "Secrets of the autoscaler's own namespace are never sent to a pod")
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key{namespace, k})
	if e == nil {
		return "", fail(collector.TokenUnread, "more than %d keys of Secrets are named in the namespace, and no more are read", maxPerNamespace)
	}
	e.asked = now
	if e.read.IsZero() || now.Sub(e.read) >= e.again {
		s.begin(key{namespace, k}, e)
	}
	return e.token, e.err
}

// Refused reports that an engine refused a token, which is then read again at once, at most once
// in retryAfter.
func (s *Store) Refused(namespace string, k collector.SecretKey, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.namespaces[namespace][k]
	if e != nil && e.token == token && time.Since(e.read) >= retryAfter {
		s.begin(key{namespace, k}, e)
	}
}

// entry returns the entry of a key, or a new one; nil where the namespace has too many.
func (s *Store) entry(k key) *entry {
	of := s.namespaces[k.namespace]
	if of == nil {
		of = map[collector.SecretKey]*entry{}
		s.namespaces[k.namespace] = of
	}
	e := of[k.secret]
	if e == nil && len(of) < maxPerNamespace {
		e = &entry{err: fail(collector.TokenUnread, "the Secret %q was not read yet", k.secret.Name)}
		of[k.secret] = e
	}
	return e
}

// begin hands an entry to a reader unless it is being read.
func (s *Store) begin(k key, e *entry) {
	if e.reading {
		return
	}
	select {
	case s.due <- k:
		e.reading = true
	default:
	}
}

func (s *Store) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-s.due:
			s.read(ctx, k)
		}
	}
}

// read reads a Secret. A token that is known stays while the API server does not answer:
// who takes the right away, or deletes the Secret, gets an answer that says so.
func (s *Store) read(ctx context.Context, k key) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	secret, err := s.get(ctx, k.namespace, k.secret.Name)
	token := ""
	if err != nil {
		err = refusal(k.secret, err)
	} else {
		token, err = tokenOf(secret, k.secret)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.namespaces[k.namespace][k.secret]
	if e == nil {
		return
	}
	e.reading, e.read, e.again = false, time.Now(), refreshAfter
	if err != nil {
		e.again = retryAfter
	}
	if !isUnread(err) || e.token == "" {
		e.token, e.err = token, err
	}
}

// forgetUnasked drops, once a minute, what nobody asks for.
func (s *Store) forgetUnasked(ctx context.Context) {
	wait.NonSlidingUntilWithContext(ctx, func(context.Context) { s.forget(time.Now()) }, time.Minute)
}

func (s *Store) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for namespace, of := range s.namespaces {
		for k, e := range of {
			if !e.reading && now.Sub(e.asked) > forgetAfter {
				delete(of, k)
			}
		}
		if len(of) == 0 {
			delete(s.namespaces, namespace)
		}
	}
}
