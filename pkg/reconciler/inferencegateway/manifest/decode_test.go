package manifest

import (
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	infv1 "sigs.k8s.io/gateway-api-inference-extension/api/v1"
	infv1alpha2 "sigs.k8s.io/gateway-api-inference-extension/apix/v1alpha2"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// goType is the Go type of a kind; Istio's are checked by the end-to-end tests only.
func goType(kind string) (any, bool) {
	switch kind {
	case "InferencePool":
		return &infv1.InferencePool{}, true
	case "InferenceObjective":
		return &infv1alpha2.InferenceObjective{}, true
	case "InferenceModelRewrite":
		return &infv1alpha2.InferenceModelRewrite{}, true
	case "HTTPRoute":
		return &gatewayv1.HTTPRoute{}, true
	case "ConfigMap":
		return &corev1.ConfigMap{}, true
	case "Service":
		return &corev1.Service{}, true
	case "ServiceAccount":
		return &corev1.ServiceAccount{}, true
	case "Deployment":
		return &appsv1.Deployment{}, true
	case "Role":
		return &rbacv1.Role{}, true
	case "RoleBinding":
		return &rbacv1.RoleBinding{}, true
	}
	return nil, false
}

// TestObjectsDecodeStrictly holds every object of every story against its Go
// type, its metadata against the API server's rules.
func TestObjectsDecodeStrictly(t *testing.T) {
	for _, file := range stories(t) {
		p := load(t, file).build(t)
		for _, o := range slices.Concat(p.Gateway, p.Objects) {
			name := filepath.Base(file) + " " + o.GetKind() + " " + o.GetName()
			runtime.DeepCopyJSON(o.Object) // Panics on values that are not JSON's.
			text, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if typed, ok := goType(o.GetKind()); ok {
				if err := yaml.UnmarshalStrict(text, typed); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if k := o.GetKind(); k != "EnvoyFilter" && k != "DestinationRule" && k != "EnvoyPatchPolicy" {
				t.Errorf("%s: no Go type to hold it against", name)
			}
			if errs := validation.ValidateObjectMetaAccessor(o, true, validation.NameIsDNSSubdomain, field.NewPath("metadata")); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs)
			}
			if errs := metav1validation.ValidateLabels(o.GetLabels(), field.NewPath("labels")); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs)
			}
		}
	}
}

// TestRouteBounds holds routes against the bounds that only CEL knows.
func TestRouteBounds(t *testing.T) {
	for _, file := range stories(t) {
		for _, o := range load(t, file).build(t).Objects {
			if o.GetKind() != "HTTPRoute" {
				continue
			}
			var route gatewayv1.HTTPRoute
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &route); err != nil {
				t.Fatal(err)
			}
			total, names := 0, map[gatewayv1.SectionName]bool{}
			for _, r := range route.Spec.Rules {
				total += len(r.Matches)
				if names[*r.Name] || len(r.Matches) > 64 || len(*r.Name) > 253 {
					t.Errorf("%s: rule %s has %d matches, or a name twice", file, *r.Name, len(r.Matches))
				}
				names[*r.Name] = true
			}
			if total > 128 || len(route.Spec.Rules) > 16 || len(route.Spec.Hostnames) > 16 {
				t.Errorf("%s: %s has %d matches in %d rules", file, o.GetName(), total, len(route.Spec.Rules))
			}
		}
	}
}
