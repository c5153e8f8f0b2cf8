package command

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// profile finds --engine: a known name, or a file.
func profile(name string) (engine.Profile, error) {
	if !strings.HasSuffix(name, ".json") {
		p, err := engine.ByName(name)
		if err != nil {
			err = fmt.Errorf("--engine: %w; or name a file that ends in .json, which --fit writes", err)
		}
		return p, err
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return engine.Profile{}, fmt.Errorf("--engine: %w", err)
	}
	p, err := engine.ParseProfile(raw)
	if err != nil {
		return engine.Profile{}, fmt.Errorf("--engine %s: %w", name, err)
	}
	return p, nil
}

// listProfiles prints the engines that are known by name.
func listProfiles(out *output) error {
	t := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tGPUS\ta us\tb us/seq\tc0 us\tc us/tok\td us/KV tok\te us/tok²\tKV TOKENS\tSEQS\tTOKENS/STEP")
	for _, p := range engine.Profiles() {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.1f\t%.0f\t%.1f\t%.4f\t%.5f\t%d\t%d\t%d\n", p.Name, p.TensorParallel, p.StepBase, p.PerSequence,
			p.ComputeBase, p.PerToken, p.PerKVToken, p.PerTokenPair, p.KVTokens, p.MaxNumSeqs, p.MaxNumBatchedTokens)
	}
	return t.Flush()
}
