package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

type chosenKey struct{}

func newProxy(routes *router) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 1000,
			DisableCompression:  true,
		},
		FlushInterval: -1, // streams of tokens go out as they come
		Rewrite:       rewrite,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := routes.choose(r)
		if !ok {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chosenKey{}, c)))
	})
}

func rewrite(pr *httputil.ProxyRequest) {
	c := pr.In.Context().Value(chosenKey{}).(chosen)
	pr.SetURL(&url.URL{Scheme: "http", Host: c.host()})
	pr.Out.Host = pr.In.Host
	if c.path.RewriteHost != "" {
		pr.Out.Host = c.path.RewriteHost
	}
	pr.SetXForwarded()
	for k, v := range c.path.AppendHeaders {
		pr.Out.Header.Set(k, v)
	}
	for k, v := range c.split.AppendHeaders {
		pr.Out.Header.Set(k, v)
	}
}
