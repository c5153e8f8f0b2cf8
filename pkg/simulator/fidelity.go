package simulator

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
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
// engine, and compares the means. A run is a pair of files real_NAME.jsonl,
// one request a line, and real_NAME.meta.json, whose limits replace the
// profile's. With a zero Profile, each run takes the known one of its GPU and
// model. The recorded times are those of vLLM's core, so the API server's
// overheads are left out on both sides.
func Fidelity(dir string, profile engine.Profile) ([]Row, error) {
	files, err := filepath.Glob(filepath.Join(dir, "real_*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no real_*.jsonl; name a folder with recorded runs", dir)
	}
	var rows []Row
	for _, file := range files {
		more, err := fidelityOf(strings.TrimSuffix(file, ".jsonl"), profile)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// fidelityOf compares the run whose files begin with path.
func fidelityOf(path string, profile engine.Profile) ([]Row, error) {
	recorded, err := readRecorded(path + ".jsonl")
	if err != nil {
		return nil, err
	}
	limits, err := readMeta(path + ".meta.json")
	if err != nil {
		return nil, err
	}
	run := strings.TrimPrefix(filepath.Base(path), "real_")
	if profile == (engine.Profile{}) {
		if profile, err = knownProfile(run, limits); err != nil {
			return nil, err
		}
	}
	profile = limits.apply(profile)
	profile.RequestOverhead, profile.TokenOverhead = 0, 0
	simulated, err := replay(recorded, profile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return compare(run, means(recorded), means(simulated)), nil
}

// replay returns the recorded requests with the times of the simulation.
func replay(recorded []engine.Completion, profile engine.Profile) (simulated []engine.Completion, err error) {
	e, err := engine.New(profile, func(c engine.Completion) { simulated = append(simulated, c) })
	if err != nil {
		return nil, err
	}
	for _, c := range recorded {
		if err := e.Submit(c.Request); err != nil {
			return nil, err
		}
	}
	e.Drain()
	if len(simulated) != len(recorded) {
		return nil, errors.New("not every request ended")
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
		rows = append(rows, Row{run, metric, measured[i], simulated[i], simulated[i]/measured[i] - 1})
	}
	return rows
}
