package podautoscaler

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
)

// byRevision is the name of the pod informer's index on namespace/revision.
const byRevision = "knative-inference.dev/revision"

// podIndex answers which pods a revision has, from the informer's index and what this
// process wrote since.
type podIndex struct {
	cache.Indexer
	written *written
}

// podCounts counts a revision's pods that are not being deleted. Ready are those that
// serve, and draining those that are given up; returning ones are not Ready any more, or
// not yet, for their gate alone.
type podCounts struct {
	ready, unschedulable, draining, returning int32
	// failing is the container that does not start of the first such pod by name.
	failing failure
}

// available are the pods that serve or can at once.
func (c podCounts) available() int32 { return c.ready + c.returning }

// revisionIndexer adds the index that podIndex reads.
func revisionIndexer() cache.Indexers {
	return cache.Indexers{byRevision: func(obj any) ([]string, error) {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			return nil, nil
		}
		return []string{pod.Namespace + "/" + pod.Labels[serving.RevisionLabelKey]}, nil
	}}
}

func (p podIndex) list(rev collector.Key) []*corev1.Pod {
	objs, err := p.ByIndex(byRevision, rev.Namespace+"/"+rev.Name)
	if err != nil {
		return nil // only when the index is missing, which NewController adds
	}
	var pods []*corev1.Pod
	for _, obj := range objs {
		if pod := p.written.newest(obj.(*corev1.Pod)); alive(pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// of returns the revision's pods as the collector wants them.
func (p podIndex) of(rev collector.Key) []collector.Pod {
	var pods []collector.Pod
	for _, pod := range p.list(rev) {
		gate, _ := gateOf(pod)
		pods = append(pods, collector.Pod{
			Name: pod.Name, UID: string(pod.UID), IP: pod.Status.PodIP,
			Ready: IsReady(pod) && pod.Status.PodIP != "", Created: pod.CreationTimestamp.Time,
			ReadyAfter: readyAfter(pod), Unschedulable: isUnschedulable(pod), Failing: isFailing(pod), Draining: isDraining(pod),
			Ungated: gate == drain.None,
		})
	}
	return pods
}

func (p podIndex) counts(rev collector.Key) podCounts {
	var c podCounts
	for _, pod := range p.list(rev) {
		gate, _ := gateOf(pod)
		closed := gate == drain.Closed
		if closed {
			c.draining++
		}
		if f := failureOf(pod); f.pod != "" && (c.failing.pod == "" || f.pod < c.failing.pod) {
			c.failing = f
		}
		switch {
		case IsReady(pod) && !closed:
			c.ready++
		case gate != drain.None && gate != drain.Unset && containersReady(pod):
			c.returning++
		case isUnschedulable(pod):
			c.unschedulable++
		}
	}
	return c
}

// alive reports whether a pod is neither being deleted nor finished.
func alive(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && !hasEnded(pod)
}

func hasEnded(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// IsReady reports whether a pod gets requests, by its condition Ready.
func IsReady(pod *corev1.Pod) bool { return condition(pod, corev1.PodReady) == corev1.ConditionTrue }

// readyAfter is how long a Ready pod took to become so: after a flap longer
// than its cold start, never shorter. A pod that drained and came back was not loaded anew:
// its containers were Ready all the time.
func readyAfter(pod *corev1.Pod) time.Duration {
	took := time.Duration(0)
	for _, c := range pod.Status.Conditions {
		if (c.Type == corev1.PodReady || c.Type == corev1.ContainersReady) && c.Status == corev1.ConditionTrue {
			if since := max(c.LastTransitionTime.Sub(pod.CreationTimestamp.Time), 0); took == 0 || since < took {
				took = since
			}
		}
	}
	if !IsReady(pod) {
		return 0
	}
	return took
}

// isUnschedulable reports whether the scheduler found no node for the pod.
func isUnschedulable(pod *corev1.Pod) bool {
	return condition(pod, corev1.PodScheduled) == corev1.ConditionFalse
}

// crashes is the number of restarts of a container from which its start fails.
const crashes = 2

// isFailing reports whether a container of the pod does not start: its image cannot be had,
// its configuration is wrong, or it has ended again and again.
func isFailing(pod *corev1.Pod) bool {
	return !IsReady(pod) && slices.ContainsFunc(pod.Status.ContainerStatuses, cannotStart)
}

func cannotStart(c corev1.ContainerStatus) bool {
	if c.State.Waiting == nil {
		return !c.Ready && c.RestartCount >= crashes
	}
	switch c.State.Waiting.Reason {
	case "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return true
	}
	return false
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// activePorts ends the annotations that hide a pod from an endpoint picker,
// which the inference gateway's reconciler reads from the same cache.
const activePorts = "/active-ports"

// Slim drops, before a pod enters the cache, what neither this reconciler nor the
// inference gateway's reads of a pod.
func Slim(obj any) (any, error) {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	pod.ManagedFields = nil
	maps.DeleteFunc(pod.Annotations, func(key, _ string) bool {
		return !strings.HasSuffix(key, activePorts) && key != corev1.PodDeletionCost
	})
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, ReadinessGates: pod.Spec.ReadinessGates}
	var failing []corev1.ContainerStatus
	for _, c := range pod.Status.ContainerStatuses {
		if cannotStart(c) {
			failing = append(failing, corev1.ContainerStatus{Name: c.Name, State: c.State, Ready: c.Ready,
				LastTerminationState: c.LastTerminationState, RestartCount: c.RestartCount})
		}
	}
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP,
		StartTime: pod.Status.StartTime, Conditions: pod.Status.Conditions, ContainerStatuses: failing}
	return pod, nil
}
