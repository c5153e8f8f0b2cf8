package metricsapi

import (
	"fmt"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
)

// OpenHandler serves the API to anybody, without a cluster: for a playground on
// localhost. What it answers is what the cluster's would.
func OpenHandler(view View) (http.Handler, error) {
	l, err := newLatency(nil)
	if err != nil {
		return nil, fmt.Errorf("metricsapi: %w", err)
	}
	var a access
	a.authn.Authenticator = authenticator.WrapAudienceAgnosticRequest(nil, anonymous.NewAuthenticator(nil))
	a.authz.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	api, err := newAPIServer(view, a, l.observe, withRecording(nil))
	if err != nil {
		return nil, err
	}
	api.PrepareRun()
	return api.Handler, nil
}
