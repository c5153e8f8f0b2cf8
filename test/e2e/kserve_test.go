//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

var inferenceServices = schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"}

// inferenceService is that of docs/kserve.md, on the engine simulator.
type inferenceService struct {
	t               *testing.T
	namespace, name string
	annotations     map[string]string // beside the mode
	replicas        string            // of the predictor, such as "minReplicas: 1"
	flags           []string
}

func (i inferenceService) yaml() string {
	var notes strings.Builder
	for k, v := range i.annotations {
		fmt.Fprintf(&notes, "    %s: %q\n", k, v)
	}
	flags := append([]string{"--port=8000", "--model=sim", "--force-dummy-tokenizer=true", "--max-model-len=8192"}, i.flags...)
	return fmt.Sprintf(`apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: %s
  namespace: %s
  annotations:
    serving.kserve.io/deploymentMode: Knative
    autoscaling.knative.dev/window: 10s
%sspec:
  predictor:
    %s
    timeout: 300
    containers:
    - name: kserve-container
      image: %s
      args: [%s]
      env: [{name: POD_IP, value: "127.0.0.1"}]
      ports: [{containerPort: 8000, protocol: TCP}]
      readinessProbe: {httpGet: {path: /health/ready, port: 8000}, periodSeconds: 1}
      resources: {requests: {cpu: 20m, memory: 64Mi}, limits: {cpu: "1", memory: 512Mi}}
`, i.name, i.namespace, notes.String(), i.replicas,
		testbed.Setting("IPA_SIM_IMAGE", "dev.local/llm-d-inference-sim:v0.10.2"), `"`+strings.Join(flags, `", "`)+`"`)
}

// apply makes or changes the InferenceService; KServe's webhook may need a moment after its
// Deployment is available.
func (i inferenceService) apply() {
	i.t.Helper()
	eventually(i.t, settle, "InferenceService "+i.name+" is applied", func() (bool, string) {
		out, err := testbed.Kubectl(i.t.Context(), i.yaml(), "apply", "-f", "-")
		return err == nil, fmt.Sprint(out, err)
	})
}

// start applies it, waits until KServe says that it is Ready, and returns the Knative Service.
func (i inferenceService) start() *service {
	i.t.Helper()
	i.apply()
	eventually(i.t, served, "InferenceService "+i.name+" Ready", func() (bool, string) {
		o, err := cluster.dynamic.Resource(inferenceServices).Namespace(i.namespace).Get(i.t.Context(), i.name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return conditionTrue(o, "Ready"), fmt.Sprint(o.Object["status"])
	})
	s := &service{t: i.t, namespace: i.namespace, name: i.name + "-predictor", model: "sim", timeoutSeconds: 300, patience: 5 * time.Minute}
	s.waitReady(settle)
	return s
}

// needKServe installs KServe for as long as the test.
func needKServe(t *testing.T) { needPart(t, "kserve", "IPA_KSERVE") }

// The steps of docs/kserve.md. KServe is one for all of them, so they follow each other.
func TestKServe(t *testing.T) {
	needKServe(t)
	namespace := namespaceFor(t)
	t.Cleanup(func() { // while KServe's controller is there to take its finalizers off
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if out, err := testbed.Kubectl(ctx, "", "-n", namespace, "delete", "inferenceservices", "--all", "--timeout=110s"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	editConfig(t, ownNamespace, "config-ipa", map[string]string{"default-class": class, "default-class-namespaces": namespace})
	t.Run("default class", func(t *testing.T) { kserveDefaultClass(t, namespace) })
	t.Run("scales", func(t *testing.T) { kserveScales(t, namespace) })
	t.Run("zero", func(t *testing.T) { kserveZero(t, namespace) })
	t.Run("runtime", kserveRuntime)
}

// default-class names the class of an InferenceService that names none, and of no other. Its
// edit takes effect within seconds.
func kserveDefaultClass(t *testing.T, namespace string) {
	const kpa = "kpa.autoscaling.knative.dev"
	for named, want := range map[string]string{"": class, kpa: kpa} {
		i := inferenceService{t: t, namespace: namespace, name: "dry", replicas: "minReplicas: 1"}
		if named != "" {
			i.annotations = map[string]string{autoscalingPrefix + "class": named}
		}
		eventually(t, settle, fmt.Sprintf("class %q becomes %s", named, want), func() (bool, string) {
			out, err := testbed.Kubectl(t.Context(), i.yaml(), "create", "--dry-run=server", "-o", "yaml", "-f", "-")
			return err == nil && strings.Contains(out, autoscalingPrefix+"class"+": "+want), fmt.Sprint(out, err)
		})
	}
}

// An InferenceService with objective and gateway, no class and no metric: 1 to 3 replicas by
// slo under load on both ways in, then a canary under load.
func kserveScales(t *testing.T, namespace string) {
	needGateway(t)
	i := inferenceService{t: t, namespace: namespace, name: "qwen", replicas: "minReplicas: 1\n    maxReplicas: 3",
		annotations: map[string]string{"knative-inference.dev/slo-ttft": "1s", aiGateway: "inference"},
		flags:       []string{"--max-num-seqs=4", "--time-to-first-token=100ms", "--inter-token-latency=20ms"}}
	s := i.start()
	s.waitCondition("Ready", "True")
	question{host: s.host(), model: "sim"}.waitServed(t)
	old := s.current()
	if why := s.state(); !strings.Contains(why, "ObjectiveReachable") {
		t.Errorf("the revision does not scale on slo: %s", why)
	}
	shape := load.Shape{Prompt: 10, Tokens: 50}
	direct := s.clients(shape, 8)
	behind := load.NewClients(t.Context(), s.gatewaySender(), shape)
	t.Cleanup(behind.Abort)
	behind.Set(8)
	old.waitReplicas(served, "scaled up by slo", exactly(3))
	old.waitPods(settle, 3)
	reason, message := old.why()
	expectAllWhole(t, "1 to 3 ("+reason+": "+message+")", direct.Stop(), behind.Stop())

	direct = s.clients(shape, 2)
	i.replicas += "\n    canaryTrafficPercent: 20"
	i.flags[1] = "--time-to-first-token=50ms"
	i.apply()
	eventually(t, served, "a canary of 20 % beside the revision that was", func() (bool, string) {
		svc, err := cluster.knative.ServingV1().Services(namespace).Get(t.Context(), s.name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		shares := map[string]int64{}
		for _, target := range svc.Status.Traffic {
			shares[target.RevisionName] += *target.Percent
		}
		return svc.IsReady() && shares[old.revision] == 80 && len(shares) == 2, fmt.Sprint(shares, conditions(svc.Status.Conditions))
	})
	canary := s.current()
	for _, r := range []revision{old, canary} {
		if r.pa().Class() != class || len(r.readyPods()) == 0 {
			t.Errorf("%s: class %s, %d Ready pods", r.revision, r.pa().Class(), len(r.readyPods()))
		}
	}
	time.Sleep(5 * time.Second)
	expectAllWhole(t, "canaryTrafficPercent 20", direct.Stop())
}

func expectAllWhole(t *testing.T, what string, reports ...load.Report) {
	t.Helper()
	figure(t, fmt.Sprintf("kserve: %s: %v", what, reports))
	for _, r := range reports {
		if r.Failed > 0 || r.Whole == 0 {
			t.Errorf("%s: answers: %v", what, r)
		}
	}
}

// minReplicas 0 goes to zero, and a request wakes it.
func kserveZero(t *testing.T, namespace string) {
	withActivatorMetrics(t)
	i := inferenceService{t: t, namespace: namespace, name: "asleep", replicas: "minReplicas: 0\n    maxReplicas: 2",
		annotations: map[string]string{autoscalingPrefix + "class": class, autoscalingPrefix + "metric": "concurrency", autoscalingPrefix + "scale-to-zero-pod-retention-period": "0s"}}
	s := i.start()
	r := s.current()
	r.waitZero()
	start := time.Now()
	if err := s.sender().Send(t.Context(), load.Shape{Prompt: 3, Tokens: 5}); err != nil {
		t.Fatal(err)
	}
	figure(t, fmt.Sprintf("kserve: minReplicas 0: the first request at zero was answered after %v", time.Since(start).Round(time.Second/10)))
}
