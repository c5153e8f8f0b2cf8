package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/fit"
)

// learn makes an engine profile of what a real engine did.
func learn(ctx context.Context, o options, out *output) error {
	all, err := learned(ctx, o)
	if err != nil {
		return fmt.Errorf("--fit %s: %w", o.fit, err)
	}
	var profiles []engine.Profile
	for _, l := range all {
		profiles = append(profiles, l.Profile)
	}
	if err := out.file(o.out, func(w io.Writer) error { return writeProfiles(w, profiles) }); err != nil {
		return err
	}
	text := out.text(o.out)
	for _, l := range all {
		if err := describe(text, l); err != nil {
			return err
		}
	}
	switch {
	case o.out == "":
		out.say("nothing was written; give --out PROFILE.json to keep the profile")
	case len(all) > 1 && o.out != "-":
		out.say("%s holds %d profiles, one for each engine; --fidelity takes the one of each run, and for the rest name one run: --fit DIR/real_NAME.jsonl", o.out, len(all))
	}
	return nil
}

// learned takes a folder of runs, one run, or what the adapter has recorded.
func learned(ctx context.Context, o options) ([]fit.Learned, error) {
	info, err := os.Stat(o.fit)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir() || strings.HasSuffix(o.fit, ".jsonl"):
		return fit.Learn(ctx, fit.Folder(o.fit))
	}
	return fit.LearnRecorded(recording.Open(o.fit), o.revision)
}

// writeProfiles writes one profile, or a list of several.
func writeProfiles(w io.Writer, profiles []engine.Profile) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if len(profiles) == 1 {
		return e.Encode(profiles[0])
	}
	return e.Encode(profiles)
}

// describe says what was learned and how good it is.
func describe(w io.Writer, l fit.Learned) error {
	p := l.Profile
	fmt.Fprintf(w, "%s: %s\n", p.Name, p.Source)
	fmt.Fprintf(w, "step time = max(%.0f + %.2f·n, %.0f + %.2f·(n+p)) + %.4f·KV + %.5f·pairs µs; %d sequences, %d tokens a step, %d KV tokens; %.1f ms a request in the API server\n",
		p.StepBase, p.PerSequence, p.ComputeBase, p.PerToken, p.PerKVToken, p.PerTokenPair, p.MaxNumSeqs,
		p.MaxNumBatchedTokens, p.KVTokens, 1e3*p.RequestOverhead.Seconds())
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUN\tMETRIC\tMEASURED\tSIMULATED\tERROR\tMEDIAN REQUEST\tJUDGED")
	for _, e := range l.Fit {
		writeError(t, e, "on what it was learned from")
	}
	for _, e := range l.Unseen {
		writeError(t, e, "on what it has not seen")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(l.Unseen) == 0 {
		fmt.Fprintf(w, "\nA single run cannot show how well another load is predicted: record a second one, and try --fidelity on it.\n")
	}
	_, err := fmt.Fprintln(w)
	return err
}

func writeError(w io.Writer, e fit.Error, judged string) {
	fmt.Fprintf(w, "%s\t%s\t%.4f s\t%.4f s\t%+.1f %%\t%.1f %%\t%s\n", e.Run, e.Metric, e.Measured, e.Simulated, 100*e.Relative(), 100*e.Median, judged)
}
