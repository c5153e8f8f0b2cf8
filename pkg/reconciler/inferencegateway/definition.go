package inferencegateway

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// definition is what a CRD says of one version.
type definition struct {
	uid                 types.UID
	served, appProtocol bool
}

// definitionOf reads a CRD. One that is being deleted takes no new objects, so
// it does not count as served.
func definitionOf(crd *unstructured.Unstructured, version string) definition {
	d := definition{uid: crd.GetUID()}
	if crd.GetDeletionTimestamp() != nil || !established(crd) {
		return d
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		m, ok := v.(map[string]any)
		if !ok || m["name"] != version {
			continue
		}
		d.served, _ = m["served"].(bool)
		d.appProtocol, _ = m["appProtocol"].(bool)
	}
	return d
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == "Established" {
			return m["status"] == "True"
		}
	}
	return false
}

// slimCRD keeps what definitionOf reads: schemas are large.
func slimCRD(obj any) (any, error) {
	crd, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	kept := make([]any, 0, len(versions))
	for _, v := range versions {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		if _, slim := m["appProtocol"]; slim {
			return obj, nil // an informer may transform an object twice
		}
		_, has, _ := unstructured.NestedMap(m, "schema", "openAPIV3Schema", "properties", "spec", "properties", "appProtocol")
		kept = append(kept, map[string]any{"name": m["name"], "served": m["served"], "appProtocol": has})
	}
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	crd.SetManagedFields(nil)
	crd.SetAnnotations(nil)
	crd.Object["spec"] = map[string]any{"versions": kept}
	crd.Object["status"] = map[string]any{"conditions": conditions}
	return crd, nil
}

// slim drops what nobody here reads before an object enters the cache.
func slim(obj any) (any, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		u.SetManagedFields(nil)
	}
	return obj, nil
}

// The indexes of every cache.
const (
	// byOwner finds objects by the UID of any owner.
	byOwner = "owner"
	// byService finds objects without an owner reference by the Service in their labels.
	byService = "service"
	// gatewayWide finds the objects that serve whole Gateways; its only value is itself.
	// They have no owner: what has one is kept by it, whatever labels were copied to it.
	gatewayWide = "gateway-wide"
	// byHost finds HTTPRoutes of others by their hosts; everyHost is that of a route without any.
	byHost    = "host"
	everyHost = ""
)

func indexers() cache.Indexers {
	return cache.Indexers{
		byOwner: func(obj any) ([]string, error) {
			var uids []string
			for _, o := range obj.(*unstructured.Unstructured).GetOwnerReferences() {
				uids = append(uids, string(o.UID))
			}
			return uids, nil
		},
		byService: func(obj any) ([]string, error) {
			l := obj.(*unstructured.Unstructured).GetLabels()
			if !managed(obj.(*unstructured.Unstructured)) || l[inference.OwnerServiceKey] == "" {
				return nil, nil
			}
			return []string{l[inference.OwnerNamespaceKey] + "/" + l[inference.OwnerServiceKey]}, nil
		},
		gatewayWide: func(obj any) ([]string, error) {
			u := obj.(*unstructured.Unstructured)
			if !managed(u) || u.GetLabels()[inference.GatewayNameKey] == "" || len(u.GetOwnerReferences()) > 0 {
				return nil, nil
			}
			return []string{gatewayWide}, nil
		},
		byHost: func(obj any) ([]string, error) {
			u := obj.(*unstructured.Unstructured)
			if u.GetKind() != "HTTPRoute" || managed(u) {
				return nil, nil
			}
			hosts := slices.Collect(maps.Keys(hostsOf(u)))
			if len(hosts) == 0 {
				hosts = []string{everyHost}
			}
			return hosts, nil
		},
	}
}

func managed(u *unstructured.Unstructured) bool {
	return u.GetLabels()[inference.ManagedByKey] == inference.ManagedBy
}
