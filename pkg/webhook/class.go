package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// DefaultsPath is where Services get their class.
const DefaultsPath = "/services/default"

// setClass names our class for a new Service that asks for the gateway and names
// none. On an update it only keeps what stood there before: naming a class anew
// would make a new revision of a Service that runs with another.
func setClass(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	var service, old serviceHead
	if err := decode(r.Object.Raw, &service); err != nil {
		return broken(fmt.Errorf("a Knative Service: %w", err))
	}
	if deleted(service.Metadata) || !binding.Asked(service.Metadata.annotations()) || service.class() != "" {
		return allow()
	}
	if r.Operation == admissionv1.Update {
		if err := decode(r.OldObject.Raw, &old); err != nil {
			return broken(fmt.Errorf("the old Knative Service: %w", err))
		}
		if old.class() != autoscaling.Class {
			return allow()
		}
	}
	p := patch{object: service.tree()}
	p.set(autoscaling.Class, "spec", "template", "metadata", "annotations", classKey)
	return allowWith(p)
}

func deleted(m *metadata) bool { return m != nil && m.DeletionTimestamp != nil }

// classKey is the annotation that names the autoscaler class.
const classKey = knautoscaling.ClassAnnotationKey

// class is what the template names; "" leaves it to the cluster's default.
func class(s *servingv1.Service) string {
	if s == nil {
		return ""
	}
	return s.Spec.Template.Annotations[classKey]
}
