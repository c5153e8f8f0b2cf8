package main

import (
	"math/rand/v2"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync/atomic"

	"knative.dev/networking/pkg/apis/networking/v1alpha1"
)

// router maps each host to its paths, most specific first. Safe for concurrent use.
type router struct {
	table atomic.Pointer[map[string][]v1alpha1.HTTPIngressPath]
}

func (r *router) store(ingresses []*v1alpha1.Ingress) {
	t := map[string][]v1alpha1.HTTPIngressPath{}
	for _, ing := range ingresses {
		for _, rule := range ing.Spec.Rules {
			for _, host := range rule.Hosts {
				t[host] = append(t[host], rule.HTTP.Paths...)
			}
		}
	}
	for _, paths := range t {
		sort.SliceStable(paths, func(i, j int) bool {
			if len(paths[i].Headers) != len(paths[j].Headers) {
				return len(paths[i].Headers) > len(paths[j].Headers)
			}
			return len(paths[i].Path) > len(paths[j].Path)
		})
	}
	r.table.Store(&t)
}

// chosen is where one request goes.
type chosen struct {
	path  v1alpha1.HTTPIngressPath
	split v1alpha1.IngressBackendSplit
}

func (c chosen) host() string {
	return c.split.ServiceName + "." + c.split.ServiceNamespace + ".svc.cluster.local:" + c.split.ServicePort.String()
}

func (r *router) choose(req *http.Request) (chosen, bool) {
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	t := r.table.Load()
	if t == nil {
		return chosen{}, false
	}
	for _, p := range (*t)[host] {
		if strings.HasPrefix(req.URL.Path, p.Path) && headersMatch(req, p.Headers) {
			return draw(p)
		}
	}
	return chosen{}, false
}

func headersMatch(req *http.Request, want map[string]v1alpha1.HeaderMatch) bool {
	for name, m := range want {
		if req.Header.Get(name) != m.Exact {
			return false
		}
	}
	return true
}

func draw(p v1alpha1.HTTPIngressPath) (chosen, bool) {
	n := rand.IntN(100)
	for _, s := range p.Splits {
		if n -= s.Percent; n < 0 {
			return chosen{p, s}, true
		}
	}
	return chosen{}, false
}
