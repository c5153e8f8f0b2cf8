package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"knative.dev/pkg/reconciler"

	"github.com/knative-inference/autoscaler-adapter/pkg/handover"
)

// pauseLeases is the pause between two buckets that a replica gives up, in lease durations. A handover
// takes at most 1 s and 1.9 lease durations: a poll until the others see the successor's lease, its
// duration, and a poll.
const pauseLeases = 3

// elector leads buckets and hands single ones over.
type elector interface {
	Identity() string
	Holders() []string
	Led() []reconciler.Bucket
	HandOver(bucket, successor string) bool
}

// balancer gives buckets of this replica to replicas that lead fewer. A nil one does nothing: with one
// bucket there is nothing to balance.
type balancer struct {
	elector elector
	// ready is whether this replica is Ready.
	ready func() bool
	// save stores the states of the revisions of a bucket; this replica still leads the bucket.
	save func(context.Context, reconciler.Bucket)
	log  *slog.Logger

	share   prometheus.Gauge
	balance handover.Balance
}

// newBalancer completes b, whose other fields are set, for leases of a duration.
func newBalancer(b balancer, leaseDuration time.Duration, reg prometheus.Registerer) *balancer {
	b.balance.Pause = pauseLeases * leaseDuration
	b.share = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ipa_buckets_fair_share", Help: "Most buckets that this replica leads when the buckets are balanced.",
	})
	led := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ipa_buckets_led", Help: "Buckets that this replica leads.",
	}, func() float64 { return float64(len(b.elector.Led())) })
	reg.MustRegister(led, b.share)
	return &b
}

// election is what this replica publishes.
func (b *balancer) election() handover.Election {
	if b == nil {
		return handover.Election{}
	}
	return handover.Election{Identity: b.elector.Identity(), Buckets: len(b.elector.Holders()), Ready: b.ready()}
}

// step gives up one bucket if it is time to. It is called by one goroutine.
func (b *balancer) step(ctx context.Context, now time.Time, own handover.Replica, others []handover.Replica) {
	if b == nil {
		return
	}
	s := handover.Situation{Own: own, Holders: b.elector.Holders(), Others: others}
	b.share.Set(float64(s.FairShare()))
	successor := b.balance.Successor(now, s)
	led := b.elector.Led()
	if successor == "" || len(led) == 0 {
		return
	}
	bucket := led[len(led)-1]
	b.save(ctx, bucket)
	if b.elector.HandOver(bucket.Name(), successor) {
		b.log.Info("this replica leads more than its share of the buckets and gives one to a replica that leads fewer",
			"bucket", bucket.Name(), "successor", successor, "led", len(led)-1, "fair-share", s.FairShare())
	}
}
