package metricsapi

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/endpoints"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/generated/openapi/custommetrics"

	apidiscovery "k8s.io/api/apidiscovery/v2"
)

// component names this API server in logs and in discovery.
const component = "autoscaler-adapter"

// versions are the served versions, the preferred one first.
func versions() []string {
	return []string{v1beta2.SchemeGroupVersion.Version, v1beta1.SchemeGroupVersion.Version}
}

// newAPIServer builds the generic API server around a view. What this API has no use
// for is off: etcd, admission, flow control, profiling, OpenAPI and the library's own
// /metrics (see latency).
func newAPIServer(
	view View, a access, observe, extend func(http.Handler) http.Handler,
) (*genericapiserver.GenericAPIServer, error) {
	config := genericapiserver.NewConfig(apiserver.Codecs)
	config.EnableIndex = false
	config.EnableProfiling = false
	config.EnableMetrics = false
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions,
		openapinamer.NewDefinitionNamer(apiserver.Scheme))
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions,
		openapinamer.NewDefinitionNamer(apiserver.Scheme))
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = component, component
	config.SecureServing = a.serving
	config.Authentication = a.authn
	config.Authorization = a.authz
	config.LoopbackClientConfig = &rest.Config{} // required by the library, but nothing calls back
	config.ExternalAddress = "localhost:443"     // likewise: only shown in the root discovery document
	config.BuildHandlerChainFunc = func(api http.Handler, c *genericapiserver.Config) http.Handler {
		api = extend(contained(fastLists(view, api)))
		return observe(shortForLists(shortChain(api, c), genericapiserver.DefaultBuildHandlerChain(api, c), c))
	}

	completed := (&apiserver.Config{GenericConfig: config}).Complete(nil)
	server, err := completed.New(component, newProvider(view), nil)
	if err != nil {
		return nil, fmt.Errorf("installing %s: %w", GroupName, err)
	}
	if err := addDiscovery(server.GenericAPIServer); err != nil {
		return nil, err
	}
	return server.GenericAPIServer, nil
}

// definitions are the schemas of what this API returns. Without them kube-apiserver
// logs an error about us each minute.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := custommetrics.GetOpenAPIDefinitions(ref)
	maps.DeleteFunc(all, func(name string, _ common.OpenAPIDefinition) bool {
		return strings.HasPrefix(name, "io.k8s.api.") && !strings.HasSuffix(name, ".ObjectReference")
	})
	// of /version
	all[version.Info{}.OpenAPIModelName()] = common.OpenAPIDefinition{Schema: *spec.MapProperty(spec.StringProperty())}
	return all
}

// addDiscovery completes what the library leaves out: both versions in the list of
// groups, and the group in aggregated discovery, which would otherwise be empty and
// hide the API from kubectl. Aggregated discovery names every metric that can be
// served; the list endpoint of a version names those with values.
func addDiscovery(s *genericapiserver.GenericAPIServer) error {
	group := metav1.APIGroup{Name: GroupName}
	resources, err := endpoints.ConvertGroupVersionIntoToDiscovery(allResources())
	if err != nil {
		return fmt.Errorf("describing %s: %w", GroupName, err)
	}
	for i, v := range versions() {
		gv := metav1.GroupVersion{Group: GroupName, Version: v}
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: v})
		s.AggregatedDiscoveryGroupManager.AddGroupVersion(GroupName, apidiscovery.APIVersionDiscovery{
			Version: v, Resources: resources, Freshness: apidiscovery.DiscoveryFreshnessCurrent,
		})
		s.AggregatedDiscoveryGroupManager.SetGroupVersionPriority(gv, groupPriority, versionPriority(i))
	}
	group.PreferredVersion = group.Versions[0]
	s.DiscoveryGroupManager.AddGroup(group)
	return nil
}

// The priorities that metrics adapters use: the newest version first.
const groupPriority = 100

func versionPriority(index int) int { return 100 * (len(versions()) - index) }

func allResources() []metav1.APIResource {
	var all []metav1.APIResource
	for _, resource := range resources() {
		for _, metric := range Metrics() {
			all = append(all, metav1.APIResource{
				Name: resource.String() + "/" + metric, Namespaced: true, Kind: "MetricValueList", Verbs: metav1.Verbs{"get"},
			})
		}
	}
	return all
}
