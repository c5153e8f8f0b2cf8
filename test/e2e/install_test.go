//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const bystanderNamespace = "ipa-e2e-bystander"

// bystanders are objects that have nothing to do with us and must not change by a byte.
var bystanders = []schema.GroupVersionResource{
	{Version: "v1", Resource: "services"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
}

// state is the cluster as it was before the install.
type state struct {
	objects    snapshot
	bystanders map[string]string
}

// manifest returns the product's YAML with the image under test: the files of a
// release if IPA_RELEASE_YAML names them (separated by colons), else all of config/
// and of config/inference-gateway/.
func manifest() (string, error) {
	if paths := os.Getenv("IPA_RELEASE_YAML"); paths != "" {
		return testbed.Join(strings.Split(paths, ":"))
	}
	text, err := testbed.Manifests("../../config", "../../config/inference-gateway")
	if err != nil {
		return "", err
	}
	// Every decision of the whole run is recorded, for TestRecordingDecidesTheSame.
	const part = "args: [--parts=autoscaler]"
	if !strings.Contains(text, part) {
		return "", fmt.Errorf("no Deployment of config/ has %s", part)
	}
	return strings.Replace(text, part, "args: [--parts=autoscaler, --record=/recording/run.gz]", 1), nil
}

// prepare makes the bystanders and remembers the cluster.
func (e *environment) prepare(ctx context.Context) (state, error) {
	if _, err := e.kube.CoreV1().Namespaces().Get(ctx, ownNamespace, metav1.GetOptions{}); !apierrs.IsNotFound(err) {
		return state{}, fmt.Errorf("namespace %s is there already (%v); remove the product first, or set IPA_E2E_INSTALL=skip to test what is installed", ownNamespace, err) //nolint:errorlint nil, mostly
	}
	if err := e.waitQuiet(ctx); err != nil {
		return state{}, err
	}
	if err := e.makeBystanders(ctx); err != nil {
		return state{}, err
	}
	if err := e.makeGatewayBystanders(ctx); err != nil {
		return state{}, err
	}
	bytes, err := e.readBystanders(ctx)
	if err != nil {
		return state{}, err
	}
	objects, err := e.snapshot(ctx)
	return state{objects, bytes}, err
}

// waitQuiet waits until nothing is being deleted from an earlier run or the demo.
func (e *environment) waitQuiet(ctx context.Context) error {
	return testbed.Poll(ctx, time.Second, func() (bool, string) {
		list, err := e.kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		for _, ns := range list.Items {
			if ns.DeletionTimestamp != nil {
				return false, "namespace " + ns.Name + " is being deleted"
			}
		}
		return true, ""
	})
}

func (e *environment) makeBystanders(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: bystanderNamespace}}
	if _, err := e.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrs.IsAlreadyExists(err) {
		return err
	}
	meta := metav1.ObjectMeta{Name: "bystander"}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "nobody"}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	if _, err := e.kube.CoreV1().Services(bystanderNamespace).Create(ctx, svc, metav1.CreateOptions{}); err != nil && !apierrs.IsAlreadyExists(err) {
		return err
	}
	prefix := networkingv1.PathTypePrefix
	ing := &networkingv1.Ingress{ObjectMeta: meta, Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
		Host: "bystander.example.com",
		IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: &prefix,
			Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "bystander", Port: networkingv1.ServiceBackendPort{Number: 80}}},
		}}}},
	}}}}
	_, err := e.kube.NetworkingV1().Ingresses(bystanderNamespace).Create(ctx, ing, metav1.CreateOptions{})
	if apierrs.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (e *environment) readBystanders(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	for _, r := range e.bystanderKinds(ctx) {
		o, err := e.dynamic.Resource(r).Namespace(bystanderNamespace).Get(ctx, "bystander", metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		text, err := o.MarshalJSON()
		if err != nil {
			return nil, err
		}
		all[r.Resource] = string(text)
	}
	return all, nil
}

// install applies the YAML as a user does and waits until both replicas and the API answer.
func (e *environment) install(ctx context.Context) error {
	start := time.Now()
	text, err := manifest()
	if err != nil {
		return err
	}
	if out, err := testbed.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, slowness*2*time.Minute)
	defer cancel()
	if err := testbed.Poll(ctx, time.Second/2, func() (bool, string) { return e.serving(ctx) }); err != nil {
		return err
	}
	fmt.Printf("e2e: installed and serving after %v\n", time.Since(start).Round(time.Second/10))
	return nil
}

func (e *environment) serving(ctx context.Context) (bool, string) {
	for _, name := range ownDeployments {
		d, err := e.kube.AppsV1().Deployments(ownNamespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		if d.Status.ReadyReplicas < 2 {
			return false, fmt.Sprintf("%s: %d of 2 replicas Ready", name, d.Status.ReadyReplicas)
		}
	}
	for _, v := range []string{"v1beta1", "v1beta2"} {
		if _, err := e.disco.ServerResourcesForGroupVersion("custom.metrics.k8s.io/" + v); err != nil {
			return false, fmt.Sprintf("custom.metrics.k8s.io/%s: %v", v, err)
		}
	}
	return true, ""
}

// removeAndCompare deletes the product and holds the cluster against what it was.
func (e *environment) removeAndCompare(ctx context.Context, before state) error {
	text, err := manifest()
	if err != nil {
		return err
	}
	if out, err := testbed.Kubectl(ctx, text, "delete", "--ignore-not-found", "-f", "-"); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	// The garbage collector takes the APIServices after their owner is gone.
	var diff []string
	err = testbed.Poll(ctx, time.Second, func() (bool, string) {
		after, err := e.snapshot(ctx)
		if err != nil { // of the deadline, perhaps: what was seen before says more
			return false, strings.Join(append(diff, err.Error()), "\n")
		}
		diff = before.objects.diff(after)
		return len(diff) == 0, strings.Join(diff, "\n")
	})
	if err != nil {
		return fmt.Errorf("the cluster is not what it was before the install: %w", err)
	}
	bytes, err := e.readBystanders(ctx)
	if err != nil {
		return err
	}
	for name, was := range before.bystanders {
		if bytes[name] != was {
			return fmt.Errorf("an unrelated object changed: %s\nbefore: %s\nafter:  %s", name, was, bytes[name])
		}
	}
	fmt.Printf("e2e: removed; %d objects as before the install, %d unrelated ones byte-identical\n", len(before.objects), len(before.bystanders))
	return e.kube.CoreV1().Namespaces().Delete(ctx, bystanderNamespace, metav1.DeleteOptions{})
}
