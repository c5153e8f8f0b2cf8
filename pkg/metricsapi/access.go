package metricsapi

import (
	"context"
	"fmt"
	"net"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	apiserverapi "k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/authorization/path"
	"k8s.io/apiserver/pkg/authorization/union"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/kubernetes"
)

const (
	// authConfigMap in kube-system says which CA signs the API server's own requests.
	authConfigMap = "extension-apiserver-authentication"
	// proxyCAKey is the key of that CA.
	proxyCAKey = "requestheader-client-ca-file"
	// proxyCATimeout is how long a start waits for that CA, which usually takes 0.1 s.
	proxyCATimeout = 10 * time.Second
)

// access is how callers reach the API and who may.
type access struct {
	serving *genericapiserver.SecureServingInfo // nil in tests that call the handler directly
	authn   genericapiserver.AuthenticationInfo
	authz   genericapiserver.AuthorizationInfo
}

// delegated asks the cluster who a caller is (the API server's proxy certificate, a
// client certificate, or a token review) and what they may do (an access review). It
// is what the library's own options do, with a client that was given instead of one
// that they make from files.
func delegated(ctx context.Context, c clients, listener net.Listener,
	cert dynamiccertificates.CertKeyContentProvider) (access, error) {
	a := access{serving: &genericapiserver.SecureServingInfo{Listener: listener, Cert: cert}}
	if err := a.authenticate(ctx, c); err != nil {
		return access{}, fmt.Errorf("delegating authentication: %w", err)
	}
	if err := a.authorize(c); err != nil {
		return access{}, fmt.Errorf("delegating authorisation: %w", err)
	}
	return a, nil
}

func (a *access) authenticate(ctx context.Context, c clients) error {
	clientCA, err := authCA("client-ca-file", c.kube)
	if err != nil {
		return err
	}
	proxyCA, err := authCA(proxyCAKey, c.kube)
	if err != nil {
		return err
	}
	proxy := &options.DynamicRequestHeaderController{
		ConfigMapCAController: proxyCA,
		RequestHeaderAuthRequestController: headerrequest.NewRequestHeaderAuthRequestController(
			authConfigMap, metav1.NamespaceSystem, c.kube,
			"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
			"requestheader-extra-headers-prefix", "requestheader-allowed-names"),
	}
	if err := proxy.RunOnce(ctx); err != nil {
		return fmt.Errorf("reading config map %s/%s: %w", metav1.NamespaceSystem, authConfigMap, err)
	}
	a.authn.RequestHeaderConfig = &authenticatorfactory.RequestHeaderConfig{
		CAContentProvider:   proxy,
		UsernameHeaders:     headerrequest.StringSliceProviderFunc(proxy.UsernameHeaders),
		UIDHeaders:          headerrequest.StringSliceProviderFunc(proxy.UIDHeaders),
		GroupHeaders:        headerrequest.StringSliceProviderFunc(proxy.GroupHeaders),
		ExtraHeaderPrefixes: headerrequest.StringSliceProviderFunc(proxy.ExtraHeaderPrefixes),
		AllowedClientNames:  headerrequest.StringSliceProviderFunc(proxy.AllowedClientNames),
	}
	for _, ca := range []dynamiccertificates.CAContentProvider{clientCA, proxy} {
		if err := a.authn.ApplyClientCert(ca, a.serving); err != nil {
			return err
		}
	}
	a.authn.Authenticator, _, err = authenticatorfactory.DelegatingAuthenticatorConfig{
		// authorisation decides; probes have no name
		Anonymous:                          &apiserverapi.AnonymousAuthConfig{Enabled: true},
		TokenAccessReviewClient:            c.reviews.AuthenticationV1(),
		TokenAccessReviewTimeout:           reviewTimeout,
		WebhookRetryBackoff:                options.DefaultAuthWebhookRetryBackoff(),
		CacheTTL:                           libraryTTL,
		ClientCertificateCAContentProvider: clientCA,
		RequestHeaderConfig:                a.authn.RequestHeaderConfig,
	}.New()
	return err
}

// authCA follows one CA of the config map.
func authCA(key string, client kubernetes.Interface) (*dynamiccertificates.ConfigMapCAController, error) {
	return dynamiccertificates.NewDynamicCAFromConfigMapController(key, metav1.NamespaceSystem, authConfigMap, key, client)
}

func (a *access) authorize(c clients) error {
	probes, err := path.NewAuthorizer([]string{"/healthz", "/readyz", "/livez"})
	if err != nil {
		return err
	}
	reviews, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: c.reviews.AuthorizationV1(),
		AllowCacheTTL:             libraryTTL,
		DenyCacheTTL:              libraryTTL,
		WebhookRetryBackoff:       options.DefaultAuthWebhookRetryBackoff(),
	}.New()
	if err != nil {
		return err
	}
	a.authz.Authorizer = union.New(authorizerfactory.NewPrivilegedGroups("system:masters"), probes, reviews)
	return nil
}

// knowsProxy waits for the CA of the API server's own requests, which is read in the
// background once the server runs; before that each of them would be refused. False
// when it did not come in time.
func (a *access) knowsProxy(ctx context.Context) bool {
	ca := a.authn.RequestHeaderConfig.CAContentProvider
	return wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, proxyCATimeout, true,
		func(context.Context) (bool, error) {
			return len(ca.CurrentCABundleContent()) > 0, nil
		}) == nil
}
