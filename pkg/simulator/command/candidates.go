package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/oracle"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
)

// candidate is a policy to try.
type candidate struct {
	// label is what the user wrote, or could have: --policy takes it. Of a sweep,
	// knob is the setting and swept the label of the policy that it is one of.
	label, knob, swept string
	// make is nil for the two that need the oracle's bound first.
	make simulator.NewPolicy
}

// The policies that are not fixed before the trace is known.
const (
	oracleName = policy.Oracle
	staticName = "static" // without a size of its own
)

// candidates makes a candidate of each policy with its options.
func candidates(specs []string) (all []candidate, err error) {
	for _, s := range specs {
		c := candidate{label: s}
		if s != oracleName && s != staticName {
			if c.make, err = policy.New(s); err != nil {
				return nil, fmt.Errorf("--policy: %w", err)
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// knobs are the settings that a sweep tries, by policy: from lean to safe.
func knobs(spec string) []string {
	name, _, _ := strings.Cut(spec, ":")
	switch {
	case name == "ipa":
		return each("margin=", "0.7", "0.85", "1", "1.25", "1.6", "2", "3")
	case name == "kpa":
		return each("target=", "100", "60", "40", "28", "20", "12", "8", "4", "2")
	case name == "wva":
		return []string{"up=0.85,down=0.7", "up=0.6,down=0.45", "up=0.4,down=0.25", "up=0.25,down=0.15", "up=0.15,down=0.08", "up=0.08,down=0.04"}
	case name == "keda":
		return each("target=", "40", "28", "20", "16", "12", "8", "4")
	case name != "hpa" && name != "apa":
		return nil
	case strings.Contains(spec, "metric=concurrency"), strings.Contains(spec, "metric=num_requests_running"):
		return each("target=", "40", "28", "20", "16", "12", "8", "4")
	case strings.Contains(spec, "metric=") && !strings.Contains(spec, "metric=kv_cache_usage_percent"):
		return each("target=", "20", "10", "5", "2", "1")
	}
	return each("target=", "70", "50", "30", "20", "10", "5", "2") // percent of the KV cache
}

func each(option string, values ...string) (settings []string) {
	for _, v := range values {
		settings = append(settings, option+v)
	}
	return settings
}

// sweeps are the candidates at every setting of their knob, but for those that
// are candidates themselves. Two that differ in the knob only are swept once.
func sweeps(of []candidate) (all []candidate, err error) {
	done := map[string]bool{}
	for _, c := range of {
		done[c.label] = true
	}
	for _, c := range of {
		for _, k := range knobs(c.label) {
			spec := replaced(c.label, k)
			if done[spec] {
				continue
			}
			done[spec] = true
			made, err := policy.New(spec)
			if err != nil {
				return nil, fmt.Errorf("--sweep of %s: %w", c.label, err)
			}
			all = append(all, candidate{label: spec, knob: k, swept: c.label, make: made})
		}
	}
	return all, nil
}

// replaced is a policy with some options set, whatever they were before.
func replaced(spec, settings string) string {
	name, options, _ := strings.Cut(spec, ":")
	for _, o := range strings.Split(options, ",") {
		key, _, _ := strings.Cut(o, "=")
		if o != "" && !strings.HasPrefix(settings, key+"=") && !strings.Contains(settings, ","+key+"=") {
			name = joined(name, o)
		}
	}
	return joined(name, settings)
}

// bound finds the oracle of a seed.
func (c *comparison) bound(ctx context.Context, seed uint64, at func(time.Duration)) (oracle.Bound, error) {
	config := c.config
	config.Seed = seed
	d, err := c.demand(ctx, config, at)
	if err != nil {
		return oracle.Bound{}, err
	}
	return d.Bound()
}

// demand is the work of the load's requests.
func (c *comparison) demand(ctx context.Context, config simulator.Config,
	at func(time.Duration)) (*oracle.Demand, error) {
	requests, err := c.load.requests(config.Seed)
	if err != nil {
		return nil, err
	}
	config.Engine = atMost(config.Engine, letIn(config))
	return oracle.Of(watched(ctx, requests, at), config)
}

// one makes a run.
func (c *comparison) one(ctx context.Context, j job, b oracle.Bound, at func(time.Duration)) (simulator.Result, error) {
	switch j.candidate.label {
	case staticName:
		return c.cheapestStatic(ctx, j, b, at)
	case oracleName:
		return c.cheapestSchedule(ctx, j, at)
	}
	requests, err := c.load.requests(j.config.Seed)
	if err != nil {
		return simulator.Result{}, err
	}
	p, err := j.candidate.make(j.config)
	if err != nil {
		return simulator.Result{}, err
	}
	return simulator.Run(j.config, watched(ctx, requests, at), p)
}
