package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
)

// targets is an option that lists metrics with their target per replica.
type targets struct{ to *[]decider.Target }

// String is the list as it would be written.
func (t targets) String() string {
	if t.to == nil {
		return ""
	}
	var items []string
	for _, target := range *t.to {
		item := string(target.Metric)
		if target.Metric != decider.SLO {
			item += "=" + strconv.FormatFloat(target.Value, 'g', -1, 64)
		}
		items = append(items, item)
	}
	return strings.Join(items, "+")
}

// Set reads the list.
func (t targets) Set(s string) error {
	var all []decider.Target
	for item := range strings.SplitSeq(s, "+") {
		target, err := parseTarget(item)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(o decider.Target) bool { return o.Metric == target.Metric }) {
			return fmt.Errorf("%s is there twice", target.Metric)
		}
		all = append(all, target)
	}
	*t.to = all
	return nil
}

func parseTarget(item string) (decider.Target, error) {
	name, text, ok := strings.Cut(item, "=")
	if decider.Metric(name) == decider.SLO && !ok {
		return decider.Target{Metric: decider.SLO}, nil
	}
	known := append([]string{string(decider.SLO)}, allMetrics()...)
	if !slices.Contains(known, name) {
		return decider.Target{}, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case decider.Metric(name) == decider.SLO:
		return decider.Target{}, fmt.Errorf("slo takes no target; write goal=0.99")
	case err != nil || !(value > 0 && value <= decider.MaxTarget): // NaN fails too
		return decider.Target{}, fmt.Errorf("%s needs a target per replica, above 0; write %s=70", name, name)
	}
	if d, _ := decider.Metric(name).Describe(); d.Target.Max > 0 && (value < d.Target.Min || value > d.Target.Max) {
		return decider.Target{}, fmt.Errorf("the target of %s must be between %v and %v %s, as in the annotation", name, d.Target.Min, d.Target.Max, d.Target.Unit)
	}
	return decider.Target{Metric: decider.Metric(name), Value: value}, nil
}

// partsByName are the parts of the metric slo that an ablation can leave out.
func partsByName() map[string]slo.Feature {
	return map[string]slo.Feature{
		"learning": slo.FeatureLearning, "curve": slo.FeatureCurve, "replay": slo.FeatureReplay,
		"envelope": slo.FeatureGrowth, "backlog": slo.FeatureBacklog, "hold": slo.FeatureHoldDown,
	}
}

func partNames() []string { return slices.Sorted(maps.Keys(partsByName())) }

// parts is an option that lists parts of the policy.
type parts struct{ to *slo.Feature }

// String is the list as it would be written.
func (p parts) String() string {
	if p.to == nil {
		return ""
	}
	var names []string
	for _, name := range partNames() {
		if *p.to&partsByName()[name] != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// Set reads the list; an empty one is the whole policy.
func (p parts) Set(s string) error {
	var all slo.Feature
	for name := range strings.SplitSeq(s, "+") {
		part, known := partsByName()[name]
		if !known && s != "" {
			return fmt.Errorf("%q is no part; there is %s", name, strings.Join(partNames(), ", "))
		}
		all |= part
	}
	*p.to = all
	return nil
}
