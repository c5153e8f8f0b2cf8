//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/promconfig"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

var scaledObjects = schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}

// follower is a Deployment that KEDA scales by our numbers.
const follower = `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: models}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: IMAGE
        imagePullPolicy: IfNotPresent
        resources: {requests: {cpu: 1m}}
---
`

// rival is a ScaledObject of a Deployment that our class scales.
const rival = `apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: rival, namespace: models}
spec:
  scaleTargetRef: {name: llama-00001-deployment}
  pollingInterval: 5
  minReplicaCount: 4
  maxReplicaCount: 5
  triggers:
  - type: prometheus
    metadata: {serverAddress: "http://prometheus.monitoring:9090", query: vector(5), threshold: "1"}
`

// The steps of docs/keda.md, with its own YAML: KEDA and we share a cluster, two of its
// scalers read our numbers, and a ScaledObject on a Deployment of ours is named.
func TestKEDA(t *testing.T) {
	needMonitoring(t)
	needPart(t, "keda", "IPA_KEDA")
	s := documentedModel(t)
	s.annotations[autoscalingPrefix+"min-scale"] = "1"
	s.start()
	startPrometheus(t, "prometheus", shippedJobs(t))
	t.Run("each owns its API", expectAPIOwners)
	t.Run("scalers", func(t *testing.T) { expectScalers(t, s) })
	t.Run("another writer", func(t *testing.T) { expectRivalNamed(t, s.current()) })
}

func expectAPIOwners(t *testing.T) {
	for name, owner := range map[string]string{
		"v1beta1.external.metrics.k8s.io": "keda-metrics-apiserver",
		"v1beta1.custom.metrics.k8s.io":   ownName,
		"v1beta2.custom.metrics.k8s.io":   ownName,
	} {
		o, err := cluster.dynamic.Resource(apiServices).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := unstructured.NestedString(o.Object, "spec", "service", "name"); got != owner || !conditionTrue(o, "Available") {
			t.Errorf("%s belongs to %s, want %s, available: %v", name, got, owner, o.Object["status"])
		}
	}
}

// expectScalers applies the document's ScaledObjects and loads the model.
func expectScalers(t *testing.T, s *service) {
	document := promconfig.YAML(readFile(t, root+"/docs/keda.md"), "namespace: models")
	image := testbed.Setting("IPA_ENGINE_IMAGE", "dev.local/ipa-e2e-engine:dev")
	text := strings.ReplaceAll(strings.ReplaceAll(follower, "NAME", "cache")+strings.ReplaceAll(follower, "NAME", "router"), "IMAGE", image) + document
	if out, err := testbed.Kubectl(t.Context(), text, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"cache", "router"} {
		waitScaledObject(t, name)
	}
	start := time.Now()
	clients := s.clients(load.Shape{Prompt: 10, Tokens: 60}, 12)
	s.current().waitReplicas(3*settle, "scaled up by slo", exactly(2))
	for name, scaler := range map[string]string{"cache": "prometheus", "router": "metrics-api"} {
		waitReplicasOf(t, name, "by the scaler "+scaler, atLeast(2))
		figure(t, fmt.Sprintf("keda: %s scaled up by the scaler %s %v after the load came", name, scaler, time.Since(start).Round(time.Second)))
	}
	clients.Stop()
	waitReplicasOf(t, "router", "without load", exactly(1))
}

func waitScaledObject(t *testing.T, name string) {
	t.Helper()
	eventually(t, settle, "ScaledObject "+name+" is Ready", func() (bool, string) {
		o, err := cluster.dynamic.Resource(scaledObjects).Namespace("models").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return conditionTrue(o, "Ready"), fmt.Sprint(o.Object["status"])
	})
}

func waitReplicasOf(t *testing.T, deployment, what string, ok func(int32) bool) {
	t.Helper()
	eventually(t, 3*settle, deployment+" "+what, func() (bool, string) {
		d, err := cluster.kube.AppsV1().Deployments("models").Get(t.Context(), deployment, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		state := fmt.Sprint(*d.Spec.Replicas)
		if h, err := cluster.kube.AutoscalingV2().HorizontalPodAutoscalers("models").Get(t.Context(), "keda-hpa-"+deployment, metav1.GetOptions{}); err == nil {
			state += ": " + hpaState(h)
		}
		return ok(*d.Spec.Replicas), state
	})
}

// expectRivalNamed sees the count written by KEDA's HPA, set back, and the writer named.
func expectRivalNamed(t *testing.T, r revision) {
	if out, err := testbed.Kubectl(t.Context(), rival, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitScaledObject(t, "rival")
	eventually(t, 2*settle, "the other writer is named on the PodAutoscaler", func() (bool, string) {
		all := events(t, "models", "PodAutoscaler", r.revision)
		for _, e := range all {
			if containsAll(e, []string{"AnotherWriter", "set the Deployment llama-00001-deployment to ", "ScaledObject"}) {
				figure(t, "keda: "+e)
				return true, ""
			}
		}
		return false, fmt.Sprintf("%d replicas, events %q", r.replicas(), all)
	})
	if out, err := testbed.Kubectl(t.Context(), rival, "delete", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.waitReplicas(settle, "is ours again", func(n int32) bool { return n <= 2 })
}
