package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// host gives each group the hosts that it may have.
func (b *builder) host() {
	for _, h := range b.in.DeniedHosts {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonHostNotAllowed, b.in.WhyDenied(h)+".")
	}
	if main := slices.IndexFunc(b.groups, func(g group) bool { return g.name == "main" }); main >= 0 {
		b.groups[main].hosts = b.firstHosts(union(b.groups[main].hosts, b.in.Hostnames))
		b.addObjectiveHosts(b.groups[main])
	}
	for i := range b.groups {
		b.groups[i].hosts = slices.DeleteFunc(slices.Clone(b.groups[i].hosts), func(h string) bool { return !b.mayServe(h) })
		b.plan.Hosts = union(b.plan.Hosts, b.groups[i].hosts)
	}
	b.groups = slices.DeleteFunc(b.groups, func(g group) bool { return len(g.hosts) == 0 })
	refused := slices.ContainsFunc(b.plan.Findings,
		func(f Finding) bool { return f.Type == inference.ConditionRouteAccepted })
	if len(b.groups) == 0 && !refused {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonNoHosts,
			fmt.Sprintf("The Service has no external host yet; see its own conditions, or name hosts in %s.", inference.HostnamesKey))
	}
}

// maxHosts is Gateway API's bound for one route.
const maxHosts = 16

func (b *builder) firstHosts(hosts []string) []string {
	if len(hosts) <= maxHosts {
		return hosts
	}
	b.find(inference.ConditionRouteAccepted, "False", inference.ReasonTooManyMatches,
		fmt.Sprintf("The Service has %d hosts and a route holds %d; name fewer in %s.", len(hosts), maxHosts, inference.HostnamesKey))
	return hosts[:maxHosts]
}

// addObjectiveHosts makes a group for each further objective, on hosts as Knative makes those of tags.
func (b *builder) addObjectiveHosts(main group) {
	if !b.headerSafe() && b.setsObjective() {
		return
	}
	for _, o := range b.in.Objectives {
		g := group{name: "obj-" + o.Name, objective: o.Name, shares: main.shares, splits: main.splits}
		for _, h := range objectiveHosts(o, main.hosts) {
			if b.tagHas(h) {
				b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonHostConflict,
					fmt.Sprintf("The host %s of the objective %s is that of a tag of the Service; rename one of them.", h, o.Name))
				continue
			}
			if !mayOffer(b.in, b.w.Main.Hosts, h) {
				b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonHostNotAllowed, b.in.WhyDenied(h)+".")
				continue
			}
			g.hosts = append(g.hosts, h)
		}
		if len(g.hosts) == 0 && len(main.hosts) > 0 {
			b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonNoHosts,
				fmt.Sprintf("The objective %s has no host: %s-%s is too long a name, or taken; choose a shorter or another one in %s.", o.Name, o.Name, main.hosts[0], inference.ObjectivesKey))
		}
		b.groups = append(b.groups, g)
	}
}

// objectiveHosts are the hosts of one objective: its name, a dash, the host.
func objectiveHosts(o binding.Objective, hosts []string) (out []string) {
	for _, h := range hosts {
		label, _, _ := strings.Cut(h, ".")
		if len(o.Name)+1+len(label) <= maxName && len(o.Name)+1+len(h) <= 253 {
			out = append(out, o.Name+"-"+h)
		}
	}
	return out
}

// Claims are the hosts that an Intent adds to those of the Knative Service: the
// ones that may belong to somebody else. World.HostOwners is about them.
func Claims(in binding.Intent, knative []string) []string {
	all := allHosts(in, knative)
	return slices.DeleteFunc(slices.Clone(all), func(h string) bool { return slices.Contains(knative, h) })
}

func (b *builder) tagHas(host string) bool {
	return slices.ContainsFunc(b.w.Tags, func(t Traffic) bool { return slices.Contains(t.Hosts, host) })
}

// mayServe says whether this Service may have a host, and why not.
func (b *builder) mayServe(host string) bool {
	if !b.served(host) {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonListenerHostname,
			fmt.Sprintf("No listener of the Gateway %s/%s that the route attaches to takes the host %s; change its hostname, or %s.", b.in.Gateway.Namespace, b.in.Gateway.Name, host, inference.ListenerKey))
		return false
	}
	taken := func(by binding.Name) bool {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonHostConflict,
			fmt.Sprintf("The host %s belongs to the Service %s/%s; use another in %s, or tell the two apart by %s in one namespace.", host, by.Namespace, by.Name, inference.HostnamesKey, inference.ModelKey))
		return false
	}
	if owner, known := b.w.HostOwners[host]; known &&
		owner != (binding.Name{Namespace: b.in.Namespace, Name: b.in.Service}) {
		if owner.Namespace != b.in.Namespace || len(b.in.Models) == 0 {
			return taken(owner)
		}
	}
	for _, n := range b.w.Neighbours {
		if b.conflicts(host, n) {
			return taken(binding.Name{Namespace: n.Intent.Namespace, Name: n.Intent.Service})
		}
	}
	return true
}

// The rights to a host, the higher the better.
const (
	asked = iota
	// fromObjective is made from a Knative host and the name of an objective.
	fromObjective
	// fromKnative is the Service's own, or that of a tag.
	fromKnative
)

func right(host string, knative []string, objectives []binding.Objective) int {
	switch {
	case slices.Contains(knative, host):
		return fromKnative
	case slices.Contains(withObjectives(knative, objectives), host):
		return fromObjective
	}
	return asked
}

// conflicts says whether a neighbour keeps this Service from a host.
func (b *builder) conflicts(host string, n Neighbour) bool { return hasPrecedence(n, b.self(), host) }

// self is this Service as its neighbours see it.
func (b *builder) self() Neighbour {
	n := Neighbour{Intent: b.in, UID: b.w.ServiceUID, Created: b.w.Created, Hosts: b.w.Main.Hosts}
	for _, t := range b.w.Tags {
		n.Hosts = union(n.Hosts, t.Hosts)
	}
	return n
}

// hasPrecedence says whether a Service keeps another from a host of a Gateway: by a better
// right, or by the same one and age. Services of one namespace may share a host
// if models distinguish them.
func hasPrecedence(by, from Neighbour, host string) bool {
	if by.Intent.Gateway != from.Intent.Gateway || !slices.Contains(hostsOf(by), host) {
		return false
	}
	mine, theirs := right(host, from.Hosts, from.Intent.Objectives), right(host, by.Hosts, by.Intent.Objectives)
	// A header that only one namespace matches would take another's requests.
	contend := by.Intent.Namespace != from.Intent.Namespace || !apart(from.Intent, by.Intent)
	return contend && (mine < theirs || mine == theirs && younger(from, by))
}

// apart is true when model names or headers distinguish the requests of two Services.
func apart(a, b binding.Intent) bool {
	if len(a.Models) == 0 != (len(b.Models) == 0) {
		return true
	}
	common := slices.ContainsFunc(a.Models, func(m string) bool { return slices.Contains(b.Models, m) })
	if len(a.Models) > 0 && !common {
		return true
	}
	return !slices.Equal(a.MatchHeaders, b.MatchHeaders)
}

func younger(a, b Neighbour) bool {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c > 0
	}
	return a.Intent.Namespace+"/"+a.Intent.Service > b.Intent.Namespace+"/"+b.Intent.Service
}

// hostsOf are all hosts that a neighbour may serve.
func hostsOf(n Neighbour) []string {
	return allHosts(n.Intent, n.Hosts)
}

// allHosts are the hosts of an Intent on top of those of the Knative Service.
func allHosts(in binding.Intent, knative []string) []string {
	named := union(knative, in.Hostnames)
	return slices.DeleteFunc(slices.Clone(withObjectives(named, in.Objectives)), func(h string) bool {
		return !slices.Contains(named, h) && !mayOffer(in, knative, h)
	})
}

// mayOffer reports whether a Service may have the host of an objective: one made of
// a host that it names must be such a host itself.
func mayOffer(in binding.Intent, knative []string, host string) bool {
	return slices.Contains(withObjectives(knative, in.Objectives), host) || in.MayName(host)
}

// withObjectives adds the hosts of objectives to those that they are made from.
func withObjectives(hosts []string, objectives []binding.Objective) []string {
	out := hosts
	for _, o := range objectives {
		out = union(out, objectiveHosts(o, hosts))
	}
	return out
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
