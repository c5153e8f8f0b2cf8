package checkpoint

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

var (
	rev = collector.Key{Namespace: "models", Name: "llm-00001"}
	now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// stored returns a new process's store over what save wrote, or what it was edited to.
func stored(t *testing.T, edit func(string) string) *Store {
	t.Helper()
	maps := fake.NewClientset().CoreV1().ConfigMaps("knative-inference")
	for range 2 { // a create, then an update
		if err := loaded(t, maps).Save(t.Context(), rev, "uid-1", now, decider.State{EngineSeen: true}); err != nil {
			t.Fatal(err)
		}
	}
	cm, err := maps.Get(t.Context(), name(rev), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data[dataKey] = edit(cm.Data[dataKey])
	if _, err := maps.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s := New(maps)
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// loaded is the store of a new process that has read what is stored and uses none of it.
func loaded(t *testing.T, maps corev1client.ConfigMapInterface) *Store {
	t.Helper()
	s := New(maps)
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = s.State(rev, "uid-1", now)
	return s
}

func same(s string) string { return s }

func TestState_comes_back(t *testing.T) {
	s := stored(t, same)
	got, err := s.State(rev, "uid-1", now.Add(time.Hour))
	if err != nil || !got.EngineSeen {
		t.Errorf("State = %+v, %v; want what was saved", got, err)
	}
	if again, err := s.State(rev, "uid-1", now); err != nil || again.EngineSeen {
		t.Errorf("a second time: %+v, %v; a state is taken once", again, err)
	}
	if none, err := s.State(collector.Key{Namespace: "models", Name: "other"}, "x", now); err != nil || none.EngineSeen {
		t.Errorf("a revision without one: %+v, %v", none, err)
	}
}

func TestState_is_left_aside(t *testing.T) {
	for _, tt := range []struct {
		name, uid, want string
		at              time.Time
		edit            func(string) string
	}{
		{"too old", "uid-1", "old", now.Add(7 * time.Hour), same},
		{"from the future", "uid-1", "future", now.Add(-time.Hour), same},
		{"another revision of the name", "uid-2", "another UID", now, same},
		{"another version", "uid-1", "version 9", now, func(s string) string { return strings.Replace(s, `"version":1`, `"version":9`, 1) }},
		{"no JSON", "uid-1", "cannot be read", now, func(string) string { return "{" }},
		{"nothing", "uid-1", "cannot be read", now, func(string) string { return "" }},
		{"wrong type", "uid-1", "cannot be read", now, func(s string) string { return strings.Replace(s, "true", `"yes"`, 1) }},
		{"too large", "uid-1", "larger than", now, func(string) string { return strings.Repeat(" ", maxSize+1) }},
	} {
		got, err := stored(t, tt.edit).State(rev, tt.uid, tt.at)
		if err == nil || !strings.Contains(err.Error(), tt.want) || got.EngineSeen {
			t.Errorf("%s: %+v, %v; want the zero state and an error with %q", tt.name, got, err, tt.want)
		}
	}
}

func TestPrune_deletes_what_is_gone(t *testing.T) {
	s := stored(t, same)
	if err := s.Prune(t.Context(), func(collector.Key) bool { return false }); err != nil || !s.known[rev] {
		t.Fatalf("pruned a living one: %v", err)
	}
	if err := s.Prune(t.Context(), func(r collector.Key) bool { return r == rev }); err != nil {
		t.Fatal(err)
	}
	list, err := s.client.List(context.Background(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("%d objects left, %v", len(list.Items), err)
	}
}

// A revision that is gone is forgotten with its state: one of the same name begins with nothing,
// and is stored again even where nothing changed.
func TestPrune_forgets(t *testing.T) {
	client := fake.NewClientset()
	maps := client.CoreV1().ConfigMaps("knative-inference")
	if err := loaded(t, maps).Save(t.Context(), rev, "uid-1", now, decider.State{EngineSeen: true}); err != nil {
		t.Fatal(err)
	}
	gone := func(collector.Key) bool { return true }
	deletions := func() (n int) {
		for _, a := range client.Actions() {
			if a.GetVerb() == "delete" {
				n++
			}
		}
		return n
	}
	s := New(maps)
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Prune(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	if got := deletions(); got != 1 {
		t.Errorf("%d deletions in two rounds, want one", got)
	}
	if got, err := s.State(rev, "uid-1", now); err != nil || got.EngineSeen {
		t.Errorf("State = %+v, %v; want nothing of a revision that is gone", got, err)
	}
	for range 2 { // saved, gone, and saved as it was
		if err := s.Save(t.Context(), rev, "uid-1", now, decider.State{}); err != nil {
			t.Fatal(err)
		}
		if _, err := maps.Get(t.Context(), name(rev), metav1.GetOptions{}); err != nil {
			t.Errorf("the state is not stored: %v", err)
		}
		if err := s.Prune(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
}

// A deletion that fails is reported and tried again; the others go on. What others have stored
// is listed every listEvery rounds only, because the list holds every state.
func TestPrune_again(t *testing.T) {
	client := fake.NewClientset()
	maps := client.CoreV1().ConfigMaps("knative-inference")
	s, other := loaded(t, maps), collector.Key{Namespace: "models", Name: "other"}
	for _, r := range []collector.Key{rev, other} {
		if err := s.Save(t.Context(), r, "uid-1", now, decider.State{}); err != nil {
			t.Fatal(err)
		}
	}
	away, lists := true, 0
	client.PrependReactor("delete", "configmaps", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return away && a.(clienttesting.DeleteAction).GetName() == name(rev), nil, errors.New("etcdserver: leader changed")
	})
	client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		lists++
		return false, nil, nil
	})
	gone := func(collector.Key) bool { return true }
	if err := s.Prune(t.Context(), gone); err == nil || !strings.Contains(err.Error(), "models/llm-00001: etcdserver") {
		t.Errorf("Prune = %v, want the deletion that failed", err)
	}
	if _, err := maps.Get(t.Context(), name(other), metav1.GetOptions{}); err == nil {
		t.Error("the state of another revision is left")
	}
	away = false
	if err := s.Prune(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Get(t.Context(), name(rev), metav1.GetOptions{}); err == nil || lists != 0 {
		t.Errorf("the state is left (%v), or %d lists in two rounds", err, lists)
	}
}

// A state that another replica stored while it led goes too.
func TestPrune_finds_what_others_stored(t *testing.T) {
	maps := fake.NewClientset().CoreV1().ConfigMaps("knative-inference")
	s := loaded(t, maps)
	if err := loaded(t, maps).Save(t.Context(), rev, "uid-1", now, decider.State{}); err != nil {
		t.Fatal(err)
	}
	for range listEvery {
		if err := s.Prune(t.Context(), func(r collector.Key) bool { return r == rev }); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := maps.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("%d objects left, %v", len(list.Items), err)
	}
}

// A list that failed at the start never costs the stored history.
func TestSave_neverOverwritesWhatWasNotRead(t *testing.T) {
	client := fake.NewClientset()
	maps := client.CoreV1().ConfigMaps("knative-inference")
	if err := loaded(t, maps).Save(t.Context(), rev, "uid-1", now, decider.State{EngineSeen: true}); err != nil {
		t.Fatal(err)
	}
	away := true
	client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		return away, nil, errors.New("etcdserver: leader changed")
	})
	s := New(maps)
	gone := func(collector.Key) bool { return true }
	if err := s.Load(t.Context()); err == nil {
		t.Fatal("the list did not fail")
	}
	for _, later := range []func() error{
		func() error { return s.Save(t.Context(), rev, "uid-1", now.Add(time.Minute), decider.State{}) },
		func() error { return s.Prune(t.Context(), gone) },
		func() error { away = false; return s.Load(t.Context()) },
		func() error { return s.Save(t.Context(), rev, "uid-1", now.Add(2*time.Minute), decider.State{}) }, // not used yet
	} {
		if err := later(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.State(rev, "uid-1", now.Add(3*time.Minute)); err != nil || !got.EngineSeen {
		t.Errorf("State = %+v, %v; want the history of before", got, err)
	}
}

// What did not change is not written again, but for its age.
func TestSave_onlyWhatChanged(t *testing.T) {
	client := fake.NewClientset()
	s := loaded(t, client.CoreV1().ConfigMaps("knative-inference"))
	writes := func() (n int) {
		for _, a := range client.Actions() {
			if a.GetVerb() == "update" {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		state decider.State
		want  int
	}{
		{0, decider.State{}, 1},
		{time.Minute, decider.State{}, 1},
		{2 * time.Minute, decider.State{EngineSeen: true}, 2},
		{3 * time.Minute, decider.State{EngineSeen: true}, 2},
		{2*time.Minute + refresh, decider.State{EngineSeen: true}, 3},
	} {
		if err := s.Save(t.Context(), rev, "uid-1", now.Add(step.after), step.state); err != nil {
			t.Fatal(err)
		}
		if got := writes(); got != step.want {
			t.Errorf("after %v: %d writes, want %d", step.after, got, step.want)
		}
	}
}
