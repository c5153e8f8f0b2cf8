package server

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
)

// checkpointPeriod is how much a crash of every replica may forget.
const checkpointPeriod = time.Minute

// checkpoints ties the store of states to the decision loops.
type checkpoints struct {
	store       *checkpoint.Store
	autoscalers palisters.PodAutoscalerLister
	events      record.EventRecorder
	log         *slog.Logger
}

func newCheckpoints(kube kubernetes.Interface, namespace string, autoscalers palisters.PodAutoscalerLister, log *slog.Logger) *checkpoints {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
	return &checkpoints{
		store: checkpoint.New(kube.CoreV1().ConfigMaps(namespace)), autoscalers: autoscalers, log: log,
		events: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component}),
	}
}

// restore returns the state of before the restart, or none with an event that says why.
func (c *checkpoints) restore(rev collector.Revision) decider.State {
	pa, err := c.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
	if err != nil {
		return decider.State{}
	}
	state, err := c.store.State(rev, string(pa.UID), time.Now())
	if err != nil {
		c.log.Warn("deciding without history", "namespace", rev.Namespace, "revision", rev.Name, "error", err)
		c.events.Event(pa, corev1.EventTypeWarning, autoscaling.ReasonStateIgnored, err.Error())
	}
	return state
}

// load reads what was stored before the first decision; without it decisions
// begin with nothing, which is better than not to begin.
func (c *checkpoints) load(ctx context.Context) {
	if err := c.store.Load(ctx); err != nil {
		c.log.Warn("deciding without history", "error", err)
	}
}

// run saves the states of the revisions that this process leads, and deletes
// those of revisions that are gone.
func (c *checkpoints) run(ctx context.Context, ctrl *podautoscaler.Controller) error {
	ticker := time.NewTicker(checkpointPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.save(ctx, ctrl)
		}
	}
}

func (c *checkpoints) save(ctx context.Context, ctrl *podautoscaler.Controller) {
	ctrl.Scaler.States(func(rev collector.Revision, state decider.State) {
		pa, err := c.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
		if err != nil || !ctrl.Leads(rev) {
			return
		}
		if err := c.store.Save(ctx, rev, string(pa.UID), time.Now(), state); err != nil {
			c.log.Warn("state is not stored", "error", err)
		}
	})
	err := c.store.Prune(ctx, func(rev collector.Revision) bool {
		_, err := c.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
		return err != nil && ctrl.Leads(rev)
	})
	if err != nil {
		c.log.Warn("old states are left", "error", err)
	}
}
