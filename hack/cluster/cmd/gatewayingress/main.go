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
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/networking/pkg/client/informers/externalversions"
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
	s.run(context.Background())
}

// run syncs on every change, shortly after a sync that left something unready, and every ten
// seconds, so that routes come back when somebody takes them or their whole kind away.
func (s *syncer) run(ctx context.Context) {
	factory := externalversions.NewSharedInformerFactory(s.knative, 0)
	informer := factory.Networking().V1alpha1().Ingresses().Informer()
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, UpdateFunc: func(_, _ any) { poke() }, DeleteFunc: func(any) { poke() },
	}); err != nil {
		log.Fatal(err)
	}
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
	for wait := time.Duration(0); ; {
		select {
		case <-changed:
		case <-time.After(wait):
		}
		wait = 10 * time.Second
		if !s.sync(ctx, ours(informer.GetStore().List())) {
			wait = 300 * time.Millisecond
		}
	}
}
