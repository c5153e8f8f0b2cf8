// Command kingress is a TEST-ONLY Knative ingress in one small process. It stands in for Kourier
// where Envoy cannot be had: it watches Knative Ingress objects of its class, marks them ready and
// serves them with an HTTP reverse proxy (splits, header matches, h2c). No TLS, no conformance run;
// never for production.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/networking/pkg/client/informers/externalversions"
)

const class = "kingress.ingress.networking.knative.dev"

func main() {
	addr := flag.String("listen", ":8080", "address to serve on")
	internal := flag.String("domain", "kingress.knative-serving.svc.cluster.local", "name reported in the Ingress status")
	flag.Parse()
	log.Print("kingress: TEST-ONLY ingress, not Kourier")
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	routes := &router{}
	go watch(client, routes, *internal)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: *addr, Handler: newProxy(routes), Protocols: &protocols}
	log.Fatal(server.ListenAndServe())
}

// watch rebuilds the table on every change and then marks the Ingresses it holds as ready.
func watch(client versioned.Interface, routes *router, internal string) {
	ctx := context.Background()
	factory := externalversions.NewSharedInformerFactory(client, 10*time.Minute)
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
	poke()
	for range changed {
		mine := ours(informer.GetStore().List())
		routes.store(mine)
		if !markReady(ctx, client, mine, internal) {
			time.AfterFunc(200*time.Millisecond, poke)
		}
	}
}
