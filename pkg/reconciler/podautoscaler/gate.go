package podautoscaler

import (
	"slices"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/drain"
)

// gateOf returns the state of a pod's readiness gate, and since when it is closed. A
// condition without a time counts as not written: it says not when its drain began.
func gateOf(pod *corev1.Pod) (gate drain.Gate, closedAt time.Time) {
	has := func(g corev1.PodReadinessGate) bool { return g.ConditionType == autoscaling.ServingGate }
	if !slices.ContainsFunc(pod.Spec.ReadinessGates, has) {
		return drain.None, time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type != autoscaling.ServingGate:
		case c.Status == corev1.ConditionTrue:
			return drain.Open, time.Time{}
		case c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero():
			return drain.Closed, c.LastTransitionTime.Time
		}
	}
	return drain.Unset, time.Time{}
}

// containersReady reports whether a pod is Ready but for its gate.
func containersReady(pod *corev1.Pod) bool {
	return condition(pod, corev1.ContainersReady) == corev1.ConditionTrue && !isLost(pod)
}

// isLost reports whether a pod's containers were Ready when its node last answered, and the pod is
// not Ready for another reason than its gate. On a node that does not answer, the node lifecycle
// controller sets the condition Ready to False and leaves its reason empty; a kubelet gives the
// reason ReadinessGatesNotReady (k8s.io/kubernetes v1.35 pkg/kubelet/status/generate.go, and
// MarkPodsNotReady in pkg/controller/util/node). A pod that had drained by then keeps that reason: it
// is lost when it is not Ready long after its gate was opened again.
func isLost(pod *corev1.Pod) bool {
	lost := false
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
			return false
		case c.Type == corev1.PodReady:
			lost = lost || c.Reason != readinessGatesNotReady
		case c.Type == autoscaling.ServingGate && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.IsZero():
			lost = lost || time.Since(c.LastTransitionTime.Time) > lateKubelet
		}
	}
	return lost
}

const (
	// readinessGatesNotReady is the kubelet's reason for a pod whose containers are Ready and whose gate is not.
	readinessGatesNotReady = "ReadinessGatesNotReady"
	// lateKubelet is how long after a gate was opened a kubelet may take to see that, with clocks that differ.
	lateKubelet = 30 * time.Second
)

// isDraining reports whether a pod is given up, or is on its way back and still has the
// requests of before.
func isDraining(pod *corev1.Pod) bool {
	gate, _ := gateOf(pod)
	return gate == drain.Closed || gate == drain.Open && containersReady(pod) && !IsReady(pod)
}

// neverReady reports whether a pod has not been Ready since the kubelet saw it first, which
// the collector does not know after a restart. The kubelet writes the condition Ready with
// its first status, and a new time only when the condition changes. Times are in whole
// seconds, and no container is probed successfully within one.
func neverReady(pod *corev1.Pod) bool {
	if pod.Status.StartTime == nil {
		return pod.Status.Phase == corev1.PodPending
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionFalse && !c.LastTransitionTime.IsZero() &&
				c.LastTransitionTime.Sub(pod.Status.StartTime.Time) <= time.Second
		}
	}
	return false
}

// deletionCost is 0 without the annotation and where it is not a number, as in Kubernetes.
func deletionCost(pod *corev1.Pod) int32 {
	n, err := strconv.ParseInt(pod.Annotations[corev1.PodDeletionCost], 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// drainPods are the revision's pods as the plan of a drain wants them.
func (p podIndex) drainPods(rev collector.Key, loads map[string]collector.Load) []drain.Pod {
	pods := p.list(rev)
	out := make([]drain.Pod, 0, len(pods))
	for _, pod := range pods {
		gate, closedAt := gateOf(pod)
		d := drain.Pod{
			Name: pod.Name, Gate: gate, ClosedAt: closedAt, Ready: IsReady(pod), ContainersReady: containersReady(pod),
			Assigned: pod.Spec.NodeName != "", Pending: pod.Status.Phase == corev1.PodPending,
			Created: pod.CreationTimestamp.Time,
			Zone:    pod.Labels[corev1.LabelTopologyZone], Template: pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey],
			Cost: deletionCost(pod),
		}
		load, known := loads[string(pod.UID)]
		if !known {
			load = collector.UnknownLoad()
		}
		d.Open, d.Hits, d.Quiet, d.Unborn = load.Open, load.Hits, load.Quiet, load.Unborn || neverReady(pod)
		out = append(out, d)
	}
	return out
}

// serving is spec.replicas without the pods that are given up. Every decision asks for it,
// so that it costs little while no pod drains.
func (p podIndex) serving(rev collector.Key, d *appsv1.Deployment) int32 {
	replicas := replicasOf(d)
	closed := func(pod *corev1.Pod) bool { gate, _ := gateOf(pod); return gate == drain.Closed }
	if !slices.ContainsFunc(p.list(rev), closed) {
		return replicas
	}
	return max(replicas-drain.GivenUp(p.drainPods(rev, nil), replicas), 0)
}

// written holds the pods as this process wrote them, until the cache has them: a pod whose
// gate was closed a moment ago must not be seen as serving.
type written struct {
	mu   sync.Mutex
	pods map[types.UID]entry
}

type entry struct {
	pod *corev1.Pod
	at  time.Time
}

// writtenFor is how long a cache may trail: then it is believed whatever it shows.
const writtenFor = 10 * time.Second

func (w *written) note(pod *corev1.Pod) {
	if w == nil {
		return
	}
	_, _ = Slim(pod) // fails for nothing
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pods == nil {
		w.pods = map[types.UID]entry{}
	}
	now := time.Now()
	w.pods[pod.UID] = entry{pod, now}
	for uid, e := range w.pods {
		if now.Sub(e.at) > writtenFor {
			delete(w.pods, uid)
		}
	}
}

// newest returns the cached pod, or what this process wrote if that is newer.
func (w *written) newest(cached *corev1.Pod) *corev1.Pod {
	if w == nil {
		return cached
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.pods[cached.UID]
	if !ok {
		return cached
	}
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, e.pod.ResourceVersion)
	if err != nil || order >= 0 || time.Since(e.at) > writtenFor {
		delete(w.pods, cached.UID)
		return cached
	}
	return e.pod
}
