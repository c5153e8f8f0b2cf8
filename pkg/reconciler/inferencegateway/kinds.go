package inferencegateway

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference/v1alpha1"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// API groups of the gateway world.
const (
	gatewayGroup      = "gateway.networking.k8s.io"
	poolGroup         = "inference.networking.k8s.io"
	objectiveGroup    = "inference.networking.x-k8s.io"
	llmdGroup         = "llm-d.ai"
	istioGroup        = "networking.istio.io"
	envoyGatewayGroup = "gateway.envoyproxy.io"
	knativeGroup      = "serving.knative.dev"
)

// resource is one kind that is watched.
type resource struct {
	schema.GroupVersionResource
	kind string
	// custom is true for what a CRD defines, which may come and go.
	custom bool
	// all watches every object of the kind, not only those with our label.
	all bool
	// stage is when objects of ours are applied and removed.
	stage manifest.Stage
	// ours is true for what we write.
	ours bool
}

// crd is the name of the CustomResourceDefinition.
func (r resource) crd() string { return r.Resource + "." + r.Group }

func (r resource) gvk() schema.GroupVersionKind { return r.GroupVersion().WithKind(r.kind) }

func gvr(group, version, name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: name}
}

// The resources that are looked up by name.
var (
	namespaces     = gvr("", "v1", "namespaces")
	services       = gvr("", "v1", "services")
	deployments    = gvr("apps", "v1", "deployments")
	gateways       = gvr(gatewayGroup, "v1", "gateways")
	gatewayClasses = gvr(gatewayGroup, "v1", "gatewayclasses")
	httpRoutes     = gvr(gatewayGroup, "v1", "httproutes")
	pools          = gvr(poolGroup, "v1", "inferencepools")
	bindings       = gvr(v1alpha1.Group, v1alpha1.Version, v1alpha1.Resource)
	destRules      = gvr(istioGroup, "v1", "destinationrules")
	envoyFilters   = gvr(istioGroup, "v1alpha3", "envoyfilters")
	patchPolicies  = gvr(envoyGatewayGroup, "v1alpha1", "envoypatchpolicies")
	crds           = gvr("apiextensions.k8s.io", "v1", "customresourcedefinitions")
)

func objectives(group string) schema.GroupVersionResource {
	return gvr(group, "v1alpha2", "inferenceobjectives")
}

func rewrites(group string) schema.GroupVersionResource {
	return gvr(group, "v1alpha2", "inferencemodelrewrites")
}

// resources lists every kind that is watched or written.
func resources() []resource {
	const rbac = "rbac.authorization.k8s.io"
	return []resource{
		{GroupVersionResource: namespaces, kind: "Namespace", all: true},
		{GroupVersionResource: gvr("", "v1", "serviceaccounts"), kind: "ServiceAccount", ours: true},
		{GroupVersionResource: gvr("", "v1", "configmaps"), kind: "ConfigMap", ours: true},
		{GroupVersionResource: services, kind: "Service", ours: true},
		{GroupVersionResource: gvr(rbac, "v1", "rolebindings"), kind: "RoleBinding", ours: true},
		{GroupVersionResource: deployments, kind: "Deployment", ours: true},
		{GroupVersionResource: destRules, kind: "DestinationRule", custom: true, ours: true},
		{GroupVersionResource: pools, kind: "InferencePool", custom: true, all: true, ours: true, stage: manifest.StagePool},
		{GroupVersionResource: objectives(objectiveGroup), kind: "InferenceObjective", custom: true, ours: true, stage: manifest.StageObjective},
		{GroupVersionResource: objectives(llmdGroup), kind: "InferenceObjective", custom: true, ours: true, stage: manifest.StageObjective},
		{GroupVersionResource: rewrites(objectiveGroup), kind: "InferenceModelRewrite", custom: true, ours: true, stage: manifest.StageObjective},
		{GroupVersionResource: rewrites(llmdGroup), kind: "InferenceModelRewrite", custom: true, ours: true, stage: manifest.StageObjective},
		{GroupVersionResource: envoyFilters, kind: "EnvoyFilter", custom: true, ours: true, stage: manifest.StageFilter},
		{GroupVersionResource: patchPolicies, kind: "EnvoyPatchPolicy", custom: true, ours: true, stage: manifest.StageFilter},
		{GroupVersionResource: httpRoutes, kind: "HTTPRoute", custom: true, all: true, ours: true, stage: manifest.StageRoute},
		{GroupVersionResource: gateways, kind: "Gateway", custom: true, all: true},
		{GroupVersionResource: gatewayClasses, kind: "GatewayClass", custom: true, all: true},
		{GroupVersionResource: bindings, kind: v1alpha1.Kind, custom: true, all: true},
	}
}

// resourceOf finds the resource of an object that a Plan names.
func resourceOf(gvk schema.GroupVersionKind) (resource, bool) {
	all := resources()
	i := slices.IndexFunc(all, func(r resource) bool { return r.gvk() == gvk })
	if i < 0 {
		return resource{}, false
	}
	return all[i], true
}
