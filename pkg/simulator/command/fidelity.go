package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// fidelity compares the engine model with recorded runs.
func fidelity(o options, out *output) error {
	rows, err := fidelityRows(o, out)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"runs": rows})
	}
	if err := out.file(o.json, write); err != nil {
		return err
	}
	return writeFidelity(out.text(o.json), rows)
}

// fidelityRows takes the profile of --engine, or the known one of each run.
func fidelityRows(o options, out *output) ([]simulator.Row, error) {
	if !o.changed("engine") {
		return simulator.Fidelity(o.fidelity, engine.Profile{})
	}
	given, err := profiles(o.engine)
	if err != nil {
		return nil, err
	}
	recordings, err := simulator.ReadRecordings(o.fidelity)
	if err != nil {
		return nil, err
	}
	var rows []simulator.Row
	for _, r := range recordings {
		more, err := r.Compare(ofRun(r, given, out))
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// ofRun picks the profile of a run's own engine. Where there is none, the
// nearest has to do: one of the same model, or of the same GPU, or the first.
func ofRun(r simulator.Recording, given []engine.Profile, out *output) engine.Profile {
	gpu, model, parallel := r.Ran()
	best, most := given[0], -1
	for _, p := range given {
		near := 0
		if p.Model == model {
			near += 3
		}
		if p.GPU == gpu {
			near += 2
		}
		if p.TensorParallel == parallel {
			near++
		}
		if near > most {
			best, most = p, near
		}
	}
	if most < 6 {
		out.say("run %s ran %s on %s, %d GPUs a replica; %s is for %s on %s, %d GPUs, and used all the same", r.Name, cmp.Or(model, "an unknown model"),
			cmp.Or(gpu, "an unknown GPU"), parallel, best.Name, cmp.Or(best.Model, "an unknown model"), cmp.Or(best.GPU, "an unknown GPU"), best.TensorParallel)
	}
	return best
}

// writeFidelity prints a line per run and metric, and the largest error.
func writeFidelity(w io.Writer, rows []simulator.Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tMETRIC\tMEASURED\tSIMULATED\tERROR")
	worst := 0.0
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%.4f s\t%.4f s\t%+.1f %%\n", r.Run, r.Metric, r.Measured, r.Simulated, 100*r.Error)
		worst = max(worst, math.Abs(r.Error))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThe largest error is %.1f %%.\n", 100*worst)
	return err
}
