package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// profile finds --engine: a known name, or a file with one profile.
func profile(name string) (engine.Profile, error) {
	all, err := profiles(name)
	if err != nil {
		return engine.Profile{}, err
	}
	if len(all) > 1 {
		return engine.Profile{}, fmt.Errorf("--engine %s: it holds %d profiles; write one of them into a file of its own", name, len(all))
	}
	return all[0], nil
}

// profiles finds --engine: a known name, or a file with a profile or a list of them.
func profiles(name string) ([]engine.Profile, error) {
	if !strings.HasSuffix(name, ".json") {
		p, err := engine.ByName(name)
		if err != nil {
			err = fmt.Errorf("--engine: %w; or name a file that ends in .json, which --fit writes", err)
		}
		return []engine.Profile{p}, err
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--engine: %w", err)
	}
	list := []json.RawMessage{raw}
	if raw = bytes.TrimSpace(raw); bytes.HasPrefix(raw, []byte("[")) {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("--engine %s: %w", name, err)
		}
	}
	var all []engine.Profile
	for _, one := range list {
		p, err := engine.ParseProfile(one)
		if err != nil {
			return nil, fmt.Errorf("--engine %s: %w", name, err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("--engine %s: the list of profiles is empty", name)
	}
	return all, nil
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
