// Package v1alpha1 is the Go side of the InferenceBinding: what became of a
// Knative Service's wish for the inference gateway. config/inference-gateway/150-inferencebinding-crd.yaml
// is its schema.
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Names of the kind in the API.
const (
	Group    = "knative-inference.dev"
	Version  = "v1alpha1"
	Kind     = "InferenceBinding"
	Resource = "inferencebindings"
)

// GroupVersion is the API group and version of this package.
func GroupVersion() schema.GroupVersion { return schema.GroupVersion{Group: Group, Version: Version} }

// InferenceBinding says how a Knative Service of the same name is served through
// an inference gateway. It is written by the adapter and owned by the Service;
// what is asked for stands in the Service's annotations.
type InferenceBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status InferenceBindingStatus `json:"status,omitempty"`
}

// InferenceBindingStatus is what was observed last.
type InferenceBindingStatus struct {
	// ObservedGeneration is the generation of the Knative Service that was acted upon.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Gateway is namespace/name, Listener its listener; empty is all of them.
	Gateway  string `json:"gateway,omitempty"`
	Listener string `json:"listener,omitempty"`
	// Provider is the implementation behind the Gateway's class.
	Provider string `json:"provider,omitempty"`
	// Address is where the Gateway can be reached.
	Address string `json:"address,omitempty"`
	// URL is that of the Service's own host, URLs those of all hosts.
	URL  string   `json:"url,omitempty"`
	URLs []string `json:"urls,omitempty"`
	// Pool is the InferencePool, Pools all of them when each revision has one.
	Pool  string   `json:"pool,omitempty"`
	Pools []string `json:"pools,omitempty"`
	// ObjectiveGroup is the API group of objectives that the endpoint picker reads.
	ObjectiveGroup string `json:"objectiveGroup,omitempty"`
	// Conditions are named in pkg/apis/inference.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
