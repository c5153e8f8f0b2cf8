//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	networking "knative.dev/networking/pkg/client/clientset/versioned"
	knative "knative.dev/serving/pkg/client/clientset/versioned"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// Names of the product in the cluster.
const (
	ownNamespace  = testbed.Namespace
	ownName       = testbed.Name
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
	network networking.Interface
	dynamic dynamic.Interface
	disco   discovery.DiscoveryInterface
	ingress string // host:port
}

func newEnvironment() (*environment, error) {
	config, err := testbed.Config(200)
	if err != nil {
		return nil, err
	}
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
	if e.network, err = networking.NewForConfig(config); err != nil {
		return nil, err
	}
	if e.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	e.disco = e.kube.Discovery()
	_, err = e.knative.ServingV1().Services("default").List(context.Background(), metav1.ListOptions{})
	return e, err
}
