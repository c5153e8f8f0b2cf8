package server

import (
	"log/slog"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubefake "k8s.io/client-go/kubernetes/fake"
	cminformer "knative.dev/pkg/configmap/informer"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// The inference gateway's config map is followed from its first state on; a
// broken edit keeps the last good one.
func TestFollowDefaults(t *testing.T) {
	d, err := followDefaults(cminformer.NewInformedWatcher(kubefake.NewClientset(), "ns"), "ns", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	builtin := d.get().Gateway
	changes := 0
	d.changed = func() { changes++ }
	edit := func(data map[string]string) binding.Name {
		d.update(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: binding.ConfigName}, Data: data})
		return d.get().Gateway
	}
	good := binding.Name{Namespace: "infra", Name: "llm"}
	for _, tt := range []struct {
		name    string
		data    map[string]string
		want    binding.Name
		changes int
	}{
		{"a good edit", map[string]string{"gateway": "infra/llm"}, good, 1},
		{"a broken one", map[string]string{"gateway": "a/b/c"}, good, 1},
		{"an unknown key", map[string]string{"gatewey": "infra/other"}, good, 1},
		{"back to the defaults", nil, builtin, 2},
	} {
		if got := edit(tt.data); got != tt.want || changes != tt.changes {
			t.Errorf("%s: gateway %v after %d changes, want %v after %d", tt.name, got, changes, tt.want, tt.changes)
		}
	}
}

// A config map that is broken when the adapter starts must not move Services to
// the built-in Gateway: they are refused, which leaves them as they are.
func TestFollowDefaults_brokenFromTheStart(t *testing.T) {
	d, err := followDefaults(cminformer.NewInformedWatcher(kubefake.NewClientset(), "ns"), "ns", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d.update(&corev1.ConfigMap{}) // the watcher begins with the default
	d.update(&corev1.ConfigMap{Data: map[string]string{"gateway": "infra/llm", "gatewey": "infra/other"}})
	if got := d.get().Gateway; got != (binding.Name{}) {
		t.Errorf("gateway %v of a broken config map, want none", got)
	}
	d.update(&corev1.ConfigMap{Data: map[string]string{"gateway": "infra/llm"}})
	if got, want := d.get().Gateway, (binding.Name{Namespace: "infra", Name: "llm"}); got != want {
		t.Errorf("gateway %v after the correction, want %v", got, want)
	}
}
