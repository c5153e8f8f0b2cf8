package binding

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
)

// KServe's InferenceService, which makes a Knative Service for its predictor.
const (
	kserveGroup = "serving.kserve.io"
	kserveKind  = "InferenceService"
)

// KServeOwner is the name of the InferenceService that made a Knative Service; "" when
// none did.
func KServeOwner(s *servingv1.Service) string {
	owner := metav1.GetControllerOf(s)
	if owner == nil || owner.Kind != kserveKind {
		return ""
	}
	if gv, err := schema.ParseGroupVersion(owner.APIVersion); err != nil || gv.Group != kserveGroup {
		return ""
	}
	return owner.Name
}

// Annotations returns the annotations of a Knative Service for Parse: those of its metadata. KServe
// copies the annotations of an InferenceService into the template and not into the metadata,
// and reverts edits of users. So the gateway's annotations count in the template of such a
// Service, too; metadata wins. The map may be the Service's own: do not change it.
func Annotations(s *servingv1.Service) map[string]string {
	if KServeOwner(s) == "" {
		return s.Annotations
	}
	given := map[string]string{}
	for key, value := range s.Spec.Template.Annotations {
		if a, known := annotations.ByKey(key); known && a.Place == annotations.Service {
			given[key] = value
		}
	}
	maps.Copy(given, s.Annotations)
	return given
}

// Misplaced finds annotations of a Service under its template, where they are not read
// and where a change would make a new revision.
func Misplaced(s *servingv1.Service) (problems []Problem) {
	given := s.Spec.Template.Annotations
	for _, key := range slices.Sorted(maps.Keys(given)) {
		switch a, known := annotations.ByKey(key); {
		case known && a.Place == annotations.Ours: // Knative would write it over the program's, again and again
			problems = append(problems, Problem{Path: TemplatePath(key), Message: "is written by the autoscaler, on PodAutoscalers only; remove it"})
		case known && a.Place == annotations.Service && KServeOwner(s) == "":
			problems = append(problems, Problem{Path: TemplatePath(key), Message: "belongs under metadata.annotations of the Service: it is not about one revision; move it there"})
		}
	}
	return problems
}
