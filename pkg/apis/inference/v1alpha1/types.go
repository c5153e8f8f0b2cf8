// Package v1alpha1 is the Go side of the InferenceBinding: what became of a
// Knative Service's wish for the inference gateway. Its schema,
// config/inference-gateway/150-inferencebinding-crd.yaml, is generated from the
// types (hack/update-codegen.sh).
//
// +groupName=knative-inference.dev
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
// the Service's annotations say how it should be served.
//
// +kubebuilder:object:root=true
// +kubebuilder:metadata:labels="app.kubernetes.io/name=autoscaler-adapter"
// +kubebuilder:resource:path=inferencebindings,shortName=ib,categories={knative,serving}
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=".status.url"
// +kubebuilder:printcolumn:name="Gateway",type=string,JSONPath=".status.gateway"
// +kubebuilder:printcolumn:name="Pool",type=string,JSONPath=".status.pool"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=".status.conditions[?(@.type==\"Ready\")].reason"
// +kubebuilder:printcolumn:name="Address",type=string,priority=1,JSONPath=".status.address"
// +kubebuilder:printcolumn:name="Provider",type=string,priority=1,JSONPath=".status.provider"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=".status.conditions[?(@.type==\"Ready\")].message"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=".metadata.creationTimestamp"
type InferenceBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status InferenceBindingStatus `json:"status,omitempty"`
}

// InferenceBindingStatus is what was observed last.
type InferenceBindingStatus struct {
	// ObservedGeneration is the generation of the Knative Service that was acted upon.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Gateway is namespace/name of the Gateway.
	Gateway string `json:"gateway,omitempty"`
	// Listener is the name of a listener of the Gateway; empty is all listeners.
	Listener string `json:"listener,omitempty"`
	// Provider is the implementation behind the Gateway's class.
	Provider string `json:"provider,omitempty"`
	// Address is where the Gateway can be reached.
	Address string `json:"address,omitempty"`
	// URL is that of the Service's own host.
	URL string `json:"url,omitempty"`
	// URLs are those of all hosts.
	URLs []string `json:"urls,omitempty"`
	// Pool is the name of the InferencePool, the first of Pools.
	Pool string `json:"pool,omitempty"`
	// Pools are the names of all InferencePools; there are several when each revision has one.
	Pools []string `json:"pools,omitempty"`
	// ObjectiveGroup is the API group of objectives that the endpoint picker reads.
	ObjectiveGroup string `json:"objectiveGroup,omitempty"`
	// Conditions say what became of each part; Ready is their summary.
	//
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
