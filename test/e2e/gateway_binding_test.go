//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// bindings is our own kind.
var bindings = schema.GroupVersionResource{Group: "knative-inference.dev", Version: "v1alpha1", Resource: "inferencebindings"}

var destinationRules = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"}

// gatewayKinds are the kinds of objects that the product makes in a Service's namespace.
var gatewayKinds = []schema.GroupVersionResource{
	bindings, inferencePools, objectives, httpRoutes,
	{Group: "inference.networking.x-k8s.io", Version: "v1alpha2", Resource: "inferencemodelrewrites"},
	destinationRules,
	{Group: "networking.istio.io", Version: "v1alpha3", Resource: "envoyfilters"},
	{Group: "gateway.envoyproxy.io", Version: "v1alpha1", Resource: "envoypatchpolicies"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "serviceaccounts"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
}

// served is the deadline of what several controllers decide one after another:
// ours, Istio's, the picker's start.
const served = 2 * settle

const managedByGateway = "app.kubernetes.io/managed-by=knative-inference-gateway"

// behindGateway asks for the gateway; more are annotations of the Service itself.
func (s *service) behindGateway(more map[string]string) *service {
	s.own = map[string]string{aiGateway: "inference"}
	for k, v := range more {
		s.own[k] = v
	}
	return s
}

// ofGateway lists what the product made in the namespace, as kind/name.
func ofGateway(ctx context.Context, namespace string) ([]string, error) {
	var all []string
	for _, kind := range gatewayKinds {
		list, err := cluster.dynamic.Resource(kind).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: managedByGateway})
		if apierrs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			all = append(all, o.GetKind()+"/"+o.GetName())
		}
	}
	slices.Sort(all)
	return all, nil
}

func (s *service) binding() (*unstructured.Unstructured, error) {
	return cluster.dynamic.Resource(bindings).Namespace(s.namespace).Get(s.t.Context(), s.name, metav1.GetOptions{})
}

// condition gives "status reason: message" of the Service's InferenceBinding.
func (s *service) condition(kind string) string {
	b, err := s.binding()
	if err != nil {
		return err.Error()
	}
	all, _, _ := unstructured.NestedSlice(b.Object, "status", "conditions")
	for _, c := range all {
		if c := c.(map[string]any); c["type"] == kind {
			return fmt.Sprintf("%v %v: %v", c["status"], c["reason"], c["message"])
		}
	}
	return "no condition " + kind
}

// waitCondition waits until a condition of the binding holds all parts, such as its status.
func (s *service) waitCondition(kind string, parts ...string) {
	s.t.Helper()
	eventually(s.t, served, fmt.Sprintf("%s: %s has %q", s.name, kind, parts), func() (bool, string) {
		got := s.condition(kind)
		return containsAll(got, parts), got
	})
}

// waitPicked waits until the Gateway's picker names the pod that answers. Until
// Envoy has our route Knative's own may serve the host, and until it has found
// the picker, which is FailOpen, any pod does.
func (q question) waitPicked(t *testing.T) {
	t.Helper()
	q.waitServed(t)
	eventually(t, settle, q.host+": the picker is asked", func() (bool, string) {
		a, err := q.ask(t.Context())
		return err == nil && a.picked != "", fmt.Sprintf("%v %v", a.status, err)
	})
}

// waitServed waits until the Gateway answers the question by 200.
func (q question) waitServed(t *testing.T) {
	t.Helper()
	eventually(t, served, q.host+" answers through the Gateway", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		a, err := q.ask(ctx)
		if err != nil {
			return false, err.Error()
		}
		return a.status == 200, a.String()
	})
}
