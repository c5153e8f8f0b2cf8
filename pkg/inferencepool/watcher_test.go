package inferencepool

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	corev1listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/serving/pkg/apis/serving"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

func TestRead(t *testing.T) {
	const head = "metadata: {name: llm, namespace: team, uid: u, labels: {a: b}"
	tests := []struct {
		name, object string
		want         Pool
		ok           bool
	}{
		{"plain", head + "}\nspec: {selector: {matchLabels: {app: vllm}}, targetPorts: [{number: 8000}, {number: 8001}]}",
			Pool{Port: 8000, Selector: map[string]string{"app": "vllm"}}, true},
		{"named by annotations", head + `, annotations: {knative-inference.dev/engine: tgi, knative-inference.dev/metrics-port: "9000", knative-inference.dev/metrics-path: /m}}
spec: {selector: {matchLabels: {app: tgi}}, targetPorts: [{number: 8000}]}`,
			Pool{Port: 9000, PortNamed: true, Engine: "tgi", Path: "/m", Selector: map[string]string{"app": "tgi"}}, true},
		{"no port, as of none", head + `, annotations: {knative-inference.dev/metrics-port: "70000"}}
spec: {selector: {matchLabels: {app: x}}, targetPorts: [{}]}`, Pool{Selector: map[string]string{"app": "x"}}, true},
		{"ports that are none", head + "}\nspec: {selector: {matchLabels: {app: x}}, targetPorts: [{number: -1}, {number: 70000}]}", Pool{Selector: map[string]string{"app": "x"}}, true},
		{"not ours, whatever it says", head + `, annotations: {knative-inference.dev/serves: '{"a":100}', knative-inference.dev/negative-priority: wait}}
spec: {selector: {matchLabels: {app: x}}}`, Pool{Selector: map[string]string{"app": "x"}}, true},
		{"ours", strings.Replace(head, "labels: {", "labels: {app.kubernetes.io/managed-by: knative-inference-gateway, ", 1) + `, annotations: {knative-inference.dev/serves: '{"a":100}', knative-inference.dev/negative-priority: wait}}
spec: {selector: {matchLabels: {app: x}}}`, Pool{Selector: map[string]string{"app": "x"}, Serves: map[string]float64{"a": 1}, NegativeWaits: true}, true},
		{"a picker is no engine", head + `, annotations: {knative-inference.dev/engine: endpoint-picker}}
spec: {selector: {matchLabels: {app: x}}}`, Pool{Selector: map[string]string{"app": "x"}}, true},
		{"no selector", head + "}\nspec: {}", Pool{}, false},
		{"a port that is no object, which the CRD refuses", head + "}\nspec: {selector: {matchLabels: {app: x}}, targetPorts: [3]}", Pool{}, false},
		{"a selector of another kind", head + "}\nspec: {selector: {matchLabels: {app: 3}}}", Pool{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tt.object), &u.Object); err != nil {
				t.Fatal(err)
			}
			if ports, ok, _ := unstructured.NestedSlice(u.Object, "spec", "targetPorts"); ok { // the API server's numbers are int64
				for _, p := range ports {
					if m, ok := p.(map[string]any); ok && m["number"] != nil {
						m["number"] = int64(m["number"].(float64))
					}
				}
				u.Object["spec"].(map[string]any)["targetPorts"] = ports
			}
			if tt.ok {
				tt.want.Namespace, tt.want.Name, tt.want.UID, tt.want.Labels = "team", "llm", "u", map[string]string{"a": "b"}
				if tt.want.Serves != nil {
					tt.want.Labels["app.kubernetes.io/managed-by"] = "knative-inference-gateway"
				}
			}
			got, ok := Read(u)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("ok %t, want %t (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

// recorder keeps the last calls to the collector.
type recorder struct {
	mu     sync.Mutex
	specs  map[collector.Key]collector.Spec
	pods   map[collector.Key][]string
	held   map[collector.Key][]collector.Share
	wakers wakers
	// waiting is the requests in every picker, negative those of a negative priority.
	waiting, negative float64
}

func (r *recorder) Watch(t collector.Spec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.specs[t.Key] = t
}

func (r *recorder) SetPods(rev collector.Key, pods []collector.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, p := range pods {
		name := p.Name
		if !p.Ready {
			name += " not ready"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	r.pods[rev] = names
}

func (r *recorder) Forget(rev collector.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.specs, rev)
	delete(r.pods, rev)
}

func (r *recorder) SetHeld(rev collector.Key, shares []collector.Share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(shares) == 0 {
		delete(r.held, rev)
	} else {
		r.held[rev] = shares
	}
}

func (r *recorder) told() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string][]string{}
	for rev := range r.specs {
		name := rev.Name
		if rev.Kind != collector.Revision {
			name = rev.Kind.String() + "/" + name
		}
		out[rev.Namespace+" "+name] = r.pods[rev]
	}
	return out
}

func pod(name string, ready bool, labels map[string]string) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID("uid-" + name), Labels: labels},
		Status:     corev1.PodStatus{PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

func knative(name, revision string) *corev1.Pod {
	return pod(name, true, map[string]string{"app": "vllm", serving.RevisionLabelKey: revision, serving.RevisionUID: "u"})
}

// world is a Watcher on fakes.
type world struct {
	*Watcher
	*recorder
	kube     *fake.Clientset
	mu       sync.Mutex
	pools    []Pool
	observed map[string]bool
	log      strings.Builder
	panics   atomic.Int32
}

func newWorld(t *testing.T, pods ...*corev1.Pod) *world {
	t.Helper()
	w := &world{
		recorder: &recorder{specs: map[collector.Key]collector.Spec{}, pods: map[collector.Key][]string{}, held: map[collector.Key][]collector.Share{},
			wakers: wakers{sent: map[string]int{}, answers: make(chan error)}},
		kube: fake.NewClientset(), observed: map[string]bool{},
	}
	knatives := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, p := range pods {
		if _, err := w.kube.CoreV1().Pods("team").Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if p.Labels[serving.RevisionUID] != "" {
			if err := knatives.Add(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Watcher = New(Options{
		Kube: w.kube, Collector: w.recorder, Held: w.recorder, Waker: w.recorder, Log: slog.New(slog.NewTextHandler(&w.log, nil)), OnPanic: func() { w.panics.Add(1) },
		Knative:  corev1listers.NewPodLister(knatives),
		Pools:    func() []Pool { w.mu.Lock(); defer w.mu.Unlock(); return w.pools },
		Observed: func(r collector.Key) bool { w.mu.Lock(); defer w.mu.Unlock(); return w.observed[r.Name] },
		Spec: func(r collector.Key) (collector.Spec, bool) {
			if r.Name == "fatal" {
				panic("a fault of ours")
			}
			return collector.Spec{Port: 8080}, r.Name != "unknown"
		},
	})
	return w
}

func (w *world) set(f func()) {
	w.mu.Lock()
	f()
	w.mu.Unlock()
	time.Sleep(2 * interval)
	synctest.Wait()
}

// story runs a Watcher in synctest's time.
func story(t *testing.T, w func(t *testing.T) *world, tell func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		world := w(t)
		done := make(chan struct{})
		go func() { defer close(done); world.Run(ctx) }()
		tell(t, world)
		stop()
		<-done
		synctest.Wait()
	})
}

func (w *world) want(t *testing.T, when string, want map[string][]string) {
	t.Helper()
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("%s (-want +told):\n%s", when, diff)
	}
}

// A Deployment behind a pool is read on the pool's port, without queue-proxies,
// as long as there is the pool.
func TestWatcher_plainPods(t *testing.T) {
	app := map[string]string{"app": "vllm"}
	story(t, func(t *testing.T) *world {
		ended := pod("ended", true, app)
		ended.Status.Phase = corev1.PodSucceeded
		return newWorld(t, pod("a", true, app), pod("b", false, app), pod("other", true, map[string]string{"app": "web"}), ended)
	}, func(t *testing.T, w *world) {
		pool := Pool{Namespace: "team", Name: "llm", Selector: app, Port: 8000}
		w.set(func() { w.pools = []Pool{pool} })
		w.want(t, "with the pool", map[string][]string{"team pool/llm": {"a", "b not ready"}})
		w.recorder.mu.Lock()
		target := w.specs[pool.Key()]
		w.recorder.mu.Unlock()
		if target.Port != 8000 || !target.EngineOnly {
			t.Errorf("target %+v, want the engine on 8000 and no queue-proxy", target)
		}
		if got := w.Pods("team")[pool.Key()]; len(got) != 3 {
			t.Errorf("%d pods are shown, want those of the selector", len(got))
		}
		if err := w.kube.CoreV1().Pods("team").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.set(func() {})
		w.want(t, "a pod less", map[string][]string{"team pool/llm": {"b not ready"}})
		w.set(func() { pool.Selector = map[string]string{"app": "web"}; w.pools = []Pool{pool} })
		w.want(t, "another selector", map[string][]string{"team pool/llm": {"other"}})
		w.set(func() { w.pools = nil })
		w.want(t, "the pool is gone", map[string][]string{})
	})
}

// Revisions that no autoscaler observes are read as long as a pool serves them;
// one that an autoscaler takes over stays its own.
func TestWatcher_strayRevisions(t *testing.T) {
	story(t, func(t *testing.T) *world {
		return newWorld(t, knative("a", "kpa-1"), knative("b", "kpa-1"), knative("c", "ours-1"), knative("d", "unknown"))
	}, func(t *testing.T, w *world) {
		pool := Pool{Namespace: "team", Name: "llm", Selector: map[string]string{"app": "vllm", "serving.knative.dev/service": "s"}, Port: 8012}
		w.set(func() { w.observed["ours-1"] = true; w.pools = []Pool{pool} })
		w.want(t, "the selector has a label that no pod has", map[string][]string{})
		pool.Selector = map[string]string{"app": "vllm"}
		pool.Port = 0 // no port of other pods
		w.set(func() { w.pools = []Pool{pool} })
		w.want(t, "with the pool", map[string][]string{"team kpa-1": {"a", "b"}})
		w.set(func() { w.observed["kpa-1"] = true })
		w.want(t, "an autoscaler took it over", map[string][]string{"team kpa-1": {"a", "b"}})
		w.set(func() { delete(w.observed, "kpa-1") })
		w.set(func() { w.pools = nil })
		w.want(t, "the pool is gone", map[string][]string{})
	})
}
