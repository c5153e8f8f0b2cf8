package policy

import (
	"flag"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

type kedaSettings struct {
	hpaSettings
	// polling is pollingInterval, cooldown cooldownPeriod.
	polling, cooldown time.Duration
}

func defineKEDA(options *flag.FlagSet) simulator.NewPolicy {
	s := kedaSettings{
		hpaSettings: hpaSettings{
			metric: string(decider.Concurrency), target: 20, tolerance: hpaTolerance, behavior: hpaDefaults(),
		},
		polling: 30 * time.Second, cooldown: 300 * time.Second,
	}
	options.Var(choice{&s.metric, named(decider.Demand)}, "metric", "what is scaled on, of what waits at zero too")
	options.Var(number{&s.target, 1e-6, decider.MaxTarget}, "target", "the metric's value of one replica (threshold of the trigger)")
	options.Var(number{&s.tolerance, 0, 0.99}, "tolerance", "of its HPA")
	options.Var(span{&s.behavior.downWindow, 0, time.Hour}, "down-window", "of its HPA: scaleDown.stabilizationWindowSeconds")
	options.Var(span{&s.polling, time.Second, time.Hour}, "polling", "pollingInterval: time between two looks whether the trigger is active")
	options.Var(span{&s.cooldown, 0, 24 * time.Hour}, "cooldown", "cooldownPeriod: time from the last look at which it was to zero")
	return func(simulator.Config) (simulator.Policy, error) {
		return &keda{settings: s, hpa: hpa{settings: s.hpaSettings, stabilizer: stabilizer{behavior: s.behavior}}}, nil
	}
}

// keda is a ScaledObject of kedacore/keda at 8b4f083c (August 2026) with one trigger of type prometheus: between 1 and
// more replicas it is an HPA on the value of the query, between 0 and 1 KEDA itself
// (pkg/scaling/executor/scale_executor.go). The trigger is active while the value is above
// activationThreshold, which is 0. What the query sums up counts requests that wait in
// front of a fleet of no replica; one over metrics of engines would never wake it.
//
// Simplified: Prometheus is read without delay. Under a minimum of 1 it is the HPA.
type keda struct {
	settings kedaSettings
	hpa      hpa
	// polled is the time of the last poll of the trigger, activeAt that of the last poll that found
	// the trigger active.
	polled, activeAt time.Time
}

// Period is that of its HPA.
func (k *keda) Period() time.Duration { return hpaSync }

// Want is the HPA's. From 0, and from 1 to 0, it is KEDA's own, because an HPA does not scale there.
func (k *keda) Want(obs decider.Observation) (simulator.Want, error) {
	if k.activeAt.IsZero() {
		k.activeAt = obs.Time
	}
	if obs.Time.Sub(k.polled) >= k.settings.polling {
		k.polled = obs.Time
		sum, _ := demandSum(obs, k.settings.metric)
		switch active := !sum.Known() || sum > 0; {
		case active:
			k.activeAt = obs.Time
			if obs.Replicas == 0 {
				return simulator.Want{Replicas: 1}, nil
			}
		case obs.Time.Sub(k.activeAt) >= k.settings.cooldown:
			return simulator.Want{}, nil
		}
	}
	if obs.Replicas == 0 {
		return simulator.Want{}, nil
	}
	w, err := k.hpa.Want(obs)
	w.Replicas = max(w.Replicas, 1) // minReplicas of an HPA
	return w, err
}
