//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const knativeNamespace = "knative-serving"

// ACK's walk-through: its Gateway with only the class changed, Knative's own
// routes on that Gateway too, its Service unchanged but for the sizes of cpu and
// memory, its curl on port 8888. The GPU is an extended resource of the node,
// the claim is bound to a directory, and the image under its own name holds the
// engine simulator.
//
// Sequential: it changes Knative's config maps and the node for its time.
func TestGatewayACKWalkThrough(t *testing.T) {
	needIstio(t, "the test-only Knative ingress is for Istio's Gateway")
	needGateway(t)
	text := seed(t, "ack-qwen-service.yaml")
	precondition(t, "config-features", map[string]string{
		"kubernetes.podspec-persistent-volume-claim": "enabled", "kubernetes.podspec-persistent-volume-write": "enabled",
	})
	precondition(t, "config-network", map[string]string{"ingress-class": "gateway-api.ingress.networking.knative.dev"})
	// The node knows the image already, and its registry cannot be asked.
	precondition(t, "config-deployment", map[string]string{"registries-skipping-tag-resolving": "dev.local,ac2-registry.cn-hangzhou.cr.aliyuncs.com"})
	if out, err := testbed.Kubectl(t.Context(), text, "apply", "--dry-run=server", "-f", "-"); err != nil {
		t.Fatalf("the untouched Service is refused: %v %s", err, out)
	}
	giveGPU(t)
	giveClaim(t)
	sized := strings.NewReplacer("memory: 64Gi", "memory: 512Mi", "memory: 32Gi", "memory: 64Mi", `cpu: "32"`, `cpu: "1"`, `cpu: "8"`, `cpu: 50m`).Replace(text)
	if _, err := testbed.Kubectl(t.Context(), sized, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeACK(t) })
	s := &service{t: t, namespace: "default", name: "qwen", model: "/models/Qwen1.5-4B-Chat/"}
	s.waitReady(90 * time.Second)
	s.waitCondition("Ready", "True")
	t.Run("curl", func(t *testing.T) { expectACKAnswer(t) })
	t.Run("described", func(t *testing.T) { expectDescribed(t, s) })
	t.Run("Knative's own route on the same Gateway", func(t *testing.T) { expectKnativeRoute(t, s) })
}

// seed reads a document of the walk-throughs, which are not part of this repository.
func seed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testbed.Setting("IPA_SEEDS", "/work/shared/reference/seeds"), name))
	if err != nil {
		t.Skipf("SKIPPED: %v; IPA_SEEDS names the directory of the walk-throughs' files", err)
	}
	return string(text)
}

// precondition merges data into a config map of Knative for the time of the test.
func precondition(t *testing.T, name string, data map[string]string) {
	t.Helper()
	maps := cluster.kube.CoreV1().ConfigMaps(knativeNamespace)
	before, err := maps.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed := before.DeepCopy()
	for k, v := range data {
		changed.Data[k] = v
	}
	if _, err := maps.Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, err := maps.Get(context.Background(), name, metav1.GetOptions{})
		if err == nil {
			now.Data = before.Data
			_, err = maps.Update(context.Background(), now, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Errorf("restoring %s: %v", name, err)
		}
	})
}

// giveGPU advertises an extended resource, as Kubernetes documents it for tests.
func giveGPU(t *testing.T) {
	t.Helper()
	nodes, err := cluster.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatal("no node", err)
	}
	node := nodes.Items[0].Name
	patch := func(ctx context.Context, op string) error {
		body := fmt.Sprintf(`[{"op":%q,"path":"/status/capacity/nvidia.com~1gpu","value":"4"},{"op":%q,"path":"/status/allocatable/nvidia.com~1gpu","value":"4"}]`, op, op)
		_, err := cluster.kube.CoreV1().Nodes().Patch(ctx, node, types.JSONPatchType, []byte(body), metav1.PatchOptions{}, "status")
		return err
	}
	if err := patch(t.Context(), "add"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := patch(context.Background(), "remove"); err != nil {
			t.Errorf("taking the GPU away: %v", err)
		}
	})
}

const ackClaim = `apiVersion: v1
kind: PersistentVolume
metadata: {name: llm-model, labels: {alicloud-pvname: llm-model}}
spec:
  capacity: {storage: 30Gi}
  accessModes: [ReadWriteMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: oss
  hostPath: {path: /tmp}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: llm-model, namespace: default}
spec:
  accessModes: [ReadWriteMany]
  storageClassName: oss
  resources: {requests: {storage: 30Gi}}
  selector: {matchLabels: {alicloud-pvname: llm-model}}
`

func giveClaim(t *testing.T) {
	t.Helper()
	if _, err := testbed.Kubectl(t.Context(), ackClaim, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := testbed.Kubectl(context.Background(), ackClaim, "delete", "--ignore-not-found", "--timeout=60s", "-f", "-"); err != nil {
			t.Errorf("removing the claim: %v", err)
		}
	})
}

// removeACK deletes the Service and does not wait for its pods to drain.
func removeACK(t *testing.T) {
	ctx := context.Background()
	if t.Failed() {
		diagnose(ctx, t, "default")
	}
	if err := cluster.knative.ServingV1().Services("default").Delete(ctx, "qwen", metav1.DeleteOptions{}); err != nil && !apierrs.IsNotFound(err) {
		t.Error(err)
	}
	for range 3 {
		_, _ = testbed.Kubectl(ctx, "", "-n", "default", "delete", "pods", "-l", "serving.knative.dev/service=qwen", "--force", "--grace-period=0")
		time.Sleep(time.Second)
	}
}

// expectACKAnswer sends the walk-through's own request.
func expectACKAnswer(t *testing.T) {
	const body = `{"model": "/models/Qwen1.5-4B-Chat/", "messages": [{"role": "user", "content": "Describe Kubernetes in one sentence."}], "max_tokens": 50}`
	eventually(t, settle, "the walk-through's curl answers with choices", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s:%d/v1/chat/completions", theGateway.address, llmPort), strings.NewReader(body))
		if err != nil {
			return false, err.Error()
		}
		req.Host = "qwen.default.example.com"
		req.Header.Set("Content-Type", "application/json")
		a, err := do(req)
		if err != nil {
			return false, err.Error()
		}
		return a.status == 200 && strings.Contains(a.body, `"choices":[{`), a.String()
	})
}

// expectDescribed looks at what a user sees: our class, the objective, the
// binding's columns, the events.
func expectDescribed(t *testing.T, s *service) {
	r := s.current()
	if got := r.pa().Annotations[autoscalingPrefix+"class"]; got != class {
		t.Errorf("the revision's class is %q, want %q by the webhook", got, class)
	}
	found := list(t, objectives, s.namespace)
	if len(found) != 1 || found[0].Object["spec"].(map[string]any)["priority"] != int64(1) {
		t.Errorf("want one InferenceObjective of priority 1, got %v", found)
	}
	waitEvent(t, s.namespace, "Service", s.name, "InferenceGatewayReady")
	columns, err := testbed.Kubectl(t.Context(), "", "-n", s.namespace, "get", "inferencebindings", s.name)
	if err != nil || !containsAll(columns, []string{"http://qwen.default.example.com:8888", "knative-serving/knative-gateway", "True"}) {
		t.Errorf("the columns do not answer whether it works: %v %s", err, columns)
	}
	for _, args := range [][]string{
		{"-n", s.namespace, "get", "inferencebindings", s.name},
		{"-n", s.namespace, "describe", "inferencebinding", s.name},
		{"-n", s.namespace, "describe", "ksvc", s.name},
		{"-n", gatewayNamespace, "get", "gateway", gatewayName},
	} {
		out, err := testbed.Kubectl(t.Context(), "", args...)
		if err != nil {
			t.Error(err)
		}
		keep(t, "ack", strings.Join(args[2:], "-"), out)
	}
}

// expectKnativeRoute: any other path goes Knative's way, on every listener.
func expectKnativeRoute(t *testing.T, s *service) {
	for _, listener := range []int{80, llmPort} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%d/v1/models", theGateway.address, listener), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = s.host()
		a, err := do(req)
		if err != nil || a.status != 200 || !strings.Contains(a.body, "Qwen1.5-4B-Chat") {
			t.Errorf("GET /v1/models on port %d: %v %v", listener, a, err)
		}
	}
}
