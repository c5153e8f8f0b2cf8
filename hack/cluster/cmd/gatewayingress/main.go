// Command gatewayingress is a TEST-ONLY stand-in for net-gateway-api, which no Go module proxy
// serves. It takes Knative Ingress objects of net-gateway-api's class and writes the HTTPRoutes
// that net-gateway-api v0.50 would, so that Knative's own routes stand on the same Gateway as an
// inference gateway's. It also gives each Gateway's Service of type LoadBalancer an address, as a
// cloud would. No TLS, no conformance run; never for production.
package main

import (
	"context"
	"flag"
	"log"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/ingress"
)

const class = "gateway-api.ingress.networking.knative.dev"

func main() {
	gateway := flag.String("gateway", "knative-serving/knative-gateway", "NAMESPACE/NAME of the Gateway that Knative's routes attach to")
	service := flag.String("service", "knative-gateway-istio.knative-serving.svc.cluster.local", "name of that Gateway's Service")
	flag.Parse()
	log.Print("gatewayingress: TEST-ONLY, not net-gateway-api")
	namespace, name, ok := strings.Cut(*gateway, "/")
	if !ok {
		log.Fatalf("-gateway %q is not NAMESPACE/NAME", *gateway)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	config.QPS, config.Burst = 100, 200
	knative, err := versioned.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	go giveAddresses(kubernetes.NewForConfigOrDie(config))
	s := &syncer{
		knative: knative, dynamic: dynamic.NewForConfigOrDie(config),
		gateway: types.NamespacedName{Namespace: namespace, Name: name}, service: *service,
	}
	log.Fatal(s.run(context.Background()))
}

// run syncs on every change, shortly after a sync that left something unready, and every ten
// seconds, so that routes come back when somebody takes them or their whole kind away.
func (s *syncer) run(ctx context.Context) error {
	return ingress.Follow(ctx, s.knative, class, func(mine []*v1alpha1.Ingress) time.Duration {
		if !s.sync(ctx, mine) {
			return 300 * time.Millisecond
		}
		return 10 * time.Second
	})
}
