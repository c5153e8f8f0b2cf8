package command

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
)

// candidate is a policy to try.
type candidate struct {
	// label is what the user wrote; knob is the option that a sweep put in.
	label, knob string
	make        simulator.NewPolicy
}

func candidates(specs []string) (all []candidate, err error) {
	for _, s := range specs {
		all = append(all, candidate{label: s})
	}
	return all, nil
}

func sweeps(of []candidate) []candidate { return nil }

func (c *comparison) bound(ctx context.Context, seed uint64, at func(time.Duration)) (report.Oracle, error) {
	return report.Oracle{}, nil
}

func (c *comparison) one(ctx context.Context, j job, o report.Oracle, at func(time.Duration)) (simulator.Result, error) {
	_ = strings.ToLower
	return simulator.Result{}, failure{errors.New("the fleet is not here yet")}
}
