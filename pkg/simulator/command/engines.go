package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
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
		if err != nil && !ofKnownGPU(name) { // a list of all is no help in an error
			err = fmt.Errorf("engine profile %q: no such name; --profiles lists the %d there are", name, len(engine.Profiles()))
		}
		if err != nil {
			err = fmt.Errorf("--engine: %w; or name a file that ends in .json, which --fit writes", err)
		}
		return []engine.Profile{p}, err
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--engine: %w; name a profile of --profiles, or a file that --fit wrote", err)
	}
	all, err := parseProfiles(raw)
	if err != nil {
		return nil, fmt.Errorf("--engine %s: %w", name, err)
	}
	return all, nil
}

// ofKnownGPU reports whether a name begins with the GPU of a profile.
func ofKnownGPU(name string) bool {
	gpu, _, _ := strings.Cut(name, "-")
	return slices.ContainsFunc(engine.Profiles(), func(p engine.Profile) bool { return p.GPU == gpu })
}

// parseProfiles reads an object, or a list of them.
func parseProfiles(raw []byte) (all []engine.Profile, err error) {
	if err := wellFormed(raw); err != nil {
		return nil, err
	}
	list := []json.RawMessage{raw}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, errors.New("the list of profiles is empty")
		}
	}
	for i, one := range list {
		p, err := parseOne(one)
		if err != nil && len(list) > 1 {
			err = fmt.Errorf("profile %d of the list: %w", i+1, err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// parseOne says of a field that does not fit what it has to be.
func parseOne(raw []byte) (engine.Profile, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return engine.Profile{}, fmt.Errorf("%.20s is no profile; it must be an object like {\"name\": ..., \"a_us\": ...}, which --fit writes", bytes.TrimSpace(raw))
	}
	p, err := engine.ParseProfile(raw)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return p, fmt.Errorf("field %s is a %s; it must be %s", wrong.Field, wrong.Value, described(wrong.Type.Kind()))
	}
	if err != nil && strings.Contains(err.Error(), "unknown field") { // encoding/json has no type for it
		err = fmt.Errorf("%w; leave it out, or write it as a file of --fit has it", err)
	}
	return p, err
}

func described(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a text in quotes"
	case reflect.Float64:
		return "a number of at most 1e7"
	default:
		return "a whole number"
	}
}

// wellFormed names the line at which a file is no JSON.
func wellFormed(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return errors.New("the file is empty; --fit SOURCE --out FILE writes one")
	}
	var value json.RawMessage
	err := json.Unmarshal(raw, &value)
	wrong := new(json.SyntaxError)
	if !errors.As(err, &wrong) {
		return err
	}
	line := 1 + bytes.Count(raw[:min(int(wrong.Offset), len(raw))], []byte("\n"))
	return fmt.Errorf("line %d is no JSON: %w; --fit SOURCE --out FILE writes a whole one", line, err)
}

// origins are where coefficients come from, in words short enough for a column:
// each stands for the sources that begin as it says.
var origins = []struct{ begins, short, long string }{
	{"kernel times", "kernels", "times of vLLM 0.19's kernels; those of Llama-3.1-8B were compared with real runs (--fidelity)"},
	{"BLIS", "BLIS", "fitted by BLIS on whole runs, prompts and sequences corrected; with several GPUs no exchange per prompt token; not compared with real engines here"},
	{"Vidur", "Vidur", "its linear layers were measured; attention, KV cache, memory and exchanges are derived from data sheets; not compared with real engines here"},
}

// origin is the short word for a profile's source.
func origin(p engine.Profile) string {
	for _, o := range origins {
		if strings.HasPrefix(p.Source, o.begins) {
			return o.short
		}
	}
	return "other"
}

// listProfiles prints the engines that are known by name, those of a GPU and of a model together.
func listProfiles(out *output) error {
	t := tabwriter.NewWriter(out.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tGPUS\ta us\tb us/seq\tc0 us\tc us/tok\td us/KV tok\te us/tok²\tKV TOKENS\tSEQS\tTOKENS/STEP\tFROM")
	for _, p := range sorted(engine.Profiles()) {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.1f\t%.0f\t%.1f\t%.4f\t%.5f\t%d\t%d\t%d\t%s\n", p.Name, p.TensorParallel, p.StepBase, p.PerSequence,
			p.ComputeBase, p.PerToken, p.PerKVToken, p.PerTokenPair, p.KVTokens, p.MaxNumSeqs, p.MaxNumBatchedTokens, origin(p))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out.stdout, "\nFROM, where the times a to e come from:")
	for _, o := range origins {
		fmt.Fprintf(t, "  %s\t%s\n", o.short, o.long)
	}
	fmt.Fprintln(t, "\nLearn one of your own engine (--fit) before you trust absolute figures. Context windows are not enforced.")
	return t.Flush()
}

// sorted puts profiles in the order of GPU, model and GPUs of a replica.
func sorted(all []engine.Profile) []engine.Profile {
	slices.SortStableFunc(all, func(a, b engine.Profile) int {
		return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.Model, b.Model),
			cmp.Compare(a.TensorParallel, b.TensorParallel))
	})
	return all
}
