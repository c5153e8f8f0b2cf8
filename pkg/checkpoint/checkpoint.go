// Package checkpoint keeps the decider's states over restarts, in one ConfigMap
// per revision in our own namespace. A restart then goes on with what was
// learned (capacity, demand of the past hour, cold starts) and does not decide
// from amnesia. A state that is of another version, of another revision of the
// same name, or too old is left aside with a reason; it is never half used.
package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

const (
	// version is raised when a stored state no longer means the same.
	version = 1
	// maxAge is how old a state may be: beyond, the traffic it knows says little of today's.
	maxAge = 6 * time.Hour
	// maxSize bounds one stored state in bytes; the API server takes 1 MiB.
	maxSize = 256 << 10

	dataKey = "state.json"
)

// Label is on every ConfigMap with a stored state.
const Label = "knative-inference.dev/checkpoint"

// Saved is a state with what it belongs to.
type Saved struct {
	Version  int    `json:"version"`
	Revision string `json:"revision"`
	// UID is that of the PodAutoscaler: a new revision may have an old one's name.
	UID   string        `json:"uid"`
	At    time.Time     `json:"at"`
	State decider.State `json:"state"`
}

// Store reads and writes states. It is safe for concurrent use.
type Store struct {
	client corev1client.ConfigMapInterface

	mu sync.Mutex
	// found holds what was there when the program started; a state is taken
	// from it once. known holds the revisions that have an object.
	found map[collector.Key]corev1.ConfigMap
	known map[collector.Key]bool
	// read is true once Load succeeded. Before, nothing is written or deleted: what is
	// stored is the history that Load is still to return.
	read bool
	// saved is what Save wrote last.
	saved map[collector.Key]written
	// prunes counts the calls of Prune.
	prunes int
}

// written is the hash of a state that was stored, and when.
type written struct {
	sum [sha256.Size]byte
	at  time.Time
}

// New returns a store on the config maps of our own namespace.
func New(client corev1client.ConfigMapInterface) *Store {
	return &Store{client: client, found: map[collector.Key]corev1.ConfigMap{},
		known: map[collector.Key]bool{}, saved: map[collector.Key]written{}}
}

// Load reads every stored state. It is called until it succeeds once; until then Save
// and Prune do nothing.
func (s *Store) Load(ctx context.Context) error {
	found, err := s.list(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found, s.read = found, true
	return nil
}

// list reads what is stored and remembers which revisions it belongs to.
func (s *Store) list(ctx context.Context) (map[collector.Key]corev1.ConfigMap, error) {
	list, err := s.client.List(ctx, metav1.ListOptions{LabelSelector: Label + "=true"})
	if err != nil {
		return nil, fmt.Errorf("listing stored states: %w", err)
	}
	found := map[collector.Key]corev1.ConfigMap{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cm := range list.Items {
		rev := collector.Key{Namespace: cm.Annotations[Label+"-namespace"], Name: cm.Annotations[Label+"-revision"]}
		found[rev], s.known[rev] = cm, true
	}
	return found, nil
}

// State returns the stored state of a revision. With an error, which says why
// the stored one cannot be used, or when there is none, it is the zero state.
func (s *Store) State(rev collector.Key, uid string, now time.Time) (decider.State, error) {
	s.mu.Lock()
	cm, ok := s.found[rev]
	delete(s.found, rev)
	s.mu.Unlock()
	if !ok {
		return decider.State{}, nil
	}
	saved, err := decode(cm.Data[dataKey], rev, uid, now)
	if err != nil {
		return decider.State{}, fmt.Errorf("stored state of %s/%s is not used: %w", rev.Namespace, rev.Name, err)
	}
	return saved.State, nil
}

func decode(text string, rev collector.Key, uid string, now time.Time) (Saved, error) {
	if len(text) > maxSize {
		return Saved{}, fmt.Errorf("it is larger than %d bytes", maxSize)
	}
	// The version is read first: another one's state may not even parse.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return Saved{}, fmt.Errorf("it cannot be read: %w", err)
	}
	if head.Version != version {
		return Saved{}, fmt.Errorf("it is of version %d, this program writes %d", head.Version, version)
	}
	var saved Saved
	if err := json.Unmarshal([]byte(text), &saved); err != nil {
		return Saved{}, fmt.Errorf("it cannot be read: %w", err)
	}
	switch age := now.Sub(saved.At); {
	case saved.Revision != rev.Namespace+"/"+rev.Name || saved.UID != uid:
		return Saved{}, fmt.Errorf("it is that of %s with another UID", saved.Revision)
	case age > maxAge:
		return Saved{}, fmt.Errorf("it is %v old, at most %v are used", age.Round(time.Minute), maxAge)
	case age < -time.Minute:
		return Saved{}, fmt.Errorf("it is from the future (%v)", saved.At)
	}
	return saved, saved.State.SLO.Valid()
}

// refresh is how often a state that does not change is stored all the same, so that it
// is not taken for one of long ago (maxAge).
const refresh = time.Hour

// mayWrite reports whether a state of the revision may be stored: not before the stored one
// was read and used, and not again while nothing changed.
func (s *Store) mayWrite(rev collector.Key, w written) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, unused := s.found[rev]
	last, ok := s.saved[rev]
	return s.read && !unused && !(ok && last.sum == w.sum && w.at.Sub(last.at) < refresh)
}

// Save writes a state that changed: an update, or a create when there is no object yet.
// It does nothing before Load has succeeded, and nothing for a revision before State has returned
// the stored state: a history that was not read is not overwritten.
func (s *Store) Save(ctx context.Context, rev collector.Key, uid string, at time.Time, state decider.State) error {
	plain, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("storing the state of %s/%s: %w", rev.Namespace, rev.Name, err)
	}
	w := written{sum: sha256.Sum256(append(plain, uid...)), at: at}
	if !s.mayWrite(rev, w) {
		return nil
	}
	text, err := json.Marshal(Saved{Version: version, Revision: rev.Namespace + "/" + rev.Name, UID: uid, At: at,
		State: state})
	if err != nil {
		return fmt.Errorf("storing the state of %s/%s: %w", rev.Namespace, rev.Name, err)
	}
	if len(text) > maxSize {
		return fmt.Errorf("storing the state of %s/%s: %d bytes, at most %d are stored", rev.Namespace, rev.Name, len(text), maxSize)
	}
	cm := object(rev, string(text))
	_, err = s.client.Update(ctx, cm, metav1.UpdateOptions{})
	if apierrs.IsNotFound(err) {
		_, err = s.client.Create(ctx, cm, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("storing the state of %s/%s: %w", rev.Namespace, rev.Name, err)
	}
	s.mu.Lock()
	s.known[rev], s.saved[rev] = true, w
	s.mu.Unlock()
	return nil
}

func object(rev collector.Key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: name(rev), Labels: map[string]string{Label: "true"},
			Annotations: map[string]string{Label + "-namespace": rev.Namespace, Label + "-revision": rev.Name},
		},
		Data: map[string]string{dataKey: text},
	}
}

// name is short whatever the revision is called.
func name(rev collector.Key) string {
	sum := sha256.Sum256([]byte(rev.Namespace + "/" + rev.Name))
	return "state-" + hex.EncodeToString(sum[:10])
}

// listEvery is how many calls of Prune look at what others have stored: a
// leader before this one may have left states of revisions that are gone.
const listEvery = 30

// Prune deletes the states of revisions that are gone. It is called by one goroutine.
func (s *Store) Prune(ctx context.Context, gone func(collector.Key) bool) error {
	s.mu.Lock()
	read := s.read
	s.mu.Unlock()
	if !read {
		return nil
	}
	if s.prunes++; s.prunes%listEvery == 0 {
		if _, err := s.list(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	var old []collector.Key
	for rev := range s.known {
		if gone(rev) {
			old = append(old, rev)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, rev := range old {
		if err := s.client.Delete(ctx, name(rev), metav1.DeleteOptions{}); err != nil && !apierrs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deleting the state of %s/%s: %w", rev.Namespace, rev.Name, err))
			continue
		}
		s.mu.Lock()
		delete(s.known, rev)
		delete(s.saved, rev)
		delete(s.found, rev)
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}
