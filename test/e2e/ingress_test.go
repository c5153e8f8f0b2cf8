//go:build e2e

package e2e

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Knative's own networking objects.
var (
	ingresses          = schema.GroupVersionResource{Group: "networking.internal.knative.dev", Version: "v1alpha1", Resource: "ingresses"}
	serverlessServices = schema.GroupVersionResource{Group: "networking.internal.knative.dev", Version: "v1alpha1", Resource: "serverlessservices"}
)

// splitsTo reports whether every split of Knative's Ingress names the revision.
func splitsTo(ingress map[string]any, revision string) bool {
	rules, _, _ := unstructured.NestedSlice(ingress, "spec", "rules")
	found := false
	for _, rule := range rules {
		paths, _, _ := unstructured.NestedSlice(rule.(map[string]any), "http", "paths")
		for _, path := range paths {
			splits, _, _ := unstructured.NestedSlice(path.(map[string]any), "splits")
			for _, split := range splits {
				if split.(map[string]any)["serviceName"] != revision {
					return false
				}
				found = true
			}
		}
	}
	return found
}
