//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// A ClusterServingRuntime whose spec.annotations name our class, and an InferenceService of its
// model format that names none.
const servingRuntime = `apiVersion: serving.kserve.io/v1alpha1
kind: ClusterServingRuntime
metadata:
  name: e2e-sim
spec:
  annotations: {autoscaling.knative.dev/class: %s, autoscaling.knative.dev/window: 10s}
  supportedModelFormats: [{name: e2e-sim, version: "1", autoSelect: true}]
  containers:
  - name: kserve-container
    image: %s
    args: [--port=8000, --model=sim, --force-dummy-tokenizer=true, --max-model-len=8192]
    env: [{name: POD_IP, value: "127.0.0.1"}]
    ports: [{containerPort: 8000, protocol: TCP}]
    readinessProbe: {httpGet: {path: /health/ready, port: 8000}, periodSeconds: 1}
    resources: {requests: {cpu: 20m, memory: 64Mi}, limits: {cpu: "1", memory: 512Mi}}
`

const serviceOfRuntime = `apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: %s
  namespace: %s
  annotations: {serving.kserve.io/deploymentMode: Knative%s}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 2
    model: {modelFormat: {name: e2e-sim}, runtime: e2e-sim}
`

// The class in a ClusterServingRuntime is that of its InferenceServices, where default-class does
// not hold; one that an InferenceService names wins. The pods do not start here: KServe adds an agent to a
// model without storageUri, and neither its image nor that of the storage initializer is built.
func kserveRuntime(t *testing.T) {
	namespace := namespaceFor(t)
	applied := func(what, yaml string) {
		eventually(t, settle, what+" is applied", func() (bool, string) {
			out, err := testbed.Kubectl(t.Context(), yaml, "apply", "-f", "-")
			return err == nil, fmt.Sprint(out, err)
		})
	}
	t.Cleanup(func() { // while KServe's controller is there to take its finalizers off
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		for _, args := range [][]string{{"-n", namespace, "delete", "inferenceservices", "--all", "--timeout=110s"}, {"delete", "clusterservingruntime", "e2e-sim", "--ignore-not-found"}} {
			if out, err := testbed.Kubectl(ctx, "", args...); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	})
	applied("the ClusterServingRuntime", fmt.Sprintf(servingRuntime, class, testbed.Setting("IPA_SIM_IMAGE", "dev.local/llm-d-inference-sim:v0.10.2")))
	for name, want := range map[string]struct{ named, class string }{
		"runtime": {class: class},
		"own":     {named: ", autoscaling.knative.dev/class: kpa.autoscaling.knative.dev", class: "kpa.autoscaling.knative.dev"},
	} {
		applied("InferenceService "+name, fmt.Sprintf(serviceOfRuntime, name, namespace, want.named))
		eventually(t, settle, "InferenceService "+name+" has a PodAutoscaler of class "+want.class, func() (bool, string) {
			pa, err := cluster.knative.AutoscalingV1alpha1().PodAutoscalers(namespace).Get(t.Context(), name+"-predictor-00001", metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			return pa.Class() == want.class && pa.Annotations[autoscalingPrefix+"window"] == "10s", fmt.Sprint(pa.Annotations)
		})
	}
}
