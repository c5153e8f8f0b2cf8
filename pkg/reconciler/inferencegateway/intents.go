package inferencegateway

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// intents remembers what each Service asks for until the Service or the cluster's
// settings change: every reconciliation looks at all other Services, and parsing
// them took 117 ms at 1,000. It is safe for concurrent use.
type intents struct {
	mu      sync.Mutex
	entries map[types.UID]parsed
	// parses counts how often annotations were read.
	parses atomic.Int64
}

// parsed is what was read of one state of a Service under one state of the
// settings. Caches replace an object and never change it, so that the pointers
// stand for the states. What is parsed is shared and must not be changed.
type parsed struct {
	svc      *servingv1.Service
	version  string
	settings *binding.Defaults
	intent   *binding.Intent
	problems []binding.Problem
}

// of returns what a Service asks for.
func (m *intents) of(svc *servingv1.Service, settings *binding.Defaults) (*binding.Intent, []binding.Problem) {
	m.mu.Lock()
	p, ok := m.entries[svc.UID]
	m.mu.Unlock()
	if ok && p.svc == svc && p.version == svc.ResourceVersion && p.settings == settings {
		return p.intent, p.problems
	}
	in, problems := m.read(svc, settings)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[types.UID]parsed{}
	}
	m.entries[svc.UID] = parsed{svc, svc.ResourceVersion, settings, in, problems}
	return in, problems
}

func (m *intents) read(svc *servingv1.Service, settings *binding.Defaults) (*binding.Intent, []binding.Problem) {
	m.parses.Add(1)
	in, problems := binding.Parse(svc.Namespace, svc.Name, binding.Annotations(svc), *settings)
	if in != nil {
		problems = append(problems, binding.CheckPoolPort(in, svc.Spec.Template.Annotations)...)
	}
	return in, problems
}

func (m *intents) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, uid)
}

// affected lists the Services whose plan may change when one changes from before
// to after; either may be nil. The Service itself is not among them.
func (r *Reconciler) affected(before, after *servingv1.Service) []types.NamespacedName {
	keys := map[types.NamespacedName]bool{}
	writer := false // one of another namespace writes the body router's filter anew, which wakes the others
	for _, svc := range []*servingv1.Service{before, after} {
		if !asks(svc) {
			continue
		}
		var in *binding.Intent
		if svc == after {
			in, _ = r.intent(svc)
		} else {
			in, _ = r.intents.read(svc, r.defaults()) // a past state, not to be remembered
		}
		if in == nil {
			continue
		}
		hosts := r.hosts(svc, *in)
		for _, other := range r.sharing(*in, hosts) {
			theirs, _ := r.intent(other)
			if theirs == nil || other.UID == svc.UID {
				continue
			}
			first := !writer && in.Gateway == theirs.Gateway && in.Namespace != theirs.Namespace && sharesFilter(*in, *theirs)
			writer = writer || first
			if first || pooled(*in, *theirs) || in.Gateway == theirs.Gateway &&
				(routedTogether(*in, *theirs) || slices.ContainsFunc(r.hosts(other, *theirs),
					func(h string) bool { return slices.Contains(hosts, h) })) {
				keys[types.NamespacedName{Namespace: other.Namespace, Name: other.Name}] = true
			}
		}
	}
	return slices.Collect(maps.Keys(keys))
}

// pooled is true for two Services of one pool.
func pooled(a, b binding.Intent) bool {
	return a.Pool != "" && a.Pool == b.Pool && a.Namespace == b.Namespace
}

// routedTogether is true for two Services of one namespace whose hosts are in one body
// router's filter: they have one share of it.
func routedTogether(a, b binding.Intent) bool {
	return a.Namespace == b.Namespace && sharesFilter(a, b)
}

// sharesFilter is true for two Services of one Gateway whose hosts are in its body router's filter.
func sharesFilter(a, b binding.Intent) bool {
	return len(a.Models) > 0 && len(b.Models) > 0 && a.BodyRouter.Mode == binding.BodyRouterManaged
}

// hosts are all hosts that a Service has or asks for.
func (r *Reconciler) hosts(svc *servingv1.Service, in binding.Intent) []string {
	hosts := hostsOfTraffic(r.traffic(svc))
	return append(hosts, manifest.Claims(in, hosts)...)
}
