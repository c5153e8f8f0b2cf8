package server

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/knative-inference/autoscaler-adapter/pkg/enginetoken"
)

// newTokens reads tokens of metrics endpoints by a client of its own: tenants choose how
// many there are, and must not take the reconciler's share of requests.
func newTokens(cfg *rest.Config, namespace string) (*enginetoken.Store, error) {
	own := rest.CopyConfig(cfg)
	own.QPS, own.Burst = 20, 40
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("building the client for tokens: %w", err)
	}
	get := func(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
		return client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	return enginetoken.New(get, namespace), nil
}
