package webhook

import (
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
	service, old, err := services(r)
	if err != nil {
		return broken(err)
	}
	if service.DeletionTimestamp != nil || !binding.Asked(service.Annotations) || class(service) != "" {
		return allow()
	}
	if r.Operation == admissionv1.Update && class(old) != autoscaling.Class {
		return allow()
	}
	object, err := decode(r.Object.Raw)
	if err != nil {
		return broken(err)
	}
	p := patch{object: object}
	p.set(autoscaling.Class, "spec", "template", "metadata", "annotations", knautoscaling.ClassAnnotationKey)
	return allowWith(p)
}

// class is what the template names; "" leaves it to the cluster's default.
func class(s *servingv1.Service) string {
	if s == nil {
		return ""
	}
	return s.Spec.Template.Annotations[knautoscaling.ClassAnnotationKey]
}
