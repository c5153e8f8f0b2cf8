package webhook

import (
	"slices"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// InferenceServicesPath is where InferenceServices of KServe get their class.
const InferenceServicesPath = "/inferenceservices/default"

// deploymentModeKey is KServe's annotation for what an InferenceService becomes: in mode
// Knative, which was called Serverless, a Knative Service. Without the annotation KServe's
// own configuration says it, which is not read here.
const deploymentModeKey = "serving.kserve.io/deploymentMode"

// kserveClass names our class for a new InferenceService that names none, in the namespaces
// of default-class. KServe would write Knative's class into its Knative Service, where it
// looks like a choice of the user. An update keeps what stood there before, and does not
// name a class anew: that would make a new revision. None is ever refused.
func kserveClass(own func() *config.Config) admit {
	return func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		class := own().ClassIn(r.Namespace)
		if class == "" || r.SubResource != "" {
			return allow()
		}
		var head, old inferenceServiceHead
		err := decode(r.Object.Raw, &head)
		if err != nil || deleted(head.Metadata) || head.namesClass() || !head.byKnative() {
			return allow()
		}
		if r.Operation == admissionv1.Update {
			if err := decode(r.OldObject.Raw, &old); err != nil || old.Metadata.annotations()[classKey] != autoscaling.Class {
				return allow()
			}
		}
		p := patch{object: map[string]any{}}
		if head.Metadata != nil {
			p.object["metadata"] = head.Metadata.tree()
		}
		p.set(class, "metadata", "annotations", classKey)
		return allowWith(p)
	}
}

// inferenceServiceHead is what is read of an InferenceService: its annotations, and those
// of its components, which win over its own.
type inferenceServiceHead struct {
	Metadata *metadata `json:"metadata"`
	Spec     struct {
		Predictor   component `json:"predictor"`
		Transformer component `json:"transformer"`
		Explainer   component `json:"explainer"`
	} `json:"spec"`
}

type component struct {
	Annotations notes `json:"annotations"`
}

// notes are annotations outside of an object's metadata.
type notes map[string]string

// UnmarshalJSON implements json.Unmarshaler; JSON that is too large is an error.
func (n *notes) UnmarshalJSON(raw []byte) error {
	*n = nil // of two fields of one name the last one counts
	return bounded(raw, (*map[string]string)(n))
}

// namesClass reports whether the InferenceService or one of its components names a class.
func (i *inferenceServiceHead) namesClass() bool {
	all := []map[string]string{
		i.Metadata.annotations(), i.Spec.Predictor.Annotations, i.Spec.Transformer.Annotations, i.Spec.Explainer.Annotations,
	}
	return slices.ContainsFunc(all, func(of map[string]string) bool { return of[classKey] != "" })
}

// byKnative reports whether KServe may make a Knative Service of the InferenceService.
func (i *inferenceServiceHead) byKnative() bool {
	return slices.Contains([]string{"", "Knative", "Serverless"}, i.Metadata.annotations()[deploymentModeKey])
}
