package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"knative.dev/serving/pkg/networking"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// member is a Service of a pool.
type member struct {
	intent   binding.Intent
	uid      types.UID
	created  time.Time
	revision Revision
	// routed is false without a revision that takes traffic: what is not known agrees with all.
	routed bool
}

// traits are what the members of one pool must have in common.
type traits struct {
	target, metrics int32
	h2c             bool
	engine, path    string
}

func traitsOf(m member) traits {
	port, path := metricsEndpoint(m.intent, m.revision)
	target, engine := targetPort(m.intent.PoolPort, m.revision), engineOf(m.intent, m.revision)
	return traits{target, int32(port), m.revision.H2C, engine, path}
}

// routed is true when a revision takes traffic of the Service's own hosts.
func (b *builder) routed() bool {
	return slices.ContainsFunc(b.w.Main.Splits, func(s Split) bool {
		_, known := b.w.Revisions[s.Revision]
		return known && s.Percent > 0
	})
}

// agreeing lists the members of the pool, the oldest first; it leads. One that
// disagrees with the oldest that takes traffic stays out. It is nil when this Service is such a one.
func (b *builder) agreeing() []member {
	self := member{b.in, b.w.ServiceUID, b.w.Created, b.revision, b.routed()}
	all := []member{self}
	for _, n := range b.w.Neighbours {
		if b.in.Pool != "" && n.Intent.Pool == b.in.Pool && n.Intent.Namespace == b.in.Namespace {
			all = append(all, member{n.Intent, n.UID, n.Created, n.Revision, n.Revision != Revision{}})
		}
	}
	slices.SortFunc(all, func(x, y member) int {
		return cmp.Or(x.created.Compare(y.created), cmp.Compare(x.intent.Service, y.intent.Service))
	})
	lead := all[max(0, slices.IndexFunc(all, func(m member) bool { return m.routed }))]
	leader := traitsOf(lead)
	if mine := traitsOf(self); mine != leader {
		b.find(inference.ConditionPoolAccepted, "False", inference.ReasonPoolMismatch,
			fmt.Sprintf("The pool %s belongs to the Service %s with target port %d, metrics port %d and path %s, engine %s, h2c %t; this Service has %d, %d and %s, %s, %t. Make them agree, or name another pool in %s.",
				b.in.Pool, lead.intent.Service, leader.target, leader.metrics, leader.path, leader.engine, leader.h2c,
				mine.target, mine.metrics, mine.path, mine.engine, mine.h2c, inference.PoolKey))
		return nil
	}
	return slices.DeleteFunc(all, func(m member) bool { return m.routed && traitsOf(m) != leader })
}

// leader is whose settings the pool and its picker have.
func (b *builder) leader() binding.Intent { return b.members[0].intent }

// longest is the longest timeout of the members' revisions that have traffic.
// Every member of a shared pool must come to the same, or the picker would roll for ever.
func (b *builder) longest() time.Duration {
	d := time.Duration(0)
	for _, m := range b.members {
		if m.uid != b.w.ServiceUID {
			d = max(d, m.revision.Timeout)
		}
	}
	for name := range b.plan.Routed {
		d = max(d, b.w.Revisions[name].Timeout)
	}
	return d
}

func targetPort(p binding.PoolPort, r Revision) int32 {
	switch {
	case p == binding.PortUserContainer:
		return userPort(r)
	case r.H2C:
		return networking.BackendHTTP2Port
	}
	return networking.BackendHTTPPort
}

func userPort(r Revision) int32 { return cmp.Or(r.Port, servingv1.DefaultUserPort) }

// metricsEndpoint is the engine's, never the queue-proxy's, where a scrape counts as traffic.
func metricsEndpoint(in binding.Intent, r Revision) (port int, path string) {
	e, _ := engines.ByName(engineOf(in, r))
	return e.Endpoint(int(r.Engine.MetricsPort), r.Engine.MetricsPath, int(userPort(r)))
}

func engineOf(in binding.Intent, r Revision) string { return cmp.Or(r.Engine.Name, in.Engine) }
