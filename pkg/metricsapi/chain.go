package metricsapi

import (
	"context"
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
)

// shortForLists answers what fastQuery reads with a short chain, and passes everything else
// on to the library's.
func shortForLists(short, library http.Handler, c *genericapiserver.Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/*/") || impersonates(r.Header) {
			library.ServeHTTP(w, r)
			return
		}
		info, err := c.RequestInfoResolver.NewRequestInfo(r)
		if err != nil {
			library.ServeHTTP(w, r)
			return
		}
		q, ok := fastQuery(r, info)
		if !ok {
			library.ServeHTTP(w, r)
			return
		}
		known := context.WithValue(request.WithRequestInfo(r.Context(), info), queryKey{}, q)
		short.ServeHTTP(w, r.WithContext(known))
	})
}

// impersonates reports whether the caller asks as somebody else; the library decides whether that is allowed.
func impersonates(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "Impersonate-") {
			return true
		}
	}
	return false
}

// shortChain is the library's chain without what a list from memory has no use for: a
// goroutine with a copy of the request that can be given up after a minute, traces,
// audit events, warnings and the log of requests, which were half of what a list
// allocates. The filters that authenticate, authorise, limit and refuse callers are the same,
// in the same order. Only the review of a caller can take long, and the deadline ends it.
func shortChain(api http.Handler, c *genericapiserver.Config) http.Handler {
	h := filters.WithAuthorization(api, c.Authorization.Authorizer, c.Serializer)
	h = genericfilters.WithMaxInFlightLimit(h, c.MaxRequestsInFlight, c.MaxMutatingRequestsInFlight, c.LongRunningFunc)
	h = filters.WithAuthentication(h, c.Authentication.Authenticator, filters.Unauthorized(c.Serializer),
		c.Authentication.APIAudiences, c.Authentication.RequestHeaderConfig)
	h = filters.WithRequestDeadline(h, c.AuditBackend, c.AuditPolicyRuleEvaluator, c.LongRunningFunc, c.Serializer,
		c.RequestTimeout)
	h = genericfilters.WithWaitGroup(h, c.LongRunningFunc, c.NonLongRunningRequestWaitGroup)
	h = filters.WithCacheControl(h)
	h = genericfilters.WithPanicRecovery(h, c.RequestInfoResolver)
	return filters.WithAuditInit(h)
}
