package podautoscaler

import (
	"slices"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/config"
)

// starts remembers, by PodAutoscaler, with how many replicas a revision was
// started and until when it keeps them. It is lost with the process, which
// costs a start in progress its floor and nothing else.
type starts struct {
	mu    sync.Mutex
	known map[types.UID]start
}

type start struct {
	replicas int32
	// until is zero while the revision has not reached its start scale.
	until time.Time
	// asleep is true for a routed revision that went to zero, where it stays until a
	// request comes.
	asleep bool
	// unrouted is true for a revision that had no route at the last reconciliation. Some of
	// its pods may be given up already.
	unrouted bool
}

func (s *starts) get(uid types.UID) (start, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, ok := s.known[uid]
	return got, ok
}

func (s *starts) set(uid types.UID, to start) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[types.UID]start{}
	}
	s.known[uid] = to
}

func (s *starts) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, uid)
}

// startScale returns the replicas below which a revision that is being started
// is not taken: Knative's initial scale and, for a routed revision, the
// replicas of the one it replaces, at most max-scale. The number is read once,
// so that a predecessor which grows meanwhile does not delay the switch. It
// holds until the revision was started for a stable window, because traffic
// comes only then; a revision that is routed to again starts the same way, because its pods went, or
// are going; and one that went to zero while it was routed stays there.
// Otherwise, and for unreachable revisions, it is 0.
func (r *Reconciler) startScale(pa *v1alpha1.PodAutoscaler, s config.Settings, d *appsv1.Deployment) int32 {
	if pa.Spec.Reachability == v1alpha1.ReachabilityUnreachable {
		r.starts.set(pa.UID, start{unrouted: true})
		return 0
	}
	floor := r.floor(pa, s, d)
	if limit := s.Spec.MaxReplicas; limit > 0 {
		floor = min(floor, limit)
	}
	return floor
}

func (r *Reconciler) floor(pa *v1alpha1.PodAutoscaler, s config.Settings, d *appsv1.Deployment) int32 {
	now, window := time.Now(), s.Spec.StableWindow
	began, known := r.starts.get(pa.UID)
	switch {
	case !pa.Status.IsScaleTargetInitialized():
		if (!known || began.unrouted) && pa.Spec.Reachability == v1alpha1.ReachabilityReachable {
			began = start{replicas: r.inherited(pa, s)}
			r.starts.set(pa.UID, began)
		}
		return max(s.InitialScale, began.replicas)
	case asleep(pa, began) && r.pods.serving(revisionOf(pa), d) == 0:
		return 0
	case began.asleep: // woken by a request
		r.starts.set(pa.UID, start{until: now})
		return 0
	// routed to again
	case pa.Spec.Reachability == v1alpha1.ReachabilityReachable &&
		(began.unrouted || r.pods.serving(revisionOf(pa), d) == 0):
		if !known || now.After(began.until) {
			began = start{replicas: max(1, r.inherited(pa, s)), until: now.Add(window)}
			r.starts.set(pa.UID, began)
		}
	case began.unrouted: // no route points to it yet
		return 0
	case !known || began.until.IsZero():
		left := window
		if !known { // it reached its start scale before this process saw it, by another clock than ours
			left = min(window-now.Sub(initializedAt(pa)), window)
		}
		if left <= 0 {
			return 0
		}
		began = start{replicas: max(s.InitialScale, r.pods.serving(revisionOf(pa), d)), until: now.Add(left)}
		r.starts.set(pa.UID, began)
	}
	left := began.until.Sub(now)
	if left <= 0 {
		return 0
	}
	r.requeue(types.NamespacedName{Namespace: pa.Namespace, Name: pa.Name}, left)
	return began.replicas
}

// asleep reports whether a revision has gone to zero for want of traffic, by what this
// process or another one has written.
func asleep(pa *v1alpha1.PodAutoscaler, began start) bool {
	c := pa.Status.GetCondition(autoscaling.ConditionScaleToZero)
	return began.asleep || c != nil && c.IsTrue()
}

// inherited is what the revision takes over: its share of the traffic, or the replicas
// of the revision that it replaces where the shares are not known.
func (r *Reconciler) inherited(pa *v1alpha1.PodAutoscaler, s config.Settings) int32 {
	if !s.StartAtPredecessor {
		return 0
	}
	if n, known := r.replicasForShare(pa); known {
		return n
	}
	return r.predecessorReplicas(pa)
}

// initializedAt is when the revision reached its start scale.
func initializedAt(pa *v1alpha1.PodAutoscaler) time.Time {
	return pa.Status.GetCondition(v1alpha1.PodAutoscalerConditionScaleTargetInitialized).LastTransitionTime.Inner.Time
}

// predecessorReplicas returns what the newest other routed revision of the
// same Configuration asks for now, 0 when there is none.
func (r *Reconciler) predecessorReplicas(pa *v1alpha1.PodAutoscaler) int32 {
	newest := newestOf(r.routed(pa))
	if newest == nil {
		return 0
	}
	return r.replicasAsked(newest)
}

// routed are the peers that are routed to and have reached their start scale.
func (r *Reconciler) routed(pa *v1alpha1.PodAutoscaler) []*v1alpha1.PodAutoscaler {
	return slices.DeleteFunc(r.peers(pa), func(peer *v1alpha1.PodAutoscaler) bool {
		return r.reachability(peer) != v1alpha1.ReachabilityReachable || !peer.Status.IsScaleTargetInitialized()
	})
}

// newestOf returns the revision of the highest generation, nil of none.
func newestOf(all []*v1alpha1.PodAutoscaler) (newest *v1alpha1.PodAutoscaler) {
	for _, pa := range all {
		if newest == nil || generationOf(pa) > generationOf(newest) {
			newest = pa
		}
	}
	return newest
}

// replicasAsked is what a revision asks for now.
func (r *Reconciler) replicasAsked(pa *v1alpha1.PodAutoscaler) int32 {
	d, err := r.deployments.Deployments(pa.Namespace).Get(pa.Spec.ScaleTargetRef.Name)
	if err != nil {
		return pa.Status.GetDesiredScale()
	}
	return r.pods.serving(revisionOf(pa), d)
}

// peers are the PodAutoscalers of the other revisions of the same Configuration.
func (r *Reconciler) peers(pa *v1alpha1.PodAutoscaler) (peers []*v1alpha1.PodAutoscaler) {
	name, ok := pa.Labels[serving.ConfigurationLabelKey]
	if !ok {
		return nil
	}
	all, err := r.autoscalers.PodAutoscalers(pa.Namespace).List(
		labels.SelectorFromSet(labels.Set{serving.ConfigurationLabelKey: name}))
	if err != nil {
		return nil // a lister's List does not fail
	}
	for _, peer := range all {
		if peer.Name != pa.Name {
			peers = append(peers, peer)
		}
	}
	return peers
}

// generationOf returns the Configuration's generation that made the revision.
func generationOf(pa *v1alpha1.PodAutoscaler) int64 {
	n, err := strconv.ParseInt(pa.Labels[serving.ConfigurationGenerationLabelKey], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
