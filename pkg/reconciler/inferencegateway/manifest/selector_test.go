package manifest

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// In every story, whatever selects pods selects those that it is for: a Deployment its own, a
// Service those of one Deployment of the plan, and a pool pods of the Service, none of another.
func TestStories_selectors(t *testing.T) {
	pools := 0
	for _, file := range stories(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := load(t, file).build(t)
			objects := slices.Concat(p.Gateway, p.Objects)
			var templates []map[string]string
			for _, o := range objects {
				if o.GetKind() == "Deployment" {
					labels := texts(t, o, "spec", "template", "metadata", "labels")
					templates = append(templates, labels)
					if s := texts(t, o, "spec", "selector", "matchLabels"); len(s) == 0 || !selects(s, labels) {
						t.Errorf("Deployment %s selects %v, and its pods have %v", o.GetName(), s, labels)
					}
				}
			}
			for _, o := range objects {
				switch o.GetKind() {
				case "Service":
					s := texts(t, o, "spec", "selector")
					fits := slices.DeleteFunc(slices.Clone(templates), func(l map[string]string) bool { return !selects(s, l) })
					if len(s) == 0 || len(fits) != 1 {
						t.Errorf("Service %s selects %v: the pods of %d Deployments of %v", o.GetName(), s, len(fits), templates)
					}
				case "InferencePool":
					pools++
					checkPool(t, o, p)
				}
			}
		})
	}
	if pools == 0 {
		t.Error("no story has a pool: the test shows nothing")
	}
}

// checkPool holds a pool against the labels that the plan gives to the pods of each revision.
func checkPool(t *testing.T, pool Object, p Plan) {
	t.Helper()
	s := texts(t, pool, "spec", "selector", "matchLabels")
	found := false
	for revision, labels := range p.Pods {
		pod := maps.Clone(labels)
		if pod == nil {
			pod = map[string]string{}
		}
		pod[knativeRevisionLabel] = revision
		pod["serving.knative.dev/service"] = "qwen"
		found = found || selects(s, pod)
	}
	if len(s) == 0 || !found && len(p.Pods) > 0 {
		t.Errorf("pool %s selects %v, which no pod of the plan has: %v", pool.GetName(), s, p.Pods)
	}
	if selects(s, map[string]string{"app": "somebody-elses"}) {
		t.Errorf("pool %s selects pods of others: %v", pool.GetName(), s)
	}
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

func texts(t *testing.T, o Object, path ...string) map[string]string {
	t.Helper()
	m, _, err := unstructured.NestedStringMap(o.Object, path...)
	if err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return m
}
