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

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"

	"github.com/knative-inference/autoscaler-adapter/hack/cluster/ingress"
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
	go serve(client, routes, *internal)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: *addr, Handler: newProxy(routes), Protocols: &protocols}
	log.Fatal(server.ListenAndServe())
}

// serve rebuilds the table on every change and then marks the Ingresses in it as ready.
func serve(client versioned.Interface, routes *router, internal string) {
	ctx := context.Background()
	log.Fatal(ingress.Follow(ctx, client, class, func(mine []*v1alpha1.Ingress) time.Duration {
		routes.store(mine)
		if !markReady(ctx, client, mine, internal) {
			return 200 * time.Millisecond
		}
		return 10 * time.Minute
	}))
}

// markReady reports whether every Ingress has a ready status of its own generation now.
func markReady(ctx context.Context, client versioned.Interface, mine []*v1alpha1.Ingress, internal string) bool {
	all := true
	for _, ing := range mine {
		if ingress.IsReady(ing) {
			continue
		}
		err := ingress.MarkReady(ctx, client, ing, internal)
		if err == nil {
			continue
		}
		all = false
		if !apierrs.IsConflict(err) && !apierrs.IsNotFound(err) {
			log.Print(err)
		}
	}
	return all
}
