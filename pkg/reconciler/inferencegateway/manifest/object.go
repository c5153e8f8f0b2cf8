package manifest

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// fields is a JSON object.
type fields = map[string]any

// list is a JSON array.
type list = []any

// identity says what an object is and where.
type identity struct {
	apiVersion, kind, namespace, name string
	// component is the value of the label of that name.
	component string
}

// The labels of Knative and Kubernetes that we read or write.
const (
	knativeServiceLabel  = "serving.knative.dev/service"
	knativeRevisionLabel = "serving.knative.dev/revision"
)

// object makes one with our labels; content holds spec, data, rules and the like.
func object(id identity, content fields) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: fields{
		"apiVersion": id.apiVersion,
		"kind":       id.kind,
		"metadata": fields{
			"name": id.name, "namespace": id.namespace,
			"labels": fields{inference.ManagedByKey: inference.ManagedBy, inference.ComponentKey: id.component},
		},
	}}
	maps.Copy(u.Object, content)
	return u
}

// withSpec is the content of an object whose spec has a Go type. Fields without a
// value are left out, as the type's JSON tags say.
func withSpec(spec any) fields {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(spec)
	if err != nil {
		panic(err) // only for a Go type that has no JSON form
	}
	return fields{"spec": content}
}

func addLabels(u *unstructured.Unstructured, more map[string]string) {
	labels := u.GetLabels()
	maps.Copy(labels, more)
	u.SetLabels(labels)
}

// add puts an object of the Service into the plan, with what ends it.
func (b *builder) add(stage Stage, id identity, content fields) {
	u := object(id, content)
	ownership := Controlled
	switch {
	case b.in.Pool != "" && (stage == StagePicker || stage == StagePool):
		ownership = Shared
		addLabels(u, map[string]string{inference.PoolKey: b.in.Pool})
		b.own(u, b.members)
	case id.namespace != b.in.Namespace:
		ownership = Labelled
		addLabels(u, map[string]string{inference.OwnerNamespaceKey: b.in.Namespace, inference.OwnerServiceKey: b.in.Service})
	default:
		addLabels(u, map[string]string{knativeServiceLabel: b.in.Service})
		b.own(u, nil)
	}
	b.plan.Objects = append(b.plan.Objects, Object{u, stage, ownership})
}

// own writes owner references: this Service as the controller, or all members as mere owners.
func (b *builder) own(u *unstructured.Unstructured, members []member) {
	owner := func(name, uid string, controller bool) fields {
		ref := fields{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name, "uid": uid}
		if controller {
			ref["controller"], ref["blockOwnerDeletion"] = true, true
		}
		return ref
	}
	refs := list{}
	for _, m := range members {
		refs = append(refs, owner(m.intent.Service, string(m.uid), false))
	}
	if len(members) == 0 {
		refs = append(refs, owner(b.in.Service, string(b.w.ServiceUID), true))
	}
	u.Object["metadata"].(fields)["ownerReferences"] = refs
}

// addGatewayWide puts an object that serves the whole Gateway into the plan.
func (b *builder) addGatewayWide(stage Stage, id identity, content fields) {
	u := object(id, content)
	addLabels(u, map[string]string{inference.GatewayNameKey: fit(b.in.Gateway.Name, maxName)})
	b.plan.Gateway = append(b.plan.Gateway, Object{u, stage, GatewayWide})
}

// find records what is not as asked.
func (b *builder) find(conditionType, status, reason, message string) {
	f := Finding{conditionType, status, reason, message}
	if !slices.Contains(b.plan.Findings, f) {
		b.plan.Findings = append(b.plan.Findings, f)
	}
}
