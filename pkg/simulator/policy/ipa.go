package policy

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// ipaTick is the interval of pkg/multiscaler's loop.
const ipaTick = 2 * time.Second

// ipaDefaults are what pkg/config makes of a revision without annotations.
func ipaDefaults() decider.Spec {
	return decider.Spec{
		Targets:        []decider.Target{{Metric: decider.KVCache, Value: 70}, {Metric: decider.Concurrency, Value: 70}},
		PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2,
		Tolerance: 0.1, StartupDeadline: 15 * time.Minute, EarlyPanic: true, Reachable: true,
	}
}

func defineIPA(options *flag.FlagSet) simulator.NewPolicy {
	spec := ipaDefaults()
	options.Var(targets{&spec.Targets}, "metric", "what is scaled on, as name=target+name=target; the largest want wins")
	options.Var(span{&spec.StableWindow, 0, time.Hour}, "window", "stable window; 0 is the run's")
	options.Var(number{&spec.PanicThreshold, 1.1, 10}, "panic-threshold", "multiple of the Ready pods wanted in the panic window from which panic begins")
	options.Var(number{&spec.MaxScaleUpRate, 1.01, 1e4}, "max-scale-up-rate", "largest growth of one decision")
	options.Var(number{&spec.MaxScaleDownRate, 1.01, 1e4}, "max-scale-down-rate", "largest shrinking of one decision")
	options.Var(span{&spec.ScaleDownDelay, 0, time.Hour}, "scale-down-delay", "time for which the largest count holds")
	options.Var(number{&spec.Tolerance, 0, 0.99}, "tolerance", "relative distance from an engine metric's target within which nothing changes")
	options.Var(span{&spec.StartupDeadline, 0, 24 * time.Hour}, "startup-deadline", "time for which a starting pod counts as coming")
	options.BoolVar(&spec.EarlyPanic, "early-panic", spec.EarlyPanic, "the engines' own count may start panic")
	return func(c simulator.Config) (simulator.Policy, error) { return newIPA(spec, c), nil }
}

// ipa is this project's own decider, as pkg/multiscaler runs it.
//
// Simplified: it decides at every tick and not also at every sample that
// changes the picture.
type ipa struct {
	spec  decider.Spec
	state decider.State
}

func newIPA(spec decider.Spec, c simulator.Config) *ipa {
	spec.Targets = slices.Clone(spec.Targets)
	spec.MinReplicas, spec.MaxReplicas = c.Min, c.Max
	if spec.StableWindow == 0 {
		spec.StableWindow = c.StableWindow
	}
	return &ipa{spec: spec}
}

// Period is the loop's interval.
func (p *ipa) Period() time.Duration { return ipaTick }

// Want decides, and says why in the decision's own words.
func (p *ipa) Want(obs decider.Observation) (simulator.Want, error) {
	d, next, err := decider.Decide(p.spec, p.state, obs)
	if err != nil {
		return simulator.Want{}, fmt.Errorf("policy ipa: %w", err)
	}
	p.state = next
	return simulator.Want{Replicas: d.Replicas, Why: d.String()}, nil
}

// targets is an option that lists metrics with their target per replica.
type targets struct{ to *[]decider.Target }

// String is the list as it would be written.
func (t targets) String() string {
	if t.to == nil {
		return ""
	}
	var items []string
	for _, target := range *t.to {
		items = append(items, string(target.Metric)+"="+strconv.FormatFloat(target.Value, 'g', -1, 64))
	}
	return strings.Join(items, "+")
}

// Set reads the list.
func (t targets) Set(s string) error {
	var all []decider.Target
	for item := range strings.SplitSeq(s, "+") {
		name, text, ok := strings.Cut(item, "=")
		value, err := strconv.ParseFloat(text, 64)
		switch {
		case !slices.Contains(allMetrics(), name):
			return fmt.Errorf("%q is none of %s", name, strings.Join(allMetrics(), ", "))
		case !ok || err != nil || !(value > 0 && value <= maxTarget) || math.IsNaN(value):
			return fmt.Errorf("%s needs a target per replica, above 0; write %s=70", name, name)
		case slices.ContainsFunc(all, func(o decider.Target) bool { return o.Metric == decider.Metric(name) }):
			return fmt.Errorf("%s is there twice", name)
		}
		all = append(all, decider.Target{Metric: decider.Metric(name), Value: value})
	}
	*t.to = all
	return nil
}
