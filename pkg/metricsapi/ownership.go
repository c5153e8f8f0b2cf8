package metricsapi

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// managedByLabel marks the APIServices that the adapter wrote.
	managedByLabel = "app.kubernetes.io/managed-by"
	// reportInterval is how often a foreign owner is named again; a change is named at once.
	reportInterval = 30 * time.Minute
	// ReasonServedByAnother is the reason of the event that names another adapter.
	ReasonServedByAnother = "MetricsAPIServedByAnother"
)

// report is what was last said about an APIService of somebody else.
type report struct {
	owner string
	at    time.Time
}

// isForeign reports whether an APIService leads to somebody else. Only where it leads
// counts: labels and owners of ours stay behind when another adapter is applied over us.
func (r *Registrar) isForeign(object *unstructured.Unstructured) bool {
	return owner(object) != r.o.Namespace+"/"+r.o.Name
}

// owner names the Service that an APIService leads to.
func owner(object *unstructured.Unstructured) string {
	namespace, _, _ := unstructured.NestedString(object.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(object.Object, "spec", "service", "name")
	if namespace == "" && name == "" {
		return "the API server itself"
	}
	return namespace + "/" + name
}

// report names the owners of what is not ours, and reports whether there are any. Where we
// are not to register, another owner is no cause for a warning.
func (r *Registrar) report(live []*unstructured.Unstructured, wanted bool, now time.Time) (foreign bool) {
	for i, version := range versions() {
		name, object := apiServiceName(version), live[i]
		if object == nil || !r.isForeign(object) {
			if last, ok := r.reported[name]; ok {
				r.o.Log.Info("APIService is free again", "name", name, "was", last.owner)
				delete(r.reported, name)
			}
			continue
		}
		foreign = true
		if last, owner := r.reported[name], owner(object); wanted {
			if last.owner != owner || now.Sub(last.at) >= reportInterval {
				r.reported[name] = report{owner: owner, at: now}
				r.warn(name, owner)
			}
		} else if last.owner != owner {
			r.reported[name] = report{owner: owner} // no time: a warning is due once we are to register
			r.o.Log.Info("another adapter has an APIService of "+GroupName+", and register-metrics-api leaves it to that one",
				"apiservice", name, "owner", owner)
		}
	}
	return foreign
}

// warn says in the log and in an event that somebody else has an APIService that we are to have.
func (r *Registrar) warn(name, owner string) {
	r.o.Log.Warn("another adapter has an APIService of "+GroupName+"; it does not show our metrics until that is removed",
		"apiservice", name, "owner", owner)
	r.o.Events.Eventf(r.deployment(), corev1.EventTypeWarning, ReasonServedByAnother,
		"APIService %s leads to Service %s: HorizontalPodAutoscalers and kubectl do not see our metrics "+
			"(our own class scales on). To leave the API to that adapter, set register-metrics-api to \"false\" in "+
			"config-ipa; docs/metrics.md says how our metrics are read then. "+
			"To have it served by us, remove that adapter or the APIService",
		name, owner)
}

// deployment is what the events are about: it lives in our own namespace, as they must.
func (r *Registrar) deployment() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: r.o.Namespace, Name: r.o.Name}
}

// own makes the ClusterRole the owner of an APIService, so that removing it takes
// the APIService along, and labels it.
func own(object *unstructured.Unstructured, role string, uid types.UID) {
	labels := object.GetLabels()
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[managedByLabel] = role
	object.SetLabels(labels)
	wanted := metav1.OwnerReference{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: role, UID: uid}
	if owners := object.GetOwnerReferences(); !slices.Contains(owners, wanted) {
		object.SetOwnerReferences(append(slices.DeleteFunc(owners, isRole(role)), wanted))
	}
}

// disown takes our marks off an APIService that another adapter took over: with our
// owner reference on it, removing us would remove theirs, and with our CA on it the API
// server would not trust theirs.
func disown(object *unstructured.Unstructured, role, caBundle string) {
	if ca, _, _ := unstructured.NestedString(object.Object, "spec", "caBundle"); ca == caBundle {
		unstructured.RemoveNestedField(object.Object, "spec", "caBundle")
	}
	if labels := object.GetLabels(); labels[managedByLabel] == role {
		delete(labels, managedByLabel)
		object.SetLabels(labels)
	}
	if owners := object.GetOwnerReferences(); slices.ContainsFunc(owners, isRole(role)) {
		object.SetOwnerReferences(slices.DeleteFunc(owners, isRole(role)))
	}
}

// isRole finds the reference to a ClusterRole, also one that was since made anew.
func isRole(role string) func(metav1.OwnerReference) bool {
	return func(o metav1.OwnerReference) bool { return o.Kind == "ClusterRole" && o.Name == role }
}
