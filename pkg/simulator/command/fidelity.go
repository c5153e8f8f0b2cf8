package command

import (
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
	var p engine.Profile // the known one of each run
	var err error
	if o.changed("engine") {
		if p, err = profile(o.engine); err != nil {
			return err
		}
	}
	rows, err := simulator.Fidelity(o.fidelity, p)
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
