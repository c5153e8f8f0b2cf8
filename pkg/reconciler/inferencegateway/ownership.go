package inferencegateway

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

const (
	knativeAPIVersion = knativeGroup + "/v1"
	knativeKind       = "Service"
)

// owner is a Knative Service as the owner of objects.
type owner struct {
	namespace, name string
	uid             types.UID
}

func ownerOf(svc *servingv1.Service) owner { return owner{svc.Namespace, svc.Name, svc.UID} }

// reference is an owner reference that does not block the Service's deletion:
// nothing of ours has to be gone first.
func (o owner) reference(controller bool) metav1.OwnerReference {
	ref := metav1.OwnerReference{APIVersion: knativeAPIVersion, Kind: knativeKind, Name: o.name, UID: o.uid}
	if controller {
		ref.Controller = &controller
	}
	return ref
}

// claim is who an existing object belongs to.
type claim int

const (
	// foreign is somebody else's, and stays so.
	foreign claim = iota
	// mine may be written.
	mine
	// orphan is nobody's: it may be written on request.
	orphan
	// leaving is being deleted, or belongs to an earlier Service of the name.
	leaving
)

// claimOn reports whether o may write the live object in the way of the ownership.
func (o owner) claimOn(live *unstructured.Unstructured, as manifest.Ownership) claim {
	if live.GetDeletionTimestamp() != nil {
		return leaving
	}
	l := live.GetLabels()
	switch controller := metav1.GetControllerOf(live); {
	case controller != nil && controller.UID == o.uid:
		return mine
	case controller != nil && isKnativeService(*controller) && controller.Name == o.name:
		return leaving
	case controller != nil:
		return foreign
	case !managed(live):
		return orphan
	case as == manifest.Shared && len(live.GetOwnerReferences()) > 0,
		as == manifest.Controlled && len(live.GetOwnerReferences()) > 0 && o.soleOwner(live), // shared with nobody any more
		as == manifest.GatewayWide && l[inference.GatewayNameKey] != "",
		as == manifest.Labelled && l[inference.OwnerNamespaceKey] == o.namespace && l[inference.OwnerServiceKey] == o.name:
		return mine
	case len(live.GetOwnerReferences()) == 0 && l[inference.GatewayNameKey] == "" && l[inference.OwnerServiceKey] == "":
		return orphan // ours once: a restored backup has no owners
	}
	return foreign
}

func isKnativeService(ref metav1.OwnerReference) bool {
	return ref.APIVersion == knativeAPIVersion && ref.Kind == knativeKind
}

// soleOwner is false when others own the object too.
func (o owner) soleOwner(live *unstructured.Unstructured) bool {
	return !slices.ContainsFunc(live.GetOwnerReferences(),
		func(ref metav1.OwnerReference) bool { return ref.UID != o.uid })
}
