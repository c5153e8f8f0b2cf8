package server

import (
	"log/slog"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"knative.dev/pkg/configmap"
	cminformer "knative.dev/pkg/configmap/informer"
	"knative.dev/pkg/logging"
	asconfig "knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"

	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

func ipaMap(version, tolerance string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ours", Name: config.Name, UID: "uid", ResourceVersion: version},
		Data:       map[string]string{"tolerance": tolerance},
	}
}

// A config-ipa that is broken or deleted keeps the last good one; an empty one is the defaults.
func TestWatchOwn_brokenOrDeletedKeepsTheLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ours", Name: "state-1", Labels: map[string]string{checkpoint.Label: "true"}}}
		client := fake.NewClientset(ipaMap("1", "0.3"), state)
		w, changes := watchOwnNamespace(client, "ours"), 0
		own := newOwnConfig(slog.New(slog.DiscardHandler))
		own.follow(w, func() { changes++ })
		stop := make(chan struct{})
		defer func() { close(stop); synctest.Wait() }()
		if err := w.Start(stop); err != nil {
			t.Fatal(err)
		}
		maps := client.CoreV1().ConfigMaps("ours")
		step := func(name string, edit func() error, want float64, wantChanges int) {
			t.Helper()
			if err := edit(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := own.get().Tolerance; got != want || changes != wantChanges {
				t.Errorf("%s: tolerance %v after %d changes, want %v after %d", name, got, changes, want, wantChanges)
			}
		}
		update := func(cm *corev1.ConfigMap) func() error {
			return func() error { _, err := maps.Update(t.Context(), cm, metav1.UpdateOptions{}); return err }
		}
		step("as it is", func() error { return nil }, 0.3, 1)
		step("broken", update(ipaMap("2", "much")), 0.3, 1)
		step("deleted", func() error { return maps.Delete(t.Context(), config.Name, metav1.DeleteOptions{}) }, 0.3, 1)
		empty := ipaMap("4", "")
		empty.Data = nil
		step("made anew and empty", func() error { _, err := maps.Create(t.Context(), empty, metav1.CreateOptions{}); return err }, 0.1, 2)
	})
}

// Stored states are not watched: the requirement leaves them out.
func TestNoCheckpoints(t *testing.T) {
	r := noCheckpoints()
	if got := r.String(); got != "!knative-inference.dev/checkpoint" {
		t.Errorf("selector %q, want one that leaves the stored states out", got)
	}
}

// Knative's own config maps, broken or deleted, keep the last good one too.
func TestKnativeConfig_brokenOrDeletedKeepsTheLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		autoscaler := func(version, window string) *corev1.ConfigMap {
			return &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: "knative-serving", Name: asconfig.ConfigName, ResourceVersion: version},
				Data:       map[string]string{"stable-window": window},
			}
		}
		client := fake.NewClientset(autoscaler("1", "90s"))
		w := cminformer.NewInformedWatcher(client, "knative-serving")
		var got *autoscalerconfig.Config
		store := configmap.NewUntypedStore("test", logging.FromContext(t.Context()), configmap.Constructors{asconfig.ConfigName: asconfig.NewConfigFromConfigMap},
			func(_ string, v any) { got = v.(*autoscalerconfig.Config) })
		store.WatchConfigs(w)
		stop := make(chan struct{})
		defer func() { close(stop); synctest.Wait() }()
		if err := w.Start(stop); err != nil {
			t.Fatal(err)
		}
		maps := client.CoreV1().ConfigMaps("knative-serving")
		if _, err := maps.Update(t.Context(), autoscaler("2", "soon"), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := maps.Delete(t.Context(), asconfig.ConfigName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got == nil || got.StableWindow.String() != "1m30s" {
			t.Errorf("config-autoscaler = %+v, want the stable window of 90 s", got)
		}
	})
}
