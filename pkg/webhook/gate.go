package webhook

import (
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"knative.dev/serving/pkg/apis/serving"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// gated reports whether a new pod gets the readiness gate by which the autoscaler takes it
// out of routing before it is deleted: a pod of a revision of our class, while there is an
// autoscaler that will open the gate. Knative copies the class to no pod, so it is read
// from the Revision. The autoscaler sees pods with the label revisionUID only.
func (c Caches) gated(namespace string, labels map[string]string) bool {
	if labels[serving.RevisionUID] == "" {
		return false
	}
	rev, err := c.Revisions.Revisions(namespace).Get(labels[serving.RevisionLabelKey])
	if err != nil {
		return false
	}
	return c.isOurs(rev.Annotations) && c.Opened()
}

// isOurs reports whether our class scales a Revision with these annotations: it names our
// class, or names none and our class is the cluster's default.
func (c Caches) isOurs(revision map[string]string) bool {
	class, named := revision[classKey]
	if !named {
		class = c.DefaultClass()
	}
	return class == autoscaling.Class
}

// gate adds our readiness gate to those of a pod; one without a spec stays as it is.
func (p *patch) gate(spec *podSpec) {
	one := map[string]string{"conditionType": autoscaling.ServingGate}
	switch {
	case spec == nil:
	case spec.ReadinessGates == nil:
		p.operations = append(p.operations, operation{Op: "add", Path: "/spec/readinessGates", Value: []any{one}})
	case !spec.has(autoscaling.ServingGate):
		p.operations = append(p.operations, operation{Op: "add", Path: "/spec/readinessGates/-", Value: one})
	}
}

// Heartbeat reports whether autoscalers are there, by the lease that each renews every 10 s.
// It is safe for concurrent use.
type Heartbeat struct {
	factory informers.SharedInformerFactory
	last    atomic.Pointer[time.Time]
}

// beatAge is the age of the last heartbeat up to which new pods get the gate: three
// intervals of one replica. Times are of our own clock, which no other node sets.
const beatAge = 30 * time.Second

// NewHeartbeat watches the lease of the name.
func NewHeartbeat(kube kubernetes.Interface, namespace, name string) (*Heartbeat, error) {
	h := &Heartbeat{factory: informers.NewSharedInformerFactoryWithOptions(
		kube, 0, informers.WithNamespace(namespace), informers.WithTweakListOptions(named(name)))}
	_, err := h.factory.Coordination().V1().Leases().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		// A lease that is seen for the first time may be an old one.
		UpdateFunc: func(old, obj any) {
			if old.(*coordinationv1.Lease).ResourceVersion != obj.(*coordinationv1.Lease).ResourceVersion {
				h.beat(time.Now())
			}
		},
	})
	return h, err
}

func (h *Heartbeat) beat(now time.Time) { h.last.Store(&now) }

// alive reports whether the last heartbeat is recent.
func (h *Heartbeat) alive(now time.Time) bool {
	last := h.last.Load()
	return last != nil && now.Sub(*last) < beatAge
}
