//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
	"knative.dev/pkg/ptr"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const (
	autoscalingPrefix = "autoscaling.knative.dev/"
	port              = 8000
	// settle is how long anything takes that a few scrapes and one pod start decide; see slowness.
	settle = 60 * time.Second
)

// annotations are written without Knative's prefix: {"target": "2"}; a key
// with a slash stays as it is.
type annotations map[string]string

// service is one Knative Service under test in a namespace of its own.
type service struct {
	t               *testing.T
	namespace, name string
	container       corev1.Container
	annotations     map[string]string // of the template
	own             map[string]string // annotations of the Service itself, with their full keys
	volumes         []corev1.Volume
	timeoutSeconds  int64
	model           string
	patience        time.Duration // of a client, for one answer; 0 is a minute
}

// namespaceFor makes a namespace that lives as long as the test.
func namespaceFor(t *testing.T) string {
	t.Helper()
	name := "e2e-" + strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(t.Name(), "-"))
	name = strings.Trim(name[:min(len(name), 50)], "-") + fmt.Sprintf("-%d", time.Now().Unix()%10000)
	makeNamespace(t, name)
	return name
}

// makeNamespace makes one of a name that a document uses.
func makeNamespace(t *testing.T, name string) {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"ipa-e2e": "true"}}}
	err := againIfSlow(t, func() error {
		_, err := cluster.kube.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
		return err
	})
	if err != nil && !apierrs.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeNamespace(t, name) })
}

// removeNamespace does not wait for pods to drain: nobody needs their answers any more.
func removeNamespace(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), slowness*time.Minute)
	defer cancel()
	if t.Failed() {
		diagnose(ctx, t, name)
	}
	all := metav1.ListOptions{}
	services := cluster.knative.ServingV1().Services(name)
	if list, err := services.List(ctx, all); err == nil {
		for _, s := range list.Items {
			if err := services.Delete(ctx, s.Name, metav1.DeleteOptions{}); err != nil && !apierrs.IsNotFound(err) {
				t.Errorf("deleting Service %s: %v", s.Name, err)
			}
		}
	}
	if err := cluster.kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("deleting namespace %s: %v", name, err)
	}
	// Twice: a ReplicaSet may make pods until its Deployment is gone.
	for range 2 {
		now := metav1.DeleteOptions{GracePeriodSeconds: ptr.Int64(0)}
		_ = cluster.kube.CoreV1().Pods(name).DeleteCollection(ctx, now, all)
		time.Sleep(time.Second)
	}
}

// simulator returns a Service of our class on llm-d-inference-sim, a simulator
// of vLLM: OpenAI API, vLLM's metrics, a KV cache that prompts fill.
func simulator(t *testing.T, namespace, name string, a annotations, flags ...string) *service {
	args := append([]string{"--port=8000", "--model=sim", "--force-dummy-tokenizer=true", "--max-model-len=8192"}, flags...)
	c := container(testbed.Setting("IPA_SIM_IMAGE", "dev.local/llm-d-inference-sim:v0.10.2"), "/health/ready", args)
	c.Env = []corev1.EnvVar{{Name: "POD_IP", Value: "127.0.0.1"}} // only named in its KV events, which nobody reads
	return newService(t, namespace, name, c, a, "sim")
}

// standIn returns a Service of our class on the stand-in engine, see ./engine.
func standIn(t *testing.T, namespace, name string, a annotations, flags ...string) *service {
	c := container(testbed.Setting("IPA_ENGINE_IMAGE", "dev.local/ipa-e2e-engine:dev"), "/health", flags)
	return newService(t, namespace, name, c, a, "stand-in")
}

func container(image, readyPath string, args []string) corev1.Container {
	return corev1.Container{
		Image: image, Args: args, ImagePullPolicy: corev1.PullIfNotPresent,
		Ports: []corev1.ContainerPort{{ContainerPort: port}},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: readyPath, Port: intstr.FromInt32(port)}},
			PeriodSeconds: 1,
		},
	}
}

func newService(t *testing.T, namespace, name string, c corev1.Container, a annotations, model string) *service {
	s := &service{t: t, namespace: namespace, name: name, container: c, timeoutSeconds: 60, model: model, annotations: map[string]string{}}
	maps.Copy(s.annotations, prefixed(annotations{"class": class, "window": "10s", "max-scale": "6"}))
	maps.Copy(s.annotations, prefixed(a))
	return s
}

func prefixed(a annotations) map[string]string {
	full := map[string]string{}
	for k, v := range a {
		if !strings.Contains(k, "/") {
			k = autoscalingPrefix + k
		}
		full[k] = v
	}
	return full
}

func (s *service) object() *servingv1.Service {
	svc := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: s.name, Namespace: s.namespace, Annotations: maps.Clone(s.own)}}
	svc.Spec.Template.Annotations = maps.Clone(s.annotations)
	svc.Spec.Template.Spec = servingv1.RevisionSpec{
		TimeoutSeconds: ptr.Int64(s.timeoutSeconds),
		PodSpec:        corev1.PodSpec{Containers: []corev1.Container{s.container}, Volumes: s.volumes},
	}
	return svc
}

// create makes the Service without waiting for it.
func (s *service) create() *service {
	s.t.Helper()
	tries := 0
	err := againIfSlow(s.t, func() error {
		tries++
		_, err := cluster.knative.ServingV1().Services(s.namespace).Create(s.t.Context(), s.object(), metav1.CreateOptions{})
		return err
	})
	if err != nil && (tries == 1 || !apierrs.IsAlreadyExists(err)) {
		s.t.Fatal(err)
	}
	return s
}

// createWhenAllowed makes a Service that a change of config-inference-gateway allows: the
// webhook reads that change from its watch, a moment after it was written.
func (s *service) createWhenAllowed() *service {
	s.t.Helper()
	eventually(s.t, 20*time.Second, s.name+" is allowed", func() (bool, string) {
		_, err := cluster.knative.ServingV1().Services(s.namespace).Create(s.t.Context(), s.object(), metav1.CreateOptions{})
		return err == nil || apierrs.IsAlreadyExists(err), fmt.Sprint(err)
	})
	return s
}

// start makes the Service and waits until it is Ready.
func (s *service) start() *service {
	s.t.Helper()
	s.create()
	s.waitReady(settle)
	return s
}

// update changes the Service; a change of its template makes a new revision.
func (s *service) update(change func(*servingv1.Service)) {
	s.t.Helper()
	services := cluster.knative.ServingV1().Services(s.namespace)
	once := func() error {
		svc, err := services.Get(s.t.Context(), s.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(svc)
		_, err = services.Update(s.t.Context(), svc, metav1.UpdateOptions{})
		return err
	}
	err := againIfSlow(s.t, func() error { return retry.RetryOnConflict(retry.DefaultRetry, once) })
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) host() string {
	return s.name + "." + s.namespace + "." + testbed.Setting("IPA_DOMAIN", "example.com")
}

func (s *service) sender() *load.Sender {
	return load.NewSender(load.Target{Ingress: cluster.ingress, Host: s.host(), Model: s.model}, cmp.Or(s.patience, time.Minute))
}

// clients sends load of the shape until the test ends or stops it.
func (s *service) clients(shape load.Shape, n int) *load.Clients {
	c := load.NewClients(s.t.Context(), s.sender(), shape)
	s.t.Cleanup(c.Abort)
	c.Set(n)
	return c
}
