package metricsapi

import (
	"net/http"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// reviewTimeout bounds one question to the cluster about a caller.
const reviewTimeout = 10 * time.Second

// clients reach the cluster.
type clients struct {
	kube    kubernetes.Interface
	reviews kubernetes.Interface // for token and access reviews: in the path of requests, so with a timeout
	dynamic dynamic.Interface
}

func newClients(config *rest.Config) (c clients, err error) {
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		return c, err
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return c, err
	}
	reviews := rest.CopyConfig(config)
	reviews.QPS, reviews.Timeout = -1, reviewTimeout // reviewed has the limit: its answers from memory are free
	reviews.Wrap(func(next http.RoundTripper) http.RoundTripper { return newReviewed(next) })
	c.reviews, err = kubernetes.NewForConfig(reviews)
	return c, err
}
