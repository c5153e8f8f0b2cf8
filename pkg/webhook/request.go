package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// services reads the object and, on an update, the old one; old is nil on a create. The
// error is errTooLarge for objects that are not decoded because of their size.
func services(r *admissionv1.AdmissionRequest) (object, old *servingv1.Service, err error) {
	object = &servingv1.Service{}
	if err := bounded(r.Object.Raw, object); err != nil {
		return nil, nil, fmt.Errorf("a Knative Service: %w", err)
	}
	if len(r.OldObject.Raw) == 0 {
		return object, nil, nil
	}
	old = &servingv1.Service{}
	if err := bounded(r.OldObject.Raw, old); err != nil {
		return nil, nil, fmt.Errorf("the old Knative Service: %w", err)
	}
	return object, old, nil
}
