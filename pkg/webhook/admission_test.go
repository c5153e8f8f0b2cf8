package webhook

import (
	"encoding/json"
	"log/slog"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	netlisters "knative.dev/networking/pkg/client/listers/networking/v1alpha1"
	"knative.dev/pkg/configmap"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	servinglisters "knative.dev/serving/pkg/client/listers/serving/v1"
	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// caches holds what the informers would hold.
func caches(t *testing.T, objects ...any) Caches {
	t.Helper()
	services, ingresses, revisions := newIndexer(), newIndexer(), newIndexer()
	for _, o := range objects {
		var err error
		switch o := o.(type) {
		case *servingv1.Service:
			err = services.Add(o)
		case *servingv1.Revision:
			err = revisions.Add(o)
		case *netv1alpha1.Ingress:
			err = ingresses.Add(o)
		default:
			t.Fatalf("no cache of %T", o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Caches{
		Services: servinglisters.NewServiceLister(services), Ingresses: netlisters.NewIngressLister(ingresses), Revisions: servinglisters.NewRevisionLister(revisions),
		Defaults: func() binding.Defaults { d, _ := binding.ParseDefaults(nil); return d },
		KeptOut:  func(string, string) bool { return false }, Installed: func() bool { return true },
		DefaultClass: func() string { return "kpa.autoscaling.knative.dev" }, Opened: func() bool { return true },
		Foreign: func(_, pool string) map[string]string {
			return map[string]map[string]string{"theirs": {"app": "x", "serving.knative.dev/service": "y", "pod-template-hash": "7d5b9c", "pool": "theirs"}}[pool]
		},
	}
}

func newIndexer() cache.Indexer {
	return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
}

// judging builds the validation with Knative's config maps as given.
func judging(t *testing.T, c Caches, maps ...*corev1.ConfigMap) judgement {
	t.Helper()
	for _, name := range []string{"config-features", "config-defaults", "config-autoscaler"} {
		maps = append([]*corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: name}}}, maps...)
	}
	w := configmap.NewStaticWatcher(maps...)
	cluster, err := WatchCluster(w, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return judgement{Caches: c, cluster: cluster, own: bounded100}
}

// bounded100 is config-ipa with a max-scale-default, so that tests about other things meet no warning of it.
func bounded100() *config.Config {
	c := config.Default()
	c.MaxScale = 100
	return c
}

func configMap(name, key, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{key: value}}
}

// review is the request for one object in YAML; old is "" on a create.
func review(t *testing.T, object, old string) *admissionv1.AdmissionRequest {
	t.Helper()
	r := &admissionv1.AdmissionRequest{Namespace: "default", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: asJSON(t, object)}}
	if old != "" {
		r.Operation, r.OldObject.Raw = admissionv1.Update, asJSON(t, old)
	}
	return r
}

func asJSON(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// patched applies an answer as the API server does.
func patched(t *testing.T, r *admissionv1.AdmissionRequest, a *admissionv1.AdmissionResponse) map[string]any {
	t.Helper()
	if !a.Allowed {
		t.Fatalf("refused: %v", a.Result)
	}
	raw := r.Object.Raw
	if len(a.Patch) > 0 {
		p, err := jsonpatch.DecodePatch(a.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = p.Apply(raw); err != nil {
			t.Fatalf("patch %s: %v", a.Patch, err)
		}
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func service(t *testing.T, text string) *servingv1.Service {
	t.Helper()
	s := &servingv1.Service{}
	if err := yaml.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return s
}
