// Package testbed is what the end-to-end tests and the demo share: the cluster that the
// environment names, the product's manifests, and kubectl.
package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Names of the product in the cluster. Name is also the Deployment of the autoscaler; the
// other parts' Deployments have a suffix.
const (
	Namespace = "knative-inference"
	Name      = "autoscaler-adapter"
)

// Setting returns an environment variable, or the default when it is empty.
func Setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// Config returns the client configuration of the cluster that KUBECONFIG names, for qps
// requests per second and bursts of twice as many.
func Config(qps float32) (*rest.Config, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, errors.New("KUBECONFIG is not set; start this by make demo or hack/e2e.sh, which set it")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = qps, int(2*qps)
	return config, nil
}

// Kubectl runs kubectl (or $KUBECTL) with stdin and returns its standard output. The error
// has the arguments and the standard error.
func Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, Setting("KUBECTL", "kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(errs.String())
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return out.String(), nil
}

// Poll asks at once and then every so often until the answer is done or the context ends;
// the error has the last state.
func Poll(ctx context.Context, every time.Duration, ask func() (done bool, state string)) error {
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
