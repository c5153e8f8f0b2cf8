package webhook

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	admissionlisters "k8s.io/client-go/listers/admissionregistration/v1"
	"knative.dev/pkg/controller"
	"knative.dev/pkg/reconciler"
)

// cluster is a fake API server with caches that are always fresh.
type cluster struct {
	*bundles
	client *fake.Clientset
}

func newCluster(t *testing.T, objects ...runtime.Object) cluster {
	t.Helper()
	ca := fakeAuthority("")
	if len(objects) > 0 {
		if first, ok := objects[0].(fakeAuthority); ok {
			ca, objects = first, objects[1:]
		}
	}
	client := fake.NewClientset(objects...)
	mutating, validating := newIndexer(), newIndexer()
	for _, o := range objects {
		var err error
		switch o.(type) {
		case *admissionregistrationv1.MutatingWebhookConfiguration:
			err = mutating.Add(o)
		case *admissionregistrationv1.ValidatingWebhookConfiguration:
			err = validating.Add(o)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return cluster{client: client, bundles: &bundles{
		kube: client, key: types.NamespacedName{Namespace: "ours", Name: Name}, name: Name,
		authority: ca, mutating: admissionlisters.NewMutatingWebhookConfigurationLister(mutating),
		validating: admissionlisters.NewValidatingWebhookConfigurationLister(validating),
	}}
}

// lead makes this replica the leader.
func (c cluster) lead(t *testing.T) {
	t.Helper()
	if err := c.Promote(reconciler.UniversalBucket(), nil); err != nil {
		t.Fatal(err)
	}
}

// fakeAuthority is a CA whose certificate this replica serves; "" before there is one.
type fakeAuthority string

func (a fakeAuthority) Bundle() []byte {
	if a == "" {
		return nil
	}
	return []byte(a)
}

func (a fakeAuthority) TrustedBy(bundle []byte) bool {
	return strings.Contains(string(bundle), string(a))
}

// The objects of a test may begin with the authority.
func (a fakeAuthority) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (a fakeAuthority) DeepCopyObject() runtime.Object   { return a }

func mutatingConfig(ca string) *admissionregistrationv1.MutatingWebhookConfiguration {
	policy := admissionregistrationv1.Ignore
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: map[string]string{"an": "administrator's"}},
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			{Name: "a", FailurePolicy: &policy, ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: []byte(ca)}},
			{Name: "b", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: []byte(ca)}},
		},
	}
}

func validatingConfig(ca string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: Name},
		Webhooks:   []admissionregistrationv1.ValidatingWebhook{{Name: "c", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: []byte(ca)}}},
	}
}

func TestBundles(t *testing.T) {
	tests := []struct {
		name    string
		objects []runtime.Object
		writes  int
		ready   bool
	}{
		{"a new installation", []runtime.Object{fakeAuthority("ca"), mutatingConfig(""), validatingConfig("")}, 2, false},
		{"a new certificate", []runtime.Object{fakeAuthority("ca"), mutatingConfig("old"), validatingConfig("old")}, 2, false},
		{"one of the two was applied anew", []runtime.Object{fakeAuthority("ca"), mutatingConfig("ca"), validatingConfig("")}, 1, false},
		{"all is well", []runtime.Object{fakeAuthority("ca"), mutatingConfig("ca"), validatingConfig("ca")}, 0, true},
		{"the Secret is empty still", []runtime.Object{fakeAuthority(""), mutatingConfig(""), validatingConfig("")}, 0, false},
		{"no certificate", []runtime.Object{mutatingConfig("ca")}, 0, false},
		{"the next CA is added before its certificate is served", []runtime.Object{fakeAuthority("ca"), mutatingConfig("next ca"), validatingConfig("next ca")}, 2, true},
		{"nobody calls us", []runtime.Object{fakeAuthority("ca")}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, tt.objects...)
			c.lead(t)
			if got := c.ready(); got != tt.ready {
				t.Errorf("ready before: %t, want %t", got, tt.ready)
			}
			if err := c.Reconcile(t.Context(), "ours/"+Name); err != nil {
				t.Fatal(err)
			}
			if got := len(c.client.Actions()); got != tt.writes {
				t.Errorf("%d writes, want %d: %v", got, tt.writes, c.client.Actions())
			}
		})
	}
}

// Only the bundle is ours; a standby writes nothing at all.
func TestBundles_onlyTheBundleByTheLeader(t *testing.T) {
	c := newCluster(t, fakeAuthority("ca"), mutatingConfig("old"), validatingConfig("old"))
	if err := c.Reconcile(t.Context(), "ours/"+Name); !controller.IsSkipKey(err) || len(c.client.Actions()) > 0 {
		t.Errorf("a standby answered %v and did %v", err, c.client.Actions())
	}
	c.lead(t)
	if err := c.Reconcile(t.Context(), "ours/"+Name); err != nil {
		t.Fatal(err)
	}
	got, err := c.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(context.Background(), Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got.ManagedFields = nil
	if diff := cmp.Diff(mutatingConfig("ca"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
