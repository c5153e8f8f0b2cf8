package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

func allow() *admissionv1.AdmissionResponse { return &admissionv1.AdmissionResponse{Allowed: true} }

// allowWith allows the object with the patch's operations, if there are any.
func allowWith(p patch) *admissionv1.AdmissionResponse {
	r := allow()
	if len(p.operations) == 0 {
		return r
	}
	text, err := json.Marshal(p.operations)
	if err != nil {
		return broken(err) // strings and maps of them always marshal
	}
	kind := admissionv1.PatchTypeJSONPatch
	r.Patch, r.PatchType = text, &kind
	return r
}

// broken answers a request that cannot be read.
func broken(err error) *admissionv1.AdmissionResponse {
	status := apierrors.NewBadRequest(fmt.Sprintf("reading the object: %v", err)).Status()
	return &admissionv1.AdmissionResponse{Result: &status}
}

// respond turns problems into a refusal that names every field, or into warnings.
func respond(problems []binding.Problem) *admissionv1.AdmissionResponse {
	r := allow()
	var causes []metav1.StatusCause
	message := ""
	for _, p := range problems {
		text := p.Message
		if p.Path != "" {
			text = p.Path + ": " + p.Message
		}
		if p.Warning {
			r.Warnings = append(r.Warnings, text)
			continue
		}
		causes = append(causes, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: p.Path,
			Message: p.Message})
		message += fmt.Sprintf("\n  %s", text)
	}
	if len(causes) > 0 {
		r.Allowed = false
		r.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
			Message: message, Details: &metav1.StatusDetails{Causes: causes},
		}
	}
	return r
}
