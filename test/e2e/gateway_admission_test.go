//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"knative.dev/pkg/ptr"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const (
	routedLabel  = "knative-inference.dev/routed"
	gatewayLease = "autoscaler-adapter-gateway-00-of-01"
)

// admitted is a Service that names no class and runs a vLLM without
// --shutdown-timeout.
const admitted = `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: admitted
  annotations:
    knative-inference.dev/ai-gateway: %q
    knative-inference.dev/objectives: %q
    knative-inference.dev/hostnames: %q
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/min-scale: "1"}
    spec:
      timeoutSeconds: 60
      containers:
      - image: %s
        command: [sh, -c, "python3 -m vllm.entrypoints.openai.api_server --port 8000 --model m --max-model-len 8192"]
        ports: [{containerPort: 8000}]
`

// What a user hears at kubectl apply: a wrong value is refused with its field
// and what is allowed, what will hurt is a warning, our class is set on create
// and carried over by an update that names none, without a new revision.
func TestGatewayAdmission(t *testing.T) {
	t.Parallel()
	needGateway(t)
	namespace := namespaceFor(t)
	own := "chat." + namespace + ".example.com"
	manifest := func(gateway, objectives, hosts string) string {
		return fmt.Sprintf(admitted, gateway, objectives, hosts, testbed.Setting("IPA_VLLM_IMAGE", "ac2-registry.cn-hangzhou.cr.aliyuncs.com/ac2/vllm:0.4.1-ubuntu22.04"))
	}
	for _, c := range []struct{ gateway, objectives, hosts, field string }{
		{"interference", "vip=1", own, "metadata.annotations[knative-inference.dev/ai-gateway]"},
		{"inference", "vip=very", own, "metadata.annotations[knative-inference.dev/objectives]"},
		{"inference", "vip=1", "www.bank.example.com", "metadata.annotations[knative-inference.dev/hostnames]"},
	} {
		said, err := say(t.Context(), manifest(c.gateway, c.objectives, c.hosts), "-n", namespace, "apply", "-f", "-")
		if err == nil || !strings.Contains(said, c.field) {
			t.Errorf("want a refusal that names %s, got %v: %s", c.field, err, said)
		}
	}
	said, err := say(t.Context(), manifest("inference", "vip=1", own), "-n", namespace, "apply", "-f", "-")
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, part := range []string{"--shutdown-timeout", "timeoutSeconds"} {
		if !strings.Contains(said, "Warning: ") || !strings.Contains(said, part) {
			t.Errorf("no warning of %s: %s", part, said)
		}
	}
	s := &service{t: t, namespace: namespace, name: "admitted"}
	classIs := func(when string) {
		svc, err := cluster.knative.ServingV1().Services(namespace).Get(t.Context(), s.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := svc.Spec.Template.Annotations[autoscalingPrefix+"class"]; got != class {
			t.Errorf("%s the class is %q, want %q", when, got, class)
		}
	}
	classIs("after create")
	eventually(t, settle, "a revision", func() (bool, string) { return s.latest() != "", "" })
	first := s.latest()
	s.update(func(svc *servingv1.Service) {
		delete(svc.Spec.Template.Annotations, autoscalingPrefix+"class")
		svc.Annotations["knative-inference.dev/objectives"] = "vip=2"
	})
	classIs("after an update that names none")
	always(t, 5*time.Second, "no new revision", func() (bool, string) { return s.latest() == first, s.latest() })
}

// say runs kubectl and returns all that it said, warnings included.
func say(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, testbed.Setting("KUBECTL", "kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// While nobody leads, a new pod is born with its label all the same, so that the
// pool knows it; a pod of a revision without traffic is born without. Existing
// revisions and Deployments are not touched.
//
// Sequential: it takes the leases away from the product.
func TestGatewayPodsAreBornLabelled(t *testing.T) {
	needGateway(t)
	s := standIn(t, namespaceFor(t), "born", annotations{"min-scale": "1", "max-scale": "2"}).behindGateway(nil).start()
	stable := s.current()
	s.waitCondition("Ready", "True")
	s.update(func(svc *servingv1.Service) {
		svc.Spec.Template.Spec.Containers[0].Args = []string{"-token=10ms"}
		svc.Spec.Traffic = []servingv1.TrafficTarget{
			{RevisionName: stable.revision, Percent: ptr.Int64(100)},
			{LatestRevision: ptr.Bool(true), Percent: ptr.Int64(0), Tag: "next"},
		}
	})
	s.waitReady(settle)
	idle := s.current()
	deployments := stable.deployment().Generation + idle.deployment().Generation
	defer takeLeases(t, leaseName, gatewayLease)()
	if identity, _ := holder(t); identity != "nobody" {
		t.Fatalf("the lease is held by %s", identity)
	}
	for _, r := range []revision{stable, idle} {
		born := r.replacePod()
		if got, want := born.Labels[routedLabel] == "true", r == stable; got != want {
			t.Errorf("a new pod of %s is routed: %v, want %v; labels %v", r.revision, got, want, born.Labels)
		}
	}
	if now := stable.deployment().Generation + idle.deployment().Generation; now != deployments {
		t.Error("a Deployment was changed")
	}
}

// takeLeases makes nobody the leader until the returned function is called.
func takeLeases(t *testing.T, names ...string) (giveBack func()) {
	t.Helper()
	hold := func() (err error) {
		for _, name := range names {
			err = errors.Join(err, holdLease(name))
		}
		return err
	}
	if err := hold(); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				_ = hold() // again in a second
			}
		}
	}()
	time.Sleep(12 * time.Second) // the last leader finds out when it renews
	return func() {
		close(stop)
		<-ended
		waitBothReplicas(t)
	}
}

// holdLease renews a lease for somebody who does not exist.
func holdLease(name string) error {
	leases := cluster.kube.CoordinationV1().Leases(ownNamespace)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		lease, err := leases.Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.NowMicro()
		lease.Spec.HolderIdentity, lease.Spec.RenewTime = ptr.String("nobody"), &now
		_, err = leases.Update(context.Background(), lease, metav1.UpdateOptions{})
		return err
	})
}

// replacePod deletes the revision's pod and returns the one that comes in its place.
func (r revision) replacePod() (born corev1.Pod) {
	r.t.Helper()
	old := map[types.UID]bool{}
	for _, p := range r.pods() {
		old[p.UID] = true
		if err := cluster.kube.CoreV1().Pods(r.namespace).Delete(r.t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)}); err != nil {
			r.t.Fatal(err)
		}
	}
	eventually(r.t, settle, "a new pod of "+r.revision, func() (bool, string) {
		for _, p := range r.pods() {
			if !old[p.UID] {
				born = p
				return true, ""
			}
		}
		return false, fmt.Sprint(len(old), " old ones")
	})
	return born
}
