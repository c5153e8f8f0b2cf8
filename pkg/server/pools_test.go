package server

import (
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// fakePools are InferencePools that a test changes, also while they are read.
type fakePools struct {
	mu  sync.Mutex
	all []*unstructured.Unstructured
}

func (p *fakePools) Pools() []*unstructured.Unstructured {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

func (p *fakePools) set(all ...*unstructured.Unstructured) *fakePools {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = all
	return p
}

// pool is an InferencePool of a namespace; ours has the label of our objects and the revisions that it serves.
func pool(t *testing.T, namespace, name, selector, serves string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {namespace: ` + namespace + `, name: ` + name
	if serves != "" {
		text += `, labels: {app.kubernetes.io/managed-by: knative-inference-gateway}, annotations: {knative-inference.dev/serves: '` + serves + `'}`
	}
	text += `}, spec: {selector: {matchLabels: {` + selector + `}}, targetPorts: [{number: 8000}]}}`
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// A reconciliation sees the pools of its own namespace that can be read.
func TestPoolsIn(t *testing.T) {
	all := new(fakePools).set(pool(t, "models", "mine", "app: llm", ""), pool(t, "other", "theirs", "app: llm", ""),
		pool(t, "models", "selects nothing", "", ""), pool(t, "models", "ours", "app: ours", `{"llm-1": 60, "llm-2": 40}`))
	want := []podautoscaler.Pool{{Selector: map[string]string{"app": "llm"}},
		{Selector: map[string]string{"app": "ours"}, Serves: map[string]float64{"llm-1": 0.6, "llm-2": 0.4}}}
	if got := poolsIn(all, "models"); !reflect.DeepEqual(got, want) {
		t.Errorf("poolsIn = %+v, want %+v", got, want)
	}
}

// Pods join a pool by its selector where somebody else made it; ours are labelled by the gateway.
func TestForeign(t *testing.T) {
	of := foreign(new(fakePools).set(pool(t, "models", "theirs", "app: llm", ""), pool(t, "models", "ours", "app: ours", `{"llm-1": 100}`)))
	for _, tt := range []struct {
		namespace, name string
		want            map[string]string
	}{
		{"models", "theirs", map[string]string{"app": "llm"}},
		{"models", "ours", nil}, {"other", "theirs", nil}, {"models", "none", nil},
	} {
		if got := of(tt.namespace, tt.name); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("foreign(%s, %s) = %v, want %v", tt.namespace, tt.name, got, tt.want)
		}
	}
}

// A pool that comes, goes, selects other pods or serves other revisions is a change; the same
// pools in another order are none.
func TestFollowPoolChanges(t *testing.T) {
	type list = []*unstructured.Unstructured
	synctest.Test(t, func(t *testing.T) {
		a, b := pool(t, "models", "a", "app: a", ""), pool(t, "models", "b", "app: b", `{"llm-1": 100}`)
		served, selects := pool(t, "models", "b", "app: b", `{"llm-2": 100}`), pool(t, "models", "a", "app: c", "")
		pools, changes := &fakePools{}, 0
		go followPoolChanges(t.Context(), pools, func() { changes++ }) //nolint:errcheck it ends with the test
		for _, step := range []struct {
			name    string
			pools   list
			changes int
		}{
			{"none", nil, 0}, {"two came", list{a, b}, 1}, {"the other order", list{b, a}, 1},
			{"other revisions", list{a, served}, 2}, {"other pods", list{selects, served}, 3},
			{"one went", list{served}, 4}, {"nothing", list{served}, 4},
		} {
			pools.set(step.pools...)
			time.Sleep(poolChanges)
			synctest.Wait()
			if changes != step.changes {
				t.Errorf("%s: %d changes, want %d", step.name, changes, step.changes)
			}
		}
	})
}
