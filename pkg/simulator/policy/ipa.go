package policy

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/zero"
)

func defineIPA(options *flag.FlagSet) simulator.NewPolicy {
	spec := decider.DefaultSpec()
	defineSLO(options, &spec.SLO)
	options.Var(targets{&spec.Targets}, "metric", "what is scaled on: slo, or name=target; more after a +, and the largest want wins")
	options.Var(span{&spec.StableWindow, 0, time.Hour}, "window", "stable window; 0 is the run's")
	options.Var(number{&spec.PanicThreshold, 1.1, 10}, "panic-threshold", "multiple of the Ready pods wanted in the panic window from which panic begins")
	options.Var(number{&spec.MaxScaleUpRate, 1.01, 1e4}, "max-scale-up-rate", "largest growth of one decision")
	options.Var(number{&spec.MaxScaleDownRate, 1.01, 1e4}, "max-scale-down-rate", "largest shrinking of one decision")
	options.Var(span{&spec.ScaleDownDelay, 0, time.Hour}, "scale-down-delay", "time for which the largest count holds")
	options.Var(number{&spec.Tolerance, 0, 0.99}, "tolerance", "relative distance from an engine metric's target within which nothing changes")
	options.Var(span{&spec.StartupDeadline, 0, 24 * time.Hour}, "startup-deadline", "time for which a starting pod counts as coming")
	options.BoolVar(&spec.EarlyPanic, "early-panic", spec.EarlyPanic, "the engines' own count may start panic")
	grace, retention := zero.DefaultGrace, time.Duration(0)
	options.Var(span{&grace, 6 * time.Second, time.Hour}, "grace", "scale-to-zero-grace-period, where --min is 0")
	options.Var(span{&retention, 0, time.Hour}, "retention", "scale-to-zero-pod-retention-period, where --min is 0; 0 is twice the startup time")
	return func(c simulator.Config) (simulator.Policy, error) {
		p := newIPA(spec, c)
		p.grace, p.retention = grace, retention
		return p, nil
	}
}

// defineSLO adds the knobs of the metric slo; what is 0 is the run's.
func defineSLO(options *flag.FlagSet, o *decider.Objective) {
	options.Var(number{&o.Goal, 0, 0.99999}, "goal", "share of requests that should meet the SLO; 0 is the run's")
	options.Var(span{&o.TTFT, 0, time.Hour}, "ttft", "time to the first token that it aims at; 0 is the run's")
	options.Var(span{&o.ITL, 0, time.Hour}, "itl", "time per further token that it aims at; 0 is the run's")
	o.Margin = 1
	options.Var(number{&o.Margin, slo.MinMargin, slo.MaxMargin}, "margin", "multiple of the demand, from lean (below 1) to safe")
	options.Var(span{&o.StartupTime, 0, time.Hour}, "lead", "start-up time that it assumes until it has seen one; 0 is 2m")
	options.Var(parts{&o.DisabledFeatures}, "without", "parts to switch off, with a + between them: "+strings.Join(partNames(), ", "))
}

// ipa is this project's own decider, as pkg/multiscaler runs it.
//
// Simplified: it decides at every tick and not also at every sample that
// changes the picture.
type ipa struct {
	spec  decider.Spec
	state decider.State
	// explains is set where the run keeps the words, which cost more than many a decision.
	explains bool
	// last is the way to zero of a run without a minimum, grace and retention what holds there.
	last             lastPod
	grace, retention time.Duration
}

func newIPA(spec decider.Spec, c simulator.Config) *ipa {
	spec.Targets = slices.Clone(spec.Targets)
	spec.MinReplicas, spec.MaxReplicas = c.Min, c.Max
	spec.StableWindow = cmp.Or(spec.StableWindow, c.StableWindow)
	o := &spec.SLO
	o.Goal, o.TTFT, o.ITL = cmp.Or(o.Goal, c.SLO.Goal), cmp.Or(o.TTFT, c.SLO.TTFT), cmp.Or(o.ITL, c.SLO.ITL)
	o.TTFTPerToken = c.SLO.TTFTPerToken
	o.LimitConcurrency(c.ContainerConcurrency)
	if let := c.ContainerConcurrency; let > 0 { // as Knative resolves its target
		o.FallbackConcurrency = slo.KnativeUtilization * float64(let)
	}
	return &ipa{spec: spec, explains: c.Sample > 0}
}

// Period is the loop's interval.
func (p *ipa) Period() time.Duration { return decider.Tick }

// Want decides, and says why in the decision's own words.
func (p *ipa) Want(obs decider.Observation) (simulator.Want, error) {
	d, next, err := decider.Decide(p.spec, p.state, obs)
	if err != nil {
		return simulator.Want{}, fmt.Errorf("policy ipa: %w", err)
	}
	p.state = next
	w := simulator.Want{Replicas: d.Replicas}
	if p.spec.MinReplicas == 0 {
		w.Replicas = p.last.next(obs, d.Replicas, p.keeping(obs, d))
	}
	if p.explains {
		w.Why = d.String()
	}
	return w, nil
}

// keeping is as pkg/reconciler/podautoscaler has it.
func (p *ipa) keeping(obs decider.Observation, d decider.Decision) keeping {
	startup := decider.StartupTime(decider.ReadyAfter(obs), d)
	return keeping{p.spec.StableWindow, zero.StartDeadline(zero.DefaultProgressDeadline, startup), p.grace,
		cmp.Or(p.retention, zero.KeepAlive(startup))}
}

// Surroundings are those of our class: activators are read fast at zero, and pods drain.
func (p *ipa) Surroundings() simulator.Surroundings {
	return simulator.Surroundings{Wakes: seenAtActivator, Drains: true}
}
