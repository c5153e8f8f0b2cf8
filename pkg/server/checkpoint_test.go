package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// fakeLoops are decision loops whose states a test sets.
type fakeLoops struct {
	states   map[collector.Key]decider.State
	restarts atomic.Int32
}

func (l *fakeLoops) States(yield func(collector.Key, decider.State)) {
	for rev, st := range l.states {
		yield(rev, st)
	}
}

func (l *fakeLoops) Restart() { l.restarts.Add(1) }

// testCheckpoints are checkpoints of a process that knows some PodAutoscalers, by name and UID.
func testCheckpoints(t *testing.T, kube *fake.Clientset, pas map[string]string) (*checkpoints, *record.FakeRecorder) {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for name, uid := range pas {
		if err := indexer.Add(&v1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name, UID: types.UID(uid)}}); err != nil {
			t.Fatal(err)
		}
	}
	events := record.NewFakeRecorder(10)
	return &checkpoints{store: checkpoint.New(kube.CoreV1().ConfigMaps("ours")), events: events,
		autoscalers: palisters.NewPodAutoscalerLister(indexer), log: slog.New(slog.DiscardHandler)}, events
}

func revision(name string) collector.Key { return collector.Key{Namespace: "prod", Name: name} }

// stored are the revisions that have a state in the cluster.
func stored(t *testing.T, kube *fake.Clientset) (revisions []string) {
	t.Helper()
	all, err := kube.CoreV1().ConfigMaps("ours").List(t.Context(), metav1.ListOptions{LabelSelector: checkpoint.Label})
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range all.Items {
		revisions = append(revisions, cm.Annotations[checkpoint.Label+"-revision"])
	}
	slices.Sort(revisions)
	return revisions
}

// oneRevision is a bucket.
type oneRevision string

func (b oneRevision) Name() string                      { return string(b) }
func (b oneRevision) Has(key types.NamespacedName) bool { return key.Name == string(b) }

// Before a bucket is given up, the states of its revisions are stored, and no others.
func TestCheckpoints_ofABucket(t *testing.T) {
	kube := fake.NewClientset()
	c, _ := testCheckpoints(t, kube, map[string]string{"given": "1", "kept": "2"})
	l := &fakeLoops{states: map[collector.Key]decider.State{revision("given"): {Ready: 3}, revision("kept"): {Ready: 4}}}
	leads := func(collector.Key) bool { return true }
	c.loadFirst(t.Context())
	c.saveBucket(l, leads)(t.Context(), oneRevision("given"))
	if got := stored(t, kube); !slices.Equal(got, []string{"given"}) {
		t.Errorf("%q stored, want the revision of the bucket", got)
	}
}

// Each replica stores the states of the revisions that it leads, once a minute, and the next
// process goes on from them. A state of another PodAutoscaler of the same name is left aside
// with an event.
func TestCheckpoints_overARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		before, _ := testCheckpoints(t, kube, map[string]string{"mine": "1", "others": "2"})
		l := &fakeLoops{states: map[collector.Key]decider.State{
			revision("mine"): {EngineSeen: true, Ready: 3}, revision("others"): {Ready: 4}, revision("gone"): {Ready: 5},
		}}
		leads := func(rev collector.Key) bool { return rev.Name != "others" }
		before.loadFirst(t.Context())
		ctx, end := context.WithCancel(t.Context())
		go before.run(ctx, l, leads) //nolint:errcheck it ends with ctx
		time.Sleep(checkpointPeriod - time.Second)
		synctest.Wait()
		if got := stored(t, kube); got != nil {
			t.Errorf("%q stored within the first minute", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := stored(t, kube); !slices.Equal(got, []string{"mine"}) {
			t.Errorf("%q stored, want the revision that is led and there", got)
		}
		end()
		synctest.Wait()
		if l.restarts.Load() != 0 {
			t.Errorf("%d restarts of loops that began with the stored states", l.restarts.Load())
		}

		after, events := testCheckpoints(t, kube, map[string]string{"mine": "1"})
		after.loadFirst(t.Context())
		if got := after.restore(revision("mine")); got.Ready != 3 || !got.EngineSeen {
			t.Errorf("restored %+v, want what was stored", got)
		}
		if len(events.Events) > 0 {
			t.Error(<-events.Events)
		}
		anew, events := testCheckpoints(t, kube, map[string]string{"mine": "9"})
		anew.loadFirst(t.Context())
		if got := anew.restore(revision("mine")); got.Ready != 0 {
			t.Errorf("restored %+v of another PodAutoscaler", got)
		}
		if text := <-events.Events; !strings.Contains(text, "StateIgnored") {
			t.Errorf("event %q", text)
		}
	})
}

// Until the stored states were read nothing is stored, which would overwrite them, and
// nothing is deleted. Once they are, the loops begin anew with them.
func TestCheckpoints_apiServerDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kube := fake.NewClientset()
		first, _ := testCheckpoints(t, kube, map[string]string{"mine": "1"})
		l := &fakeLoops{states: map[collector.Key]decider.State{revision("mine"): {Ready: 3}}}
		always := func(collector.Key) bool { return true }
		first.loadFirst(t.Context())
		first.save(t.Context(), l, always)

		var down atomic.Bool
		down.Store(true)
		kube.PrependReactor("list", "configmaps", func(ktesting.Action) (bool, runtime.Object, error) {
			return down.Load(), nil, apierrs.NewInternalError(errors.New("etcd elects a leader"))
		})
		c, _ := testCheckpoints(t, kube, nil) // the PodAutoscaler is gone: a state to be deleted
		begin := time.Now()
		c.loadFirst(t.Context())
		if took := time.Since(begin); c.loaded || took != loadTimeout {
			t.Errorf("loaded %t after %v, want that decisions begin without after %v", c.loaded, took, loadTimeout)
		}
		other := &fakeLoops{states: map[collector.Key]decider.State{revision("mine"): {Ready: 9}}}
		go c.run(t.Context(), other, always) //nolint:errcheck it ends with the test
		time.Sleep(3 * checkpointPeriod)
		synctest.Wait()
		down.Store(false)
		if got := stored(t, kube); !slices.Equal(got, []string{"mine"}) || other.restarts.Load() != 0 {
			t.Errorf("%q stored and %d restarts while nothing could be read, want what was there", got, other.restarts.Load())
		}
		time.Sleep(loadRetry + time.Second)
		synctest.Wait()
		if other.restarts.Load() != 1 {
			t.Errorf("%d restarts after the states were read, want one", other.restarts.Load())
		}
		time.Sleep(checkpointPeriod)
		synctest.Wait()
		if got := stored(t, kube); got != nil {
			t.Errorf("%q is still stored; its revision is gone", got)
		}
	})
}

// A process that ends stores its states while it still is the leader, and then stops leading,
// also where the API server does not answer.
func TestUntilSaved(t *testing.T) {
	for name, hangs := range map[string]bool{"answers": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kube := fake.NewClientset()
				c, _ := testCheckpoints(t, kube, map[string]string{"mine": "1"})
				c.loadFirst(t.Context())
				ctx, end := context.WithCancel(t.Context())
				var leading context.Context
				kube.PrependReactor("update", "configmaps", func(ktesting.Action) (bool, runtime.Object, error) {
					if leading.Err() != nil {
						t.Error("stores after it gave its lease back")
					}
					if hangs {
						time.Sleep(finalSave)
						return true, nil, context.DeadlineExceeded
					}
					return false, nil, nil
				})
				leading, stop := c.untilSaved(ctx, &fakeLoops{states: map[collector.Key]decider.State{revision("mine"): {Ready: 3}}},
					func(collector.Key) bool { return true })
				defer stop()
				begin := time.Now()
				end()
				<-leading.Done()
				if took := time.Since(begin); took > finalSave {
					t.Errorf("leads for %v after the end, at most %v", took, finalSave)
				}
				if got := stored(t, kube); slices.Equal(got, []string{"mine"}) == hangs {
					t.Errorf("%q stored", got)
				}
			})
		})
	}
}
