package server

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"knative.dev/pkg/reconciler"
	palisters "knative.dev/serving/pkg/client/listers/autoscaling/v1alpha1"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
	"github.com/knative-inference/autoscaler-adapter/pkg/checkpoint"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// checkpointPeriod is how much a crash of every replica may forget.
const checkpointPeriod = time.Minute

// checkpoints ties the store of states to the decision loops.
type checkpoints struct {
	store       *checkpoint.Store
	autoscalers palisters.PodAutoscalerLister
	events      record.EventRecorder
	log         *slog.Logger
	// loaded is true once the stored states were read.
	loaded bool
}

func newCheckpoints(kube kubernetes.Interface, namespace string, autoscalers palisters.PodAutoscalerLister,
	log *slog.Logger) *checkpoints {
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
	return &checkpoints{
		store: checkpoint.New(kube.CoreV1().ConfigMaps(namespace)), autoscalers: autoscalers, log: log,
		events: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component}),
	}
}

// restore returns the state of before the restart, or none with an event that says why.
func (c *checkpoints) restore(rev collector.Key) decider.State {
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

const (
	// loadTimeout is how long the first decision waits for the stored states: an etcd that
	// elects a new leader is back within seconds.
	loadTimeout = 15 * time.Second
	// loadRetry is the pause between two tries.
	loadRetry = time.Second
	// finalSave bounds the last save, of the time that Kubernetes gives a pod to end (30 s).
	finalSave = 5 * time.Second
)

// load reads what was stored, and tries again until it succeeds or ctx ends. It reports
// whether it succeeded.
func (c *checkpoints) load(ctx context.Context) bool {
	for warned := false; ; {
		err := c.store.Load(ctx)
		if err == nil {
			return true
		}
		if !warned {
			c.log.Warn("the stored states cannot be read yet; trying again", "error", err)
			warned = true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(loadRetry):
		}
	}
}

// loadFirst waits for the stored states for at most loadTimeout. Without them decisions begin
// with nothing, which is better than not to begin; run goes on trying.
func (c *checkpoints) loadFirst(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if c.loaded = c.load(ctx); !c.loaded {
		c.log.Warn("deciding without history until the stored states can be read; nothing is stored before")
	}
}

// loops are the decision loops, whose states are stored.
type loops interface {
	States(yield func(collector.Key, decider.State))
	Restart()
}

// run saves the states of the revisions that this process leads, and deletes
// those of revisions that are gone.
func (c *checkpoints) run(ctx context.Context, l loops, leads func(collector.Key) bool) error {
	if !c.loaded && c.load(ctx) {
		l.Restart()
		c.log.Info("the stored states are read and used")
	}
	return every(ctx, checkpointPeriod, func(ctx context.Context) error {
		c.save(ctx, l, leads)
		c.prune(ctx, leads)
		return nil
	})
}

// last saves once more when the process ends, so that the next one knows the last minute too.
func (c *checkpoints) last(ctx context.Context, l loops, leads func(collector.Key) bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalSave)
	defer cancel()
	c.save(ctx, l, leads)
}

func (c *checkpoints) save(ctx context.Context, l loops, leads func(collector.Key) bool) {
	l.States(func(rev collector.Key, state decider.State) {
		pa, err := c.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
		if err != nil || !leads(rev) {
			return
		}
		if err := c.store.Save(ctx, rev, string(pa.UID), time.Now(), state); err != nil {
			c.log.Warn("state is not stored", "error", err)
		}
	})
}

// saveBucket returns what stores the states of a bucket's revisions before another replica leads them.
func (c *checkpoints) saveBucket(l loops, leads func(collector.Key) bool) func(context.Context, reconciler.Bucket) {
	return func(ctx context.Context, bucket reconciler.Bucket) {
		ctx, cancel := context.WithTimeout(ctx, finalSave)
		defer cancel()
		c.save(ctx, l, func(rev collector.Key) bool {
			return leads(rev) && bucket.Has(types.NamespacedName{Namespace: rev.Namespace, Name: rev.Name})
		})
	}
}

func (c *checkpoints) prune(ctx context.Context, leads func(collector.Key) bool) {
	err := c.store.Prune(ctx, func(rev collector.Key) bool {
		_, err := c.autoscalers.PodAutoscalers(rev.Namespace).Get(rev.Name)
		return err != nil && leads(rev)
	})
	if err != nil {
		c.log.Warn("old states are left", "error", err)
	}
}

// untilSaved returns a context that ends after the states were saved at the end of ctx: a
// leader must still be one when it stores them.
func (c *checkpoints) untilSaved(ctx context.Context, l loops,
	leads func(collector.Key) bool) (context.Context, context.CancelFunc) {
	leading, stop := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		defer stop()
		c.last(ctx, l, leads)
	})
	return leading, stop
}
