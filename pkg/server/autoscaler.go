package server

import (
	"context"
	"fmt"
	"time"

	kubeclient "knative.dev/pkg/client/injection/kube/client"
	podinformer "knative.dev/pkg/client/injection/kube/informers/core/v1/pod/filtered"
	"knative.dev/pkg/controller"
	painformer "knative.dev/serving/pkg/client/injection/informers/autoscaling/v1alpha1/podautoscaler"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/election"
	"github.com/knative-inference/autoscaler-adapter/pkg/handover"
	"github.com/knative-inference/autoscaler-adapter/pkg/inferencepool"
	"github.com/knative-inference/autoscaler-adapter/pkg/metricsapi"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/podautoscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/rollup"
	"github.com/knative-inference/autoscaler-adapter/pkg/terminating"
)

// newAutoscaler builds the part that collects, decides, scales, and serves the
// metrics API. It is the only part that reads what the pods of tenants answer.
func newAutoscaler(b *base, rec *recording.Writer) (part, error) {
	ctx := b.ctx
	tokens, err := newTokens(b.cfg, b.Namespace)
	if err != nil {
		return part{}, err
	}
	col := newCollector(b, tokens)
	states := newCheckpoints(kubeclient.Get(ctx), b.Namespace, painformer.Get(ctx).Lister(), b.log)
	ctrl, err := podautoscaler.NewController(ctx, podautoscaler.Options{
		Knative: b.knative, Own: b.own.get,
		Pools:     func(namespace string) []podautoscaler.Pool { return poolsIn(b.reader, namespace) },
		Collector: col, Metrics: multiscaler.NewMetrics(b.reg), Log: b.log, Recorder: recorder(rec), Restore: states.restore,
		Account: b.Namespace + ":" + component,
	})
	if err != nil {
		return part{}, err
	}
	pools := newPools(b, col, ctrl.Leads)
	col.Notify(ctrl.Scaler.Poke)
	col.FollowLeader(ctrl.Leads)
	served := newView(b, col, ctrl, pools)
	warm := rollup.NewWarmUp(served, b.log)
	api, err := metricsapi.New(metricsapi.Options{
		RESTConfig: b.cfg, Registerer: b.reg, Namespace: b.Namespace, Name: component, Port: b.MetricsAPIPort, Log: b.log,
		Limit: limitConnections, Alive: b.alive, Recording: serveRecording(b.Record, rec), View: served,
		Register: func() bool { return b.own.get().RegisterMetricsAPI },
	})
	if err != nil {
		return part{}, fmt.Errorf("building the metrics API: %w", err)
	}
	seen := newViews(kubeclient.Get(ctx).CoordinationV1().Leases(b.Namespace), readable(col), ctrl.LeadsAny, b.log)
	keeper := &terminating.Keeper{Log: b.log}
	ready := func() bool { return api.Ready() && warm.Ready(time.Now()) }
	elected, err := newElection(b, ctrl)
	if err != nil {
		return part{}, err
	}
	if elected != nil {
		save := states.saveBucket(ctrl.Scaler, ctrl.Leads)
		seen.balancer = newBalancer(balancer{elector: elected, ready: ready, save: save, log: b.log}, b.LeaseDuration, b.reg)
	}
	alive := loopsAlive(col.Ticked, ctrl.Scaler)
	return part{ready: ready, onOwn: ctrl.Resync, alive: alive, run: func(ctx context.Context) error {
		states.loadFirst(ctx)
		return runAll(ctx,
			func(ctx context.Context) error { col.Run(ctx); return nil },
			func(ctx context.Context) error { tokens.Run(ctx); return nil },
			func(ctx context.Context) error { return seen.run(ctx) },
			func(ctx context.Context) error { return states.run(ctx, ctrl.Scaler, ctrl.Leads) },
			func(ctx context.Context) error { return lead(ctx, states, ctrl, elected) },
			func(ctx context.Context) error { pools.Run(ctx); return nil },
			func(ctx context.Context) error { return followPoolChanges(ctx, b.reader, ctrl.Resync) },
			newActivatorPods(kubeclient.Get(ctx), b.KnativeNamespace, col.SetActivators).run,
			func(ctx context.Context) error { ctrl.TendStrays(ctx); return nil },
			func(ctx context.Context) error { keeper.Run(ctx, ctrl.Terminating); return nil },
			api.Run,
		)
	}}, nil
}

// lead runs the controller and e, and stores the states before this replica stops leading.
func lead(ctx context.Context, states *checkpoints, ctrl *podautoscaler.Controller, e *election.Elector) error {
	leading, stop := states.untilSaved(ctx, ctrl.Scaler, ctrl.Leads)
	defer stop()
	return runAll(leading,
		func(ctx context.Context) error { return controller.StartAll(ctx, ctrl.Impl) },
		func(ctx context.Context) error { return runElection(ctx, e) },
	)
}

// readable is how many of the endpoints of pods this replica can read.
func readable(col *collector.Collector) func() handover.View {
	return func() handover.View {
		targets, readable := col.Readable()
		return handover.View{Endpoints: targets, Readable: readable}
	}
}

// newView is what the metrics API serves.
func newView(b *base, col *collector.Collector, ctrl *podautoscaler.Controller,
	pools *inferencepool.Watcher) rollup.View {
	return rollup.New(rollup.Options{
		Collector: col, Autoscalers: painformer.Get(b.ctx).Lister(),
		Pods:      podinformer.Get(b.ctx, podautoscaler.Selector).Lister(),
		Decisions: ctrl.Scaler, Observed: podautoscaler.Observed,
		Pools: rollup.Pools{List: func() []inferencepool.Pool { return readPools(b.reader) }, Pods: pools.Pods},
	})
}
