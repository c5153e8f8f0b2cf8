package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// builder carries what the parts of a Plan are made from.
type builder struct {
	in       binding.Intent
	w        World
	can      capabilities
	members  []member
	revision Revision
	plan     Plan
	// groups are hosts with their shares of traffic; each becomes a route.
	groups []group
	// routeRules are the names of the rules of all routes of the plan.
	routeRules []string
}

// group is a set of hosts whose requests are split in the same way.
type group struct {
	// name is main, tag-<tag> or obj-<objective>.
	name  string
	hosts []string
	// objective is its name in the annotation; empty is the Service's own priority.
	objective string
	shares    []share
	// splits are the parts of its requests that Knative gives each revision.
	splits []Split
}

// share is a pool's part of a group, in percent.
type share struct {
	pool, revision string
	percent        int32
}

// Build renders the Plan. Where something is missing it renders what works
// without it, and says so in Findings.
func Build(in binding.Intent, w World) Plan {
	provider := Provider(in.Provider)
	if provider == "" {
		provider = Detect(w.Gateway.Controller, w.Gateway.Class)
	}
	b := &builder{in: in, w: w, can: provider.can(), plan: Plan{
		Provider: provider, Pools: map[string]string{}, Routed: map[string]bool{}, Pods: map[string]map[string]string{},
		ObjectiveGroup: objectiveGroup(in.Picker.Flavor),
	}}
	b.build()
	slices.SortStableFunc(b.plan.Objects, func(a, c Object) int { return cmp.Compare(a.Stage, c.Stage) })
	return b.plan
}

func (b *builder) build() {
	if !b.prepare() {
		b.labelPods()
		return
	}
	b.share()
	b.labelPods()
	if !b.renderPools() {
		return
	}
	b.renderObjectives()
	b.renderRewrites()
	if b.checkGateway() {
		b.host()
		b.renderRoutes()
		b.renderComing()
		b.renderFilters()
		b.renderPatchPolicies()
		b.renderBodyRouter()
	}
}

// prepare finds what nothing can be done without.
func (b *builder) prepare() bool {
	if len(b.w.Revisions) == 0 {
		b.find(inference.ConditionRouteAccepted, "Unknown", inference.ReasonNoTraffic,
			"The Service has no ready revision yet; see its own conditions.")
		return false
	}
	if !b.w.Served.InferencePool {
		b.find(inference.ConditionPoolAccepted, "False", inference.ReasonPoolCRDMissing,
			"The cluster does not serve InferencePool of inference.networking.k8s.io/v1; install the CRDs of the Gateway API Inference Extension v1.5.0.")
		return false
	}
	b.revision = b.reference()
	if b.members = b.agreeing(); b.members == nil {
		return false
	}
	b.plan.ObjectiveGroup = objectiveGroup(b.leader().Picker.Flavor)
	if b.can.slowEndpoints && b.in.Picker.Mode == binding.PickerManaged && !b.foreign() {
		b.plan.Hold = b.in.EndpointHold
	}
	return true
}

// reference is the revision that stands for all in one pool: that of the
// largest share, or else the newest by name.
func (b *builder) reference() Revision {
	best := slices.Max(slices.Collect(maps.Keys(b.w.Revisions)))
	most := int32(0)
	for _, s := range b.w.Main.Splits {
		if _, known := b.w.Revisions[s.Revision]; known && s.Percent > most {
			best, most = s.Revision, s.Percent
		}
	}
	return b.w.Revisions[best]
}

// share decides which pools there are and what each gets.
func (b *builder) share() {
	if b.in.PoolMode == binding.PoolPerRevision && b.canSplit() {
		b.sharePerRevision()
		return
	}
	pool := b.poolName()
	b.plan.Pools[""] = pool
	b.groups = []group{{name: "main", hosts: b.w.Main.Hosts, splits: b.w.Main.Splits,
		shares: []share{{pool: pool, percent: 100}}}}
	routed := 0
	for _, s := range b.w.Main.Splits {
		if s.Percent > 0 {
			routed++
			b.plan.Routed[s.Revision] = true
		}
	}
	switch {
	case routed == 0:
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonNoTraffic,
			"No revision has traffic; see the Service's own conditions and spec.traffic.")
	case routed > 1 && b.in.PoolMode == binding.PoolPerService:
		b.find(inference.ConditionTrafficSplit, "False", inference.ReasonSplitApproximated,
			fmt.Sprintf("%d revisions share one pool, where load decides and not spec.traffic; set %s to %q for exact shares.", routed, inference.PoolModeKey, binding.PoolPerRevision))
	}
}

// canSplit says whether the provider keeps exact shares of several pools.
func (b *builder) canSplit() bool {
	if b.in.Picker.Mode != binding.PickerManaged || b.in.Pool != "" {
		b.find(inference.ConditionTrafficSplit, "False", inference.ReasonProviderUnsupported,
			fmt.Sprintf("%s %q needs a pool and a picker of its own for each revision; one pool serves all. Remove %s and %s.", inference.PoolModeKey, binding.PoolPerRevision, inference.PickerKey, inference.PoolKey))
		return false
	}
	if b.in.AllowWeightedPools && b.can.brokenByPools {
		b.find(inference.ConditionTrafficSplit, "False", inference.ReasonProviderUnsupported,
			fmt.Sprintf("Two pools in one rule stop every change of the configuration of the gateway (%s), so one pool serves all revisions; remove %s.", b.plan.Provider, inference.AllowWeightedPoolKey))
		return false
	}
	if b.in.AllowWeightedPools || b.can.weightedPools || b.patchesRules() {
		return true
	}
	if b.can.patchPolicies {
		b.find(inference.ConditionTrafficSplit, "False", inference.ReasonPatchCRDMissing,
			fmt.Sprintf("The cluster does not serve EnvoyPatchPolicy of %s, which exact shares need on %s; one pool serves all revisions. Install Envoy Gateway's CRDs.", patchPolicyVersion, b.plan.Provider))
		return false
	}
	b.find(inference.ConditionTrafficSplit, "False", inference.ReasonProviderUnsupported,
		fmt.Sprintf("The gateway (%s) asks one picker for all pools of a rule; one pool serves all revisions. If yours is newer, set %s to \"true\".", b.plan.Provider, inference.AllowWeightedPoolKey))
	return false
}

func (b *builder) sharePerRevision() {
	groups := []group{{name: "main", hosts: b.w.Main.Hosts, splits: b.w.Main.Splits}}
	for _, t := range b.w.Tags {
		groups = append(groups, group{name: "tag-" + t.Tag, hosts: t.Hosts, splits: t.Splits})
	}
	for i := range groups {
		groups[i].shares = b.shares(groups[i].splits)
	}
	for _, g := range groups {
		if len(g.shares) > 0 {
			b.groups = append(b.groups, g)
		}
		for _, s := range g.shares {
			b.plan.Pools[s.revision], b.plan.Routed[s.revision] = s.pool, true
		}
	}
	if len(groups[0].shares) == 0 {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonNoTraffic,
			"No revision has traffic; see the Service's own conditions and spec.traffic.")
		return
	}
	b.find(inference.ConditionTrafficSplit, "True", inference.ReasonSplitExact,
		fmt.Sprintf("%d of the Service's revisions have a pool and a picker each.", len(b.plan.Pools)))
}

// shares lists the largest first: a gateway that has lost the fractions sends
// everything to the first. Unknown revisions are left out.
func (b *builder) shares(splits []Split) (out []share) {
	for _, s := range splits {
		if _, known := b.w.Revisions[s.Revision]; known && s.Percent > 0 {
			out = append(out, share{pool: fit(s.Revision, maxPool), revision: s.Revision, percent: s.Percent})
		}
	}
	slices.SortStableFunc(out, func(a, c share) int {
		return cmp.Or(cmp.Compare(c.percent, a.percent), cmp.Compare(a.revision, c.revision))
	})
	return out
}

// labelPods says which labels the pods of each revision carry.
func (b *builder) labelPods() {
	keys := map[string]bool{inference.RoutedKey: true, inference.PoolKey: true, inference.EngineTypeKey: true,
		inference.LLMDEngineTypeKey: true}
	foreign := b.foreignSelector()
	for k := range foreign {
		keys[k] = true
	}
	b.plan.PodLabelKeys = slices.Sorted(maps.Keys(keys))
	for name, r := range b.w.Revisions {
		l := map[string]string{}
		if r.Engine.Name != "" {
			l[inference.EngineTypeKey], l[inference.LLMDEngineTypeKey] = r.Engine.Name, r.Engine.Name
		}
		if b.plan.Routed[name] {
			l[inference.RoutedKey] = "true"
			if b.in.Pool != "" {
				l[inference.PoolKey] = b.in.Pool
			}
			maps.Copy(l, foreign)
		}
		b.plan.Pods[name] = l
	}
}
