package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	ownNamespace = "knative-inference"
	ownName      = "autoscaler-adapter"
)

// cluster is a running cluster with Knative Serving.
type cluster struct {
	kube      kubernetes.Interface
	ingress   string
	installed bool // by us
}

func newCluster() (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, fmt.Errorf("KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	kube, err := kubernetes.NewForConfig(config)
	return &cluster{kube: kube, ingress: os.Getenv("IPA_INGRESS")}, err
}

// kubectl runs kubectl as a user would.
func kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, setting("KUBECTL", "kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// manifest is config/ with the image that was built. The demo needs no inference gateway.
func manifest() (string, error) {
	files, err := filepath.Glob("config/*.yaml")
	if err != nil || len(files) == 0 {
		return "", errors.New("no config/*.yaml here; start the demo by make demo")
	}
	slices.Sort(files)
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		all.WriteString("---\n" + string(text) + "\n")
	}
	const koReference = "ko://github.com/knative-inference/autoscaler-adapter/cmd/autoscaler-adapter"
	return strings.ReplaceAll(all.String(), koReference, setting("IPA_IMAGE", "dev.local/autoscaler-adapter:dev")), nil
}

func (c *cluster) install(ctx context.Context) error {
	start := time.Now()
	text, err := manifest()
	if err != nil {
		return err
	}
	out, err := kubectl(ctx, text, "apply", "-f", "-")
	if err != nil {
		return err
	}
	c.installed = strings.Contains(out, "namespace/"+ownNamespace+" created")
	if !c.installed { // an older one runs: it must take the image of now
		if _, err := kubectl(ctx, "", "-n", ownNamespace, "rollout", "restart", "deployment/"+ownName, "deployment/"+ownName+"-webhook"); err != nil {
			return err
		}
	}
	for _, name := range []string{ownName, ownName + "-webhook"} {
		if _, err := kubectl(ctx, "", "-n", ownNamespace, "rollout", "status", "deployment/"+name, "--timeout=120s"); err != nil {
			return err
		}
	}
	err = until(ctx, time.Minute, "custom.metrics.k8s.io answers", func() error {
		_, err := c.raw(ctx, "/apis/custom.metrics.k8s.io/v1beta2")
		return err
	})
	fmt.Printf("%d objects; two replicas and custom.metrics.k8s.io ready after %.1f s.\n", strings.Count(out, "\n"), time.Since(start).Seconds())
	return err
}

func (c *cluster) deploy(ctx context.Context, text string, m model) error {
	// An earlier demo may still be going away.
	if _, err := kubectl(ctx, "", "wait", "namespace/"+namespace, "--for=jsonpath={.status.phase}=Active", "--timeout=1s"); err != nil {
		if _, err := kubectl(ctx, "", "wait", "namespace/"+namespace, "--for=delete", "--timeout=120s"); err != nil {
			return err
		}
	}
	if _, err := kubectl(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n", "apply", "-f", "-"); err != nil {
		return err
	}
	if _, err := kubectl(ctx, text, "-n", namespace, "apply", "-f", "-"); err != nil {
		return err
	}
	_, err := kubectl(ctx, "", "-n", namespace, "wait", "ksvc/"+name, "--for=condition=Ready", fmt.Sprintf("--timeout=%ds", m.startup))
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
	_, err := kubectl(ctx, "", "-n", namespace, "delete", "ksvc", name, "--ignore-not-found")
	report("the Service", err)
	_, err = kubectl(ctx, "", "delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
	report("the namespace", err)
	if !c.installed {
		fmt.Println("The adapter was installed before the demo: it stays.")
		return
	}
	text, err := manifest()
	report("config/", err)
	_, err = kubectl(ctx, text, "delete", "--ignore-not-found", "-f", "-")
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
	pods, err := c.kube.CoreV1().Pods(ownNamespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=" + ownName, FieldSelector: "status.phase=Running",
	})
	if err != nil || len(pods.Items) == 0 {
		return "", fmt.Errorf("no pod of the adapter runs: %w", err)
	}
	text, err := c.kube.CoreV1().Pods(ownNamespace).ProxyGet("http", pods.Items[0].Name, "9090", "metrics", nil).DoRaw(ctx)
	return string(text), err
}

// until asks until there is no error.
func until(ctx context.Context, timeout time.Duration, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %w", what, timeout, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
