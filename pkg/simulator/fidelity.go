package simulator

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Row compares one mean of a recorded run with its simulation.
type Row struct {
	// Run is the name of the run's files, without real_ and extension.
	Run string `json:"run"`
	// Metric is ttft, tpot or e2e: time to first token, per output token after it, to the last token.
	Metric string `json:"metric"`
	// Measured and Simulated are means over the run's requests, in seconds.
	Measured  float64 `json:"measured_s"`
	Simulated float64 `json:"simulated_s"`
	// Error is Simulated/Measured - 1.
	Error float64 `json:"error"`
}

// Fidelity replays the arrivals of every recorded run in a folder on an
// engine, and compares the means. With a zero Profile, each run takes the
// known one of its GPU and model. The recorded times are those of vLLM's core,
// so the API server's overheads are left out on both sides.
func Fidelity(dir string, profile engine.Profile) ([]Row, error) {
	recordings, err := ReadRecordings(dir)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, r := range recordings {
		p := profile
		if p == (engine.Profile{}) {
			if p, err = r.KnownProfile(); err != nil {
				return nil, err
			}
		}
		more, err := r.Compare(p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// Compare simulates the run with a profile and compares the means.
func (r Recording) Compare(p engine.Profile) ([]Row, error) {
	simulated, err := r.Simulate(p)
	if err != nil {
		return nil, err
	}
	return compare(r.Name, means(r.Completions), means(simulated)), nil
}

// Simulate returns the recorded requests, in the order of arrival, with the
// times that a profile gives them under the limits of the recorded engine.
func (r Recording) Simulate(p engine.Profile) ([]engine.Completion, error) {
	p = r.Limit(p)
	p.RequestOverhead, p.TokenOverhead = 0, 0
	simulated := make([]engine.Completion, len(r.Completions))
	ended := 0
	e, err := newRanks(p, r.meta.ranks(), func(c engine.Completion) { simulated[c.ID] = c; ended++ })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	for _, c := range r.Completions {
		if e.more != nil {
			e.Advance(c.Arrival) // the balancer weighs the load that there is then
		}
		if err := e.Submit(c.Request); err != nil {
			return nil, fmt.Errorf("%s: %w", r.path, err)
		}
	}
	e.Drain()
	if ended != len(simulated) {
		return nil, fmt.Errorf("%s: not every request ended", r.path)
	}
	return simulated, nil
}

// means returns the mean TTFT, TPOT and E2E. A single token has no TPOT.
func means(completions []engine.Completion) [3]float64 {
	var sums, counts [3]float64
	add := func(i int, d time.Duration) { sums[i], counts[i] = sums[i]+d.Seconds(), counts[i]+1 }
	for _, c := range completions {
		add(0, c.TTFT())
		if c.Output > 1 {
			add(1, c.TPOT())
		}
		add(2, c.E2E())
	}
	for i := range sums {
		sums[i] /= max(counts[i], 1)
	}
	return sums
}

func compare(run string, measured, simulated [3]float64) (rows []Row) {
	for i, metric := range []string{"ttft", "tpot", "e2e"} {
		if !(measured[i] > 0) { // a run of answers of one token has no tpot
			continue
		}
		rows = append(rows, Row{run, metric, measured[i], simulated[i], simulated[i]/measured[i] - 1})
	}
	return rows
}
