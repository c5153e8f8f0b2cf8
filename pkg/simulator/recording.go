package simulator

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Recording is a recorded run of one real engine: a pair of files
// real_NAME.jsonl, one request a line, and real_NAME.meta.json, which may be
// missing in whole or in part.
type Recording struct {
	// Name is that of the files, without real_ and extension.
	Name string
	// Completions are in the order of arrival, from time 0, with their place as ID.
	Completions []engine.Completion
	path        string
	meta        meta
}

// ReadRecordings reads every run of a folder, or the one of a single .jsonl file.
func ReadRecordings(source string) ([]Recording, error) {
	files := []string{source}
	if !strings.HasSuffix(source, ".jsonl") {
		var err error
		if files, err = filepath.Glob(filepath.Join(source, "real_*.jsonl")); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no real_*.jsonl; name a folder with recorded runs", source)
	}
	var all []Recording
	for _, file := range files {
		path := strings.TrimSuffix(file, ".jsonl")
		completions, err := readRecorded(file)
		if err != nil {
			return nil, err
		}
		m, err := readMeta(path + ".meta.json")
		if err != nil {
			return nil, err
		}
		all = append(all, Recording{strings.TrimPrefix(filepath.Base(path), "real_"), completions, path, m})
	}
	return all, nil
}

// Limit puts the limits that the run names into a profile; the others stay as in
// the profile.
func (r Recording) Limit(p engine.Profile) engine.Profile { return r.meta.apply(p) }

// KnownProfile is the profile of the run's GPU, model and tensor parallelism, if one is known.
func (r Recording) KnownProfile() (engine.Profile, error) { return knownProfile(r.Name, r.meta) }

// Ran returns what the recording says of its engine: the GPU and the model by
// the words of the known profile that it fits, or else of its meta file, which
// may leave them empty. Runs of one engine thus have the same words.
func (r Recording) Ran() (gpu, model string, tensorParallel int) {
	known, _ := r.KnownProfile() // the zero one has no words
	return cmp.Or(known.GPU, r.meta.Hardware.Device), cmp.Or(known.Model, r.meta.Model), parallel(r.Name, r.meta)
}

// parallel is the number of GPUs: what the engine was asked for, what it
// resolved that to, or what the name of the run says, as in _TP2.
func parallel(run string, m meta) int {
	if n := cmp.Or(m.Asked.TensorParallel, m.Resolved.Parallel.TensorParallel); n > 0 {
		return n
	}
	named := regexp.MustCompile(`(?i)(?:^|[-_.])tp(\d{1,3})(?:$|[-_.])`).FindStringSubmatch(run)
	if named == nil {
		return 1
	}
	n, _ := strconv.Atoi(named[1]) // three digits
	return max(n, 1)
}

// knownProfile finds the profile of a run by its name, GPU_Model, and what its
// meta says of both. Of several models that are named the longest is meant: the
// one in 8 bits is called as the other one, and fp8.
func knownProfile(run string, m meta) (engine.Profile, error) {
	about := strings.ReplaceAll(plain(run+" / "+m.Hardware.Device+" / "+m.Model), "instruct", "")
	tp := parallel(run, m)
	var best engine.Profile
	for _, p := range engine.Profiles() {
		if strings.Contains(about, plain(p.GPU)) && strings.Contains(about, plain(p.Model)) &&
			p.TensorParallel == tp && len(p.Model) > len(best.Model) {
			best = p
		}
	}
	if best.Name == "" {
		return best, fmt.Errorf("run %s: no known engine profile for its GPU, model and tensor_parallel_size %d; give one with --engine NAME or FILE.json, or learn one with --fit", run, tp)
	}
	return best, nil
}

// plain drops what only separates: RTX4090_Llama-3.1-8B is rtx4090llama3.18b.
func plain(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}
