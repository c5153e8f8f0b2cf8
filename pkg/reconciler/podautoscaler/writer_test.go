package podautoscaler

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func managedBy(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
}

const replicasField = `{"f:spec":{"f:replicas":{}}}`

// Who writes the count beside us is named, with what to do about it, once in ten minutes.
func TestScale_namesAnotherWriter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   []string // parts of the event; none without one
	}{
		{"an HPA", []metav1.ManagedFieldsEntry{managedBy("controller", `{"f:spec":{"f:template":{}}}`), managedBy("kube-controller-manager", replicasField)},
			[]string{"AnotherWriter", "kube-controller-manager set the Deployment llm-1-deployment to 5 replicas", "sets it to 3", "HorizontalPodAutoscaler", "the ScaledObject"}},
		{"KEDA between 0 and 1", []metav1.ManagedFieldsEntry{managedBy("keda", replicasField)}, []string{"keda set the Deployment", "Delete the ScaledObject"}},
		{"kubectl scale", []metav1.ManagedFieldsEntry{managedBy("kubectl", replicasField)}, []string{"kubectl set the Deployment", "min-scale and max-scale"}},
		{"ourselves", []metav1.ManagedFieldsEntry{managedBy("autoscaler-adapter", replicasField)}, nil},
		{"Knative, when it made the Deployment", []metav1.ManagedFieldsEntry{managedBy("controller", replicasField)}, nil},
		{"somebody who writes other fields", []metav1.ManagedFieldsEntry{managedBy("kubectl", `{"f:metadata":{}}`), managedBy("x", `{`)}, nil},
		{"nobody known", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pa, d := initialized(autoscaler("llm-1", 1), time.Hour), target("llm-1", 5)
				d.UID, d.ManagedFields = "d", tt.fields
				b := newBench(t, 3, pa, readySKS(pa), d)
				b.reconcile(pa)
				events := b.eventText()
				for _, part := range tt.want {
					if !strings.Contains(events, part) {
						t.Errorf("events %q lack %q", events, part)
					}
				}
				if tt.want == nil && strings.Contains(events, "AnotherWriter") {
					t.Errorf("events %q, want none about a writer", events)
				}
				time.Sleep(time.Minute)
				b.reconcile(pa)
				if events := b.eventText(); strings.Contains(events, "AnotherWriter") {
					t.Errorf("reported again after a minute: %q", events)
				}
				time.Sleep(remindEvery)
				b.reconcile(pa)
				if events := b.eventText(); strings.Contains(events, "AnotherWriter") != (tt.want != nil) {
					t.Errorf("after %v: %q", remindEvery, events)
				}
			})
		})
	}
}
