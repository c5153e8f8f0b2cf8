//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// snapshot maps every object of the cluster to its UID and a hash of what a
// user or controller asked for: everything but status and bookkeeping.
type snapshot map[string]string

// churning resources change without anybody's doing.
var churning = []string{"events", "leases", "endpoints", "endpointslices", "componentstatuses", "controllerrevisions"}

func (e *environment) snapshot(ctx context.Context) (snapshot, error) {
	lists, err := e.disco.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	s := snapshot{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(gv.Group, "metrics.k8s.io") { // computed, not stored
			continue
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains(churning, r.Name) {
				continue
			}
			if err := e.addAll(ctx, s, gv.WithResource(r.Name)); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (e *environment) addAll(ctx context.Context, s snapshot, r schema.GroupVersionResource) error {
	list, err := e.dynamic.Resource(r).List(ctx, metav1.ListOptions{})
	if apierrs.IsNotFound(err) || apierrs.IsMethodNotSupported(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing %s: %w", r, err)
	}
	for _, o := range list.Items {
		if r.Resource == "pods" && o.GetDeletionTimestamp() != nil {
			continue
		}
		if owner := metav1.GetControllerOf(&o); owner != nil && (r.Resource == "pods" || r.Resource == "replicasets") {
			if r.Resource == "pods" {
				s.countPod(o, owner.Name)
			}
			continue
		}
		key := strings.Join([]string{r.GroupResource().String(), o.GetNamespace(), o.GetName()}, "/")
		if r.Resource == "customresourcedefinitions" || r.Resource == "apiservices" { // a test takes some away and restores them
			s[key] = digest(unstructured.Unstructured{Object: fresh(&o)})
			continue
		}
		s[key] = string(o.GetUID()) + " " + digest(o)
	}
	return nil
}

// countPod counts a pod among those of its Deployment with the same labels: tests kill the
// activator and roll its Deployment out, and other pods of other ReplicaSets take their place.
func (s snapshot) countPod(pod unstructured.Unstructured, replicaSet string) {
	labels := maps.Clone(pod.GetLabels())
	delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
	deployment := strings.TrimSuffix(replicaSet, "-"+pod.GetLabels()[appsv1.DefaultDeploymentUniqueLabelKey])
	key := strings.Join([]string{"pods", pod.GetNamespace(), "of " + deployment, fmt.Sprint(labels)}, "/")
	n, _ := strconv.Atoi(s[key]) // 0 for the first
	s[key] = strconv.Itoa(n + 1)
}

func digest(o unstructured.Unstructured) string {
	c := o.DeepCopy()
	unstructured.RemoveNestedField(c.Object, "status")
	for _, f := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(c.Object, "metadata", f)
	}
	// Istio's leader locks are config maps, renewed every few seconds.
	unstructured.RemoveNestedField(c.Object, "metadata", "annotations", "control-plane.alpha.kubernetes.io/leader")
	text, err := json.Marshal(c.Object)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// diff lists what is new, gone or changed in after.
func (s snapshot) diff(after snapshot) []string {
	var d []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		switch now, ok := after[key]; {
		case !ok:
			d = append(d, "gone: "+key)
		case now != s[key]:
			d = append(d, "changed: "+key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, ok := s[key]; !ok {
			d = append(d, "left behind: "+key)
		}
	}
	return d
}
