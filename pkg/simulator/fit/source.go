package fit

import (
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// Run is what one real engine did, and how it was limited.
type Run interface {
	// Measured is every request with its times, in the order of arrival.
	Measured() []engine.Completion
	// Simulate gives the same requests the times of a profile, in the same order.
	Simulate(engine.Profile) ([]engine.Completion, error)
	// Limit puts the engine's own limits into a profile.
	Limit(engine.Profile) engine.Profile
	// About names the run and what it ran on.
	About() About
}

// About is what is known of a run's engine; words are as its recorder wrote them.
type About struct {
	Run, GPU, Model string
	TensorParallel  int
}

// engine is what the runs of one engine have in common.
func (a About) engine() About {
	return About{GPU: a.GPU, Model: a.Model, TensorParallel: a.TensorParallel}
}

// Source has runs to learn from.
type Source interface {
	// Runs returns them all; an error names the file, the field and the fix.
	Runs() ([]Run, error)
}

// Folder is a folder of recorded runs, real_*.jsonl with real_*.meta.json, or one such .jsonl file.
type Folder string

// Runs reads the folder.
func (f Folder) Runs() ([]Run, error) {
	recordings, err := simulator.ReadRecordings(string(f))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, r := range recordings {
		runs = append(runs, recorded{r})
	}
	return runs, nil
}

// recorded is a simulator.Recording as a Run.
type recorded struct{ simulator.Recording }

func (r recorded) Measured() []engine.Completion { return r.Completions }

func (r recorded) About() About {
	gpu, model, tp := r.Ran()
	return About{Run: r.Name, GPU: gpu, Model: model, TensorParallel: tp}
}
