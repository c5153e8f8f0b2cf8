package servingcert

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const (
	testNamespace = "knative-inference"
	testSecret    = "autoscaler-adapter-tls"
)

func replica(client *fake.Clientset) *Certificates {
	return New(client.CoreV1().Secrets(testNamespace), testSecret, testHost, slog.New(slog.DiscardHandler))
}

func mustSync(t *testing.T, c *Certificates, now time.Time) {
	t.Helper()
	if err := c.Sync(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func storedSecret(t *testing.T, client *fake.Clientset) *corev1.Secret {
	t.Helper()
	secret, err := client.CoreV1().Secrets(testNamespace).Get(t.Context(), testSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func served(c *Certificates) string {
	cert, _ := c.CurrentCertKeyContent()
	return string(cert)
}

// emptySecret is what the install YAML holds, so that removing it removes the certificate.
func emptySecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: testSecret, Namespace: testNamespace, Labels: map[string]string{"app": "autoscaler-adapter"},
	}}
}

func TestCertificates_replicas_agree(t *testing.T) {
	for name, client := range map[string]*fake.Clientset{
		"no secret":    fake.NewClientset(),
		"empty secret": fake.NewClientset(emptySecret()),
	} {
		t.Run(name, func(t *testing.T) {
			first, second := replica(client), replica(client)
			if served(first) != "" || first.Bundle() != nil {
				t.Error("a certificate before the first Sync")
			}
			mustSync(t, first, day(0))
			mustSync(t, second, day(0))
			if served(first) == "" || served(first) != served(second) || !bytes.Equal(first.Bundle(), second.Bundle()) {
				t.Error("the replicas serve different certificates")
			}
		})
	}
}

func TestCertificates_keep_the_labels_of_the_shipped_secret(t *testing.T) {
	client := fake.NewClientset(emptySecret())
	mustSync(t, replica(client), day(0))
	if got := storedSecret(t, client); got.Labels["app"] != "autoscaler-adapter" || len(got.Data) != 3 {
		t.Errorf("labels %v and %d keys, want the label kept and 3 keys", got.Labels, len(got.Data))
	}
}

// The replica that loses the race to write reads what the winner wrote.
func TestCertificates_lost_race(t *testing.T) {
	for verb, client := range map[string]*fake.Clientset{"create": fake.NewClientset(), "update": fake.NewClientset(emptySecret())} {
		t.Run(verb, func(t *testing.T) {
			winner := replica(fake.NewClientset())
			mustSync(t, winner, day(0))
			lost := false
			client.PrependReactor(verb, "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
				if lost {
					return false, nil, nil
				}
				lost = true
				secret := emptySecret()
				cert, key := winner.CurrentCertKeyContent()
				secret.Data = certificate{cert: cert, key: key, bundle: winner.Bundle()}.data()
				gvr := corev1.SchemeGroupVersion.WithResource("secrets")
				if verb == "create" {
					if err := client.Tracker().Create(gvr, secret, testNamespace); err != nil {
						return true, nil, err
					}
					return true, nil, apierrors.NewAlreadyExists(schema.GroupResource{Resource: "secrets"}, testSecret)
				}
				if err := client.Tracker().Update(gvr, secret, testNamespace); err != nil {
					return true, nil, err
				}
				return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "secrets"}, testSecret, errors.New("changed"))
			})
			loser := replica(client)
			if err := loser.Sync(t.Context(), day(0)); err == nil {
				t.Fatal("the lost write is no error")
			}
			mustSync(t, loser, day(0))
			if served(loser) != served(winner) {
				t.Error("the loser serves a certificate of its own")
			}
		})
	}
}

// At no time does a replica serve a certificate that the bundle of the other does not trust.
func TestCertificates_renewal(t *testing.T) {
	client := fake.NewClientset()
	first, second := replica(client), replica(client)
	mustSync(t, first, day(0))
	mustSync(t, second, day(0))
	old := served(first)
	var told counter
	first.AddListener(&told)

	renewal := day(244)
	for _, step := range []struct {
		after     time.Duration // of the renewal
		who       *Certificates
		wantOld   bool
		wantRoots int
	}{
		{0, first, true, 2},                 // writes A+B, still serves A
		{30 * time.Second, second, true, 2}, // reads A+B
		{time.Minute, first, false, 2},      // the bundle has been out for a minute: serves B
		{90 * time.Second, second, false, 2},
		{24 * 200 * time.Hour, first, false, 2}, // the bundle is the Secret's until the next renewal
	} {
		mustSync(t, step.who, renewal.Add(step.after))
		if got := served(step.who) == old; got != step.wantOld {
			t.Errorf("after %v: serves the old certificate = %v, want %v", step.after, got, step.wantOld)
		}
		if got := len(certificates(t, step.who.Bundle())); got != step.wantRoots {
			t.Errorf("after %v: %d CAs, want %d", step.after, got, step.wantRoots)
		}
		for _, other := range []*Certificates{first, second} {
			cert, key := step.who.CurrentCertKeyContent()
			if other == step.who || step.after > 0 { // the other one has read the Secret by then
				if _, err := read(testHost, certificate{cert: cert, key: key, bundle: other.Bundle()}.data(), renewal.Add(step.after)); err != nil {
					t.Errorf("after %v: %v", step.after, err)
				}
			}
		}
	}
	if told != 1 {
		t.Errorf("the API server was told of a change %d times, want 1", told)
	}
}

func TestCertificates_replace_what_is_broken(t *testing.T) {
	for name, spoil := range map[string]func(map[string][]byte){
		"garbage":  func(d map[string][]byte) { d[certKey] = []byte("garbage") },
		"no key":   func(d map[string][]byte) { delete(d, keyKey) },
		"no CA":    func(d map[string][]byte) { d[bundleKey] = nil },
		"all gone": func(d map[string][]byte) { clear(d) },
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			c := replica(client)
			mustSync(t, c, day(0))
			before := firstBlock(c.Bundle())

			secret := storedSecret(t, client)
			spoil(secret.Data)
			if _, err := client.CoreV1().Secrets(testNamespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			mustSync(t, c, day(1))
			got := storedSecret(t, client).Data
			if _, err := read(testHost, got, day(1)); err != nil {
				t.Error(err)
			}
			if !bytes.Contains(c.Bundle(), before) {
				t.Error("the CA of the certificate still served is not trusted any more")
			}
		})
	}
}

// While the cluster cannot be reached the certificate at hand goes on.
func TestCertificates_outage(t *testing.T) {
	client := fake.NewClientset()
	c := replica(client)
	mustSync(t, c, day(0))
	before := served(c)
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	if err := c.Sync(t.Context(), day(1)); err == nil || !strings.Contains(err.Error(), "secret autoscaler-adapter-tls: connection refused") {
		t.Errorf("got %v, want an error that names the Secret", err)
	}
	if served(c) != before || len(c.Bundle()) == 0 {
		t.Error("the certificate at hand was dropped")
	}
}

// A replica that slept past the end of its certificate takes the new one at once.
func TestCertificates_ended_while_asleep(t *testing.T) {
	client := fake.NewClientset()
	awake, asleep := replica(client), replica(client)
	mustSync(t, awake, day(0))
	mustSync(t, asleep, day(0))
	mustSync(t, awake, day(300))
	mustSync(t, asleep, day(400))
	cert, key := asleep.CurrentCertKeyContent()
	if _, err := read(testHost, certificate{cert: cert, key: key, bundle: asleep.Bundle()}.data(), day(400)); err != nil {
		t.Error(err)
	}
}

// counter counts; tests use it from one goroutine.
type counter int

func (c *counter) Enqueue() { *c++ }
