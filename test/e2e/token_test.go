//go:build e2e

package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// An engine whose metrics endpoint asks for a token: without a right to the Secret the
// condition prints the commands that give it; these very commands give it, and to no other
// Secret; a token that changes, in engine and Secret, is used without a restart. The token
// is in no log, no event and no status.
func TestEngineToken(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	const first, second = "e2e-token-1-9f8e7d6c", "e2e-token-2-1a2b3c4d"
	namespace := namespaceFor(t)
	setToken(t, namespace, first)
	s := standIn(t, namespace, "guarded", annotations{
		"metric": "num_requests_running", "target": "2", "max-scale": "3", "knative-inference.dev/metrics-token-secret": "engine-token/key",
	}, "-metrics-token="+first).start()
	r := s.current()

	r.waitReadable("EngineTokenForbidden", "False")
	commands := regexp.MustCompile(`kubectl -n .*`).FindString(r.pa().Status.GetCondition("EngineReadable").Message)
	waitEvent(t, namespace, "Service", s.name, "Warning EngineTokenForbidden", "kubectl -n "+namespace+" create role")
	run(t, commands)
	r.waitReadable("EngineReadable", "True")
	s.tell(r.readyPods()[0], page{Running: 6})
	r.waitReplicas(settle, "scaled on a page that asks for a token", exactly(3))
	expectOneSecret(t, namespace)
	r.waitPods(settle, 3)

	for _, pod := range r.readyPods() {
		s.tell(pod, page{Token: second})
	}
	setToken(t, namespace, second)
	r.waitReplicas(2*settle, "scaled down by pages with the new token", exactly(1))
	r.waitReadable("EngineReadable", "True")
	expectUnseen(t, namespace, first, second)
}

// setToken makes the Secret engine-token, or changes the token in it.
func setToken(t *testing.T, namespace, token string) {
	t.Helper()
	secrets := cluster.kube.CoreV1().Secrets(namespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "engine-token"}, StringData: map[string]string{"key": token + "\n"}}
	_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
	if err != nil {
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run has a shell run commands that a message prints.
func run(t *testing.T, commands string) {
	t.Helper()
	commands = strings.ReplaceAll(commands, "kubectl ", testbed.Setting("KUBECTL", "kubectl")+" ")
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", commands).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", commands, err, out)
	}
}

func (r revision) waitReadable(reason, status string) {
	r.t.Helper()
	eventually(r.t, 2*settle, "EngineReadable is "+status+", "+reason, func() (bool, string) {
		c := r.pa().Status.GetCondition("EngineReadable")
		return c != nil && c.Reason == reason && string(c.Status) == status, r.state()
	})
}

// expectOneSecret asks the API server as the autoscaler: the granted Secret by its name, and nothing else.
func expectOneSecret(t *testing.T, namespace string) {
	t.Helper()
	secrets := as(t, ownName).CoreV1().Secrets(namespace)
	if _, err := secrets.Get(t.Context(), "engine-token", metav1.GetOptions{}); err != nil {
		t.Errorf("the granted Secret: %v", err)
	}
	if _, err := secrets.Get(t.Context(), "another", metav1.GetOptions{}); err == nil || !strings.Contains(err.Error(), "is forbidden") {
		t.Errorf("another Secret: %v, want it forbidden", err)
	}
	if _, err := secrets.List(t.Context(), metav1.ListOptions{}); err == nil || !strings.Contains(err.Error(), "is forbidden") {
		t.Errorf("a list of Secrets: %v, want it forbidden", err)
	}
}

// expectUnseen looks for the tokens wherever the product writes.
func expectUnseen(t *testing.T, namespace string, tokens ...string) {
	t.Helper()
	for _, args := range [][]string{
		{"-n", namespace, "get", "podautoscalers,events", "-o", "yaml"},
		{"-n", ownNamespace, "get", "configmaps,events", "-o", "yaml"},
		{"-n", ownNamespace, "logs", "-l", "app.kubernetes.io/part-of=autoscaler-adapter", "--prefix", "--tail=-1"},
	} {
		out, err := testbed.Kubectl(t.Context(), "", args...)
		if err != nil || out == "" {
			t.Errorf("%q: %d bytes, %v", args, len(out), err)
		}
		for _, token := range tokens {
			if strings.Contains(out, token) {
				t.Errorf("kubectl %q shows %s", args, token)
			}
		}
	}
}
