package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// cluster is a running cluster with Knative Serving.
type cluster struct {
	kube      kubernetes.Interface
	ingress   string
	installed bool // by us
}

func newCluster() (*cluster, error) {
	config, err := testbed.Config(100)
	if err != nil {
		return nil, err
	}
	kube, err := kubernetes.NewForConfig(config)
	return &cluster{kube: kube, ingress: os.Getenv("IPA_INGRESS")}, err
}

// manifest is config/ with the image that was built. The demo needs no inference gateway.
func manifest() (string, error) { return testbed.Manifests("config") }

func (c *cluster) install(ctx context.Context) error {
	start := time.Now()
	text, err := manifest()
	if err != nil {
		return err
	}
	out, err := testbed.Kubectl(ctx, text, "apply", "-f", "-")
	if err != nil {
		return err
	}
	c.installed = strings.Contains(out, "namespace/"+testbed.Namespace+" created")
	if !c.installed { // an older one runs: it must take the image of now
		if _, err := testbed.Kubectl(ctx, "", "-n", testbed.Namespace, "rollout", "restart",
			"deployment/"+testbed.Name, "deployment/"+testbed.Name+"-webhook"); err != nil {
			return err
		}
	}
	for _, name := range []string{testbed.Name, testbed.Name + "-webhook"} {
		if _, err := testbed.Kubectl(ctx, "", "-n", testbed.Namespace, "rollout", "status", "deployment/"+name, "--timeout=120s"); err != nil {
			return err
		}
	}
	if err := c.waitForAPI(ctx); err != nil {
		return err
	}
	fmt.Printf("%d objects; two replicas and custom.metrics.k8s.io ready after %.1f s.\n", strings.Count(out, "\n"), time.Since(start).Seconds())
	return nil
}

// waitForAPI waits until custom.metrics.k8s.io answers.
func (c *cluster) waitForAPI(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := testbed.Poll(ctx, time.Second/2, func() (bool, string) {
		_, err := c.raw(ctx, "/apis/custom.metrics.k8s.io/v1beta2")
		return err == nil, fmt.Sprint(err)
	})
	if err != nil {
		return fmt.Errorf("custom.metrics.k8s.io does not answer: %w", err)
	}
	return nil
}

func (c *cluster) deploy(ctx context.Context, text string, m model) error {
	// An earlier demo may still be going away.
	if _, err := testbed.Kubectl(ctx, "", "wait", "namespace/"+namespace, "--for=jsonpath={.status.phase}=Active", "--timeout=1s"); err != nil {
		if _, err := testbed.Kubectl(ctx, "", "wait", "namespace/"+namespace, "--for=delete", "--timeout=120s"); err != nil {
			return err
		}
	}
	if _, err := testbed.Kubectl(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n", "apply", "-f", "-"); err != nil {
		return err
	}
	if _, err := testbed.Kubectl(ctx, text, "-n", namespace, "apply", "-f", "-"); err != nil {
		return err
	}
	_, err := testbed.Kubectl(ctx, "", "-n", namespace, "wait", "ksvc/"+name, "--for=condition=Ready", fmt.Sprintf("--timeout=%ds", m.startup))
	return err
}

// cleanUp ends what the demo started; it runs also when the demo was interrupted.
func (c *cluster) cleanUp(model) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	heading("Cleaning up (KEEP=1 keeps everything running)")
	clean := true
	report := func(what string, err error) {
		if err != nil {
			clean = false
			fmt.Println(what+":", err)
		}
	}
	_, err := testbed.Kubectl(ctx, "", "-n", namespace, "delete", "ksvc", name, "--ignore-not-found")
	report("the Service", err)
	_, err = testbed.Kubectl(ctx, "", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
	report("the namespace", err)
	if !c.installed {
		fmt.Println("The adapter was installed before the demo: it stays.")
		return
	}
	text, err := manifest()
	report("config/", err)
	_, err = testbed.Kubectl(ctx, text, "delete", "--ignore-not-found", "-f", "-")
	report("the adapter", err)
	if !clean {
		return
	}
	fmt.Println("Service and adapter are gone. The cluster still runs: make cluster-down ends it.")
}

func (c *cluster) raw(ctx context.Context, path string) ([]byte, error) {
	return c.kube.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
}

// get reads one object into v.
func (c *cluster) get(ctx context.Context, path string, v any) error {
	text, err := c.raw(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// adapterPage returns the adapter's own metrics from one of its pods.
func (c *cluster) adapterPage(ctx context.Context) (string, error) {
	pods, err := c.kube.CoreV1().Pods(testbed.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=" + testbed.Name, FieldSelector: "status.phase=Running",
	})
	if err != nil || len(pods.Items) == 0 {
		return "", fmt.Errorf("no pod of the adapter runs: %w", err)
	}
	text, err := c.kube.CoreV1().Pods(testbed.Namespace).ProxyGet("http", pods.Items[0].Name, "9090", "metrics", nil).DoRaw(ctx)
	return string(text), err
}
