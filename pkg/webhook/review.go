package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	sigsjson "sigs.k8s.io/json"
)

const (
	// maxDecoded is the size in bytes of JSON that is decoded into Go values. The API server
	// allows 256 KiB of annotations, and a Knative Service is rarely larger than 10 KiB.
	maxDecoded = 512 << 10
	// maxElements is the number of list elements and fields in that JSON, counted by its
	// commas: a list of empty containers takes 3 bytes of JSON and about 1 KiB of Go values
	// for each. A pod of Knative has about 300.
	maxElements = 8192
)

// errTooLarge is returned for JSON that is not decoded because of its size.
var errTooLarge = errors.New("too large")

// bounded decodes JSON whose Go values take at most about 10 MiB.
func bounded(raw []byte, into any) error {
	if len(raw) > maxDecoded {
		return fmt.Errorf("%w: %d bytes, at most %d are read", errTooLarge, len(raw), maxDecoded)
	}
	if n := bytes.Count(raw, []byte(",")); n > maxElements {
		return fmt.Errorf("%w: %d list elements and fields, at most %d are read", errTooLarge, n, maxElements)
	}
	return decode(raw, into)
}

// decode reads JSON as the API server does: names of fields are case-sensitive.
func decode(raw []byte, into any) error {
	return sigsjson.UnmarshalCaseSensitivePreserveInts(raw, into)
}

// admissionReview is what is read of a review. Who asks (userInfo) and the options of the
// write are skipped without being decoded.
type admissionReview struct {
	metav1.TypeMeta `json:",inline"`
	Request         *struct {
		UID         types.UID             `json:"uid"`
		Namespace   string                `json:"namespace"`
		Operation   admissionv1.Operation `json:"operation"`
		SubResource string                `json:"subResource"`
		Object      json.RawMessage       `json:"object"`
		OldObject   json.RawMessage       `json:"oldObject"`
	} `json:"request"`
}

// request reads the review of a request's body.
func request(body []byte) (metav1.TypeMeta, *admissionv1.AdmissionRequest, error) {
	var review admissionReview
	if err := decode(body, &review); err != nil {
		return metav1.TypeMeta{}, nil, fmt.Errorf("reading the AdmissionReview: %w", err)
	}
	if review.Request == nil {
		return metav1.TypeMeta{}, nil, errors.New("reading the AdmissionReview: it has no request")
	}
	in := review.Request
	return review.TypeMeta, &admissionv1.AdmissionRequest{
		UID: in.UID, Namespace: in.Namespace, Operation: in.Operation, SubResource: in.SubResource,
		Object: runtime.RawExtension{Raw: in.Object}, OldObject: runtime.RawExtension{Raw: in.OldObject},
	}, nil
}

// metadata is what is read of an object's metadata.
type metadata struct {
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp *metav1.Time      `json:"deletionTimestamp"`
}

// UnmarshalJSON implements json.Unmarshaler; JSON that is too large is an error.
func (m *metadata) UnmarshalJSON(raw []byte) error {
	type plain metadata
	*m = metadata{} // of two fields of one name the last one counts
	return bounded(raw, (*plain)(m))
}

// annotations returns the annotations of an object that may have no metadata.
func (m *metadata) annotations() map[string]string {
	if m == nil {
		return nil
	}
	return m.Annotations
}

// tree returns the part of the object that patches change, null where it is absent.
func (m *metadata) tree() map[string]any {
	tree := map[string]any{}
	if m.Labels != nil {
		tree["labels"] = values(m.Labels)
	}
	if m.Annotations != nil {
		tree["annotations"] = values(m.Annotations)
	}
	return tree
}

func values(of map[string]string) map[string]any {
	out := make(map[string]any, len(of))
	for k, v := range of {
		out[k] = v
	}
	return out
}

// podHead is what is read of a Pod.
type podHead struct {
	Metadata *metadata `json:"metadata"`
	Spec     *podSpec  `json:"spec"`
}

// podSpec is what is read of a Pod's spec.
type podSpec struct {
	ReadinessGates []readinessGate `json:"readinessGates"`
}

type readinessGate struct {
	ConditionType string `json:"conditionType"`
}

func (s *podSpec) has(gate string) bool {
	return slices.Contains(s.ReadinessGates, readinessGate{gate})
}

// UnmarshalJSON implements json.Unmarshaler; JSON that is too large is an error.
func (s *podSpec) UnmarshalJSON(raw []byte) error {
	type plain podSpec
	*s = podSpec{} // of two fields of one name the last one counts
	return bounded(raw, (*plain)(s))
}

// serviceHead is what the class of a Knative Service is read from.
type serviceHead struct {
	Metadata *metadata `json:"metadata"`
	Spec     *struct {
		Template *struct {
			Metadata *metadata `json:"metadata"`
		} `json:"template"`
	} `json:"spec"`
}

func (s *serviceHead) template() *metadata {
	if s.Spec == nil || s.Spec.Template == nil || s.Spec.Template.Metadata == nil {
		return nil
	}
	return s.Spec.Template.Metadata
}

func (s *serviceHead) class() string {
	return s.template().annotations()[classKey]
}

// tree returns the part of the Service that patches change.
func (s *serviceHead) tree() map[string]any {
	switch {
	case s.Spec == nil:
		return map[string]any{}
	case s.Spec.Template == nil:
		return map[string]any{"spec": map[string]any{}}
	case s.Spec.Template.Metadata == nil:
		return map[string]any{"spec": map[string]any{"template": map[string]any{}}}
	}
	return map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": s.template().tree()}}}
}
