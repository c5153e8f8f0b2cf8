package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	infv1alpha2 "sigs.k8s.io/gateway-api-inference-extension/apix/v1alpha2"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// objectiveGroup is the API group that a picker of the flavor reads.
func objectiveGroup(flavor string) string {
	if flavor == binding.FlavorLLMD {
		return "llm-d.ai"
	}
	return infv1alpha2.GroupName
}

// objectiveName is an InferenceObjective's: each belongs to one pool.
func (b *builder) objectiveName(s share, objective string) string {
	name := b.in.Service
	if s.revision != "" {
		name = s.pool
	}
	if objective != "" {
		name += "-" + objective
	}
	return fit(name, maxName)
}

// headerSafe says whether the gateway can set the objective's header itself.
func (b *builder) headerSafe() bool {
	return b.can.filtersFirst || b.patchesRules()
}

// setsObjective is true when the gateway, and no client, writes the objective's header.
func (b *builder) setsObjective() bool { return b.in.ObjectiveHeader != binding.HeaderNone }

// wantsObjective is true when the annotations name any.
func (b *builder) wantsObjective() bool { return b.in.Priority != nil || len(b.in.Objectives) > 0 }

// renderObjectives writes one for each priority and pool.
func (b *builder) renderObjectives() {
	if !b.wantsObjective() || !b.checkObjectives() {
		return
	}
	for _, s := range b.allShares() {
		if b.in.Priority != nil {
			b.renderObjective(s, "", *b.in.Priority)
		}
		for _, o := range b.in.Objectives {
			b.renderObjective(s, o.Name, o.Priority)
		}
	}
}

// checkObjectives finds a missing CRD, and gateways that cannot keep clients from choosing a priority.
func (b *builder) checkObjectives() bool {
	if !slices.Contains(b.w.Served.Objective, b.plan.ObjectiveGroup) {
		b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonObjectiveCRDMissing,
			fmt.Sprintf("The cluster does not serve InferenceObjective of %s/v1alpha2, which a picker of flavor %s reads; install its CRD, or set %s.", b.plan.ObjectiveGroup, b.in.Picker.Flavor, inference.PickerFlavorKey))
		return false
	}
	if !b.setsObjective() || b.headerSafe() {
		return true
	}
	if b.can.patchPolicies {
		b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonPatchCRDMissing,
			fmt.Sprintf("The cluster does not serve EnvoyPatchPolicy of %s, so clients choose their priority themselves; install Envoy Gateway's CRDs.", patchPolicyVersion))
		return b.in.ObjectiveHeader != binding.HeaderSet
	}
	b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonPriorityNotEnforced,
		fmt.Sprintf("The gateway (%s) cannot set the header of the objective before the picker reads it; use Istio or agentgateway, or set %s to %q and let clients send x-gateway-inference-objective.", b.plan.Provider, inference.ObjectiveHeaderKey, binding.HeaderNone))
	return b.in.ObjectiveHeader != binding.HeaderSet
}

func (b *builder) renderObjective(s share, objective string, priority int32) {
	b.add(StageObjective, identity{b.plan.ObjectiveGroup + "/v1alpha2", "InferenceObjective", b.in.Namespace, b.objectiveName(s, objective), "objective"},
		withSpec(&infv1alpha2.InferenceObjectiveSpec{Priority: new(int(priority)), PoolRef: poolRef(s.pool)}))
}

func poolRef(name string) infv1alpha2.PoolObjectReference {
	return infv1alpha2.PoolObjectReference{Group: poolGroup, Kind: poolKind, Name: infv1alpha2.ObjectName(name)}
}

// allShares lists every pool of this Service once.
func (b *builder) allShares() (out []share) {
	for _, revision := range slices.Sorted(maps.Keys(b.plan.Pools)) {
		out = append(out, share{pool: b.plan.Pools[revision], revision: revision})
	}
	return out
}

// renderRewrites writes the InferenceModelRewrite of each pool.
func (b *builder) renderRewrites() {
	if len(b.in.ModelRewrite) == 0 {
		return
	}
	if !slices.Contains(b.w.Served.Rewrite, b.plan.ObjectiveGroup) {
		b.find(inference.ConditionObjectiveApplied, "False", inference.ReasonRewriteCRDMissing,
			fmt.Sprintf("The cluster does not serve InferenceModelRewrite of %s/v1alpha2; install its CRD, or remove %s.", b.plan.ObjectiveGroup, inference.ModelRewriteKey))
		return
	}
	rules := b.rewriteRules()
	for _, s := range b.allShares() {
		name := cmp.Or(s.revision, b.in.Service)
		b.add(StageObjective, identity{b.plan.ObjectiveGroup + "/v1alpha2", "InferenceModelRewrite", b.in.Namespace, fit(name, maxName), "rewrite"},
			withSpec(&infv1alpha2.InferenceModelRewriteSpec{PoolRef: new(poolRef(s.pool)), Rules: rules}))
	}
}

func (b *builder) rewriteRules() (rules []infv1alpha2.InferenceModelRewriteRule) {
	for _, r := range b.in.ModelRewrite {
		rule := infv1alpha2.InferenceModelRewriteRule{Matches: b.rewriteMatches(r)}
		for _, t := range r.Targets {
			rule.Targets = append(rule.Targets, infv1alpha2.TargetModel{Weight: t.Weight, ModelRewrite: t.Model})
		}
		rules = append(rules, rule)
	}
	return rules
}

// rewriteMatches are the models that a rule is for; none is all.
func (b *builder) rewriteMatches(r binding.Rewrite) (out []infv1alpha2.Match) {
	models := b.in.Models
	if r.Model != "" {
		models = []string{r.Model}
	}
	for _, m := range models {
		out = append(out, infv1alpha2.Match{Model: &infv1alpha2.ModelMatch{Type: new(infv1alpha2.MatchExact), Value: m}})
	}
	return out
}
