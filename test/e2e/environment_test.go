//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	knative "knative.dev/serving/pkg/client/clientset/versioned"
)

// Names of the product in the cluster.
const (
	ownNamespace  = "knative-inference"
	ownName       = "autoscaler-adapter"
	ownSelector   = "app.kubernetes.io/name=autoscaler-adapter"
	partsSelector = "app.kubernetes.io/part-of=autoscaler-adapter" // the pods of all Deployments
	leaseName     = "autoscaler-adapter-00-of-01"
	class         = "ipa.autoscaling.knative-inference.dev"
)

// ownDeployments are those of the product's parts; all of them are installed here.
var ownDeployments = []string{ownName, ownName + "-webhook", ownName + "-gateway"}

// environment holds the clients of the cluster under test.
type environment struct {
	config  *rest.Config
	kube    kubernetes.Interface
	knative knative.Interface
	dynamic dynamic.Interface
	disco   discovery.DiscoveryInterface
	ingress string // host:port
}

func newEnvironment() (*environment, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, fmt.Errorf("KUBECONFIG is not set; start the tests by hack/e2e.sh")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	e := &environment{config: config, ingress: os.Getenv("IPA_INGRESS")}
	if e.ingress == "" {
		return nil, fmt.Errorf("IPA_INGRESS is not set; it is host:port of the cluster's ingress")
	}
	if e.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if e.knative, err = knative.NewForConfig(config); err != nil {
		return nil, err
	}
	if e.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	e.disco = e.kube.Discovery()
	_, err = e.knative.ServingV1().Services("default").List(context.Background(), metav1.ListOptions{})
	return e, err
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// kubectl runs kubectl with stdin and returns what it said.
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

// poll asks until it is done, and says the last state when it never was.
func poll(ctx context.Context, every time.Duration, ask func() (done bool, state string)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		done, state := ask()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in time; last seen: %s", state)
		case <-ticker.C:
		}
	}
}
