//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// plainPool is a Deployment of engines behind a pool, with a plain HPA on the
// pool's metric: nothing of Knative and nothing of ours but the metrics API.
const plainPool = `apiVersion: apps/v1
kind: Deployment
metadata: {name: plain}
spec:
  replicas: 1
  selector: {matchLabels: {app: plain}}
  template:
    metadata: {labels: {app: plain}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: engine
        image: %s
        imagePullPolicy: IfNotPresent
        ports: [{containerPort: 8000}]
        readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1}
---
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: plain}
spec:
  selector: {matchLabels: {app: plain}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: plain-epp, port: {number: 9002}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: plain}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: plain}
  minReplicas: 1
  maxReplicas: 3
  metrics:
  - type: Object
    object:
      describedObject: {apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, name: plain}
      metric: {name: num_requests_waiting}
      target: {type: AverageValue, averageValue: "4"}
`

// The metrics API speaks of a pool, and a plain HPA scales a Deployment on it.
func TestGatewayPoolMetricsScaleAPlainDeployment(t *testing.T) {
	t.Parallel()
	needGateway(t)
	namespace := namespaceFor(t)
	image := testbed.Setting("IPA_ENGINE_IMAGE", "dev.local/ipa-e2e-engine:dev")
	if _, err := testbed.Kubectl(t.Context(), fmt.Sprintf(plainPool, image), "-n", namespace, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	pod := plainPod(t, namespace)
	s := &service{t: t, namespace: namespace}
	s.tell(pod, page{Running: 3, Waiting: 11, KV: 0.5})
	const pool = "inferencepools.inference.networking.k8s.io"
	eventually(t, settle, "the pool's metric is what its pod says", func() (bool, string) {
		got := values(t, metricPath(namespace, pool, "plain", "num_requests_waiting"))
		return len(got) == 1 && got[0].Value.Value() == 11, fmt.Sprint(got)
	})
	hpa := func() *autoscalingv2.HorizontalPodAutoscaler {
		h, err := cluster.kube.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(t.Context(), "plain", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	eventually(t, settle, "the HPA scaled the Deployment to 3", func() (bool, string) {
		h := hpa()
		return h.Status.DesiredReplicas == 3, hpaState(h)
	})
	s.tell(pod, page{})
	eventually(t, 3*time.Minute, "the HPA scaled it back", func() (bool, string) {
		h := hpa()
		return h.Status.DesiredReplicas == 1, hpaState(h)
	})
}

func plainPod(t *testing.T, namespace string) (pod corev1.Pod) {
	t.Helper()
	eventually(t, settle, "the Deployment has a Ready pod", func() (bool, string) {
		list, err := cluster.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=plain"})
		if err != nil || len(list.Items) == 0 {
			return false, fmt.Sprint(err)
		}
		pod = list.Items[0]
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return true, ""
			}
		}
		return false, pod.Name
	})
	return pod
}
