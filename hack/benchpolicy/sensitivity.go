package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// sensitivityCells are short loads that use most of the policy; the first two need TRACES.
var sensitivityCells = []string{"azure23 conv x8", "azure23 code x8", "burst", "step", "ramp", "tenants"}

// sensitivitySeeds is the seeds of a load: what one seed says may be chance.
const sensitivitySeeds = 2

// A number matters when half or twice of it changes the mean share within the objective by
// mattersPoints percentage points, or the GPU-hours by mattersHours.
const mattersPoints, mattersHours = 0.3, 0.03

// variant is the program with one number of the policy changed.
type variant struct {
	tunable
	value string // as Go has it; empty is the number as it is
}

func (v variant) key() string { return v.name + "=" + v.value }

// effect is what a variant came to: the mean share within the objective, and the geometric
// mean of GPU-hours by the bound. Wrong says why there is none.
type effect struct {
	SLO, Ratio float64
	Wrong      string `json:",omitempty"`
}

// sensitivity measures each number of pkg/slo/tuning.go at half and twice its value. The
// policy keeps its numbers as constants: a variant is another program, built with a changed
// copy of the file (go build -overlay). It goes on where it was cut short.
type sensitivity struct {
	o       options
	file    string // tuning.go
	source  []byte
	calls   [][]string
	store   string
	effects map[string]effect
}

func (o options) sensitivity() error {
	s, err := o.newSensitivity()
	if err != nil {
		return err
	}
	all, err := tunables(s.file, s.source)
	if err != nil {
		return err
	}
	base, err := s.measure(variant{})
	if err != nil || base.Wrong != "" {
		return errors.Join(err, errors.New("the policy as it is: "+base.Wrong))
	}
	fmt.Printf("as it is: %.2f %% at %.3f times the bound, %d loads, %d seeds\n\n", 100*base.SLO, base.Ratio, len(s.calls), sensitivitySeeds)
	fmt.Println("| number | value | half | twice | matters |\n|---|---|---|---|---|")
	for _, t := range all {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), t.name) {
			continue
		}
		half, err := s.measure(variant{t, t.scaled(0.5)})
		if err != nil {
			return err
		}
		twice, err := s.measure(variant{t, t.scaled(2)})
		if err != nil {
			return err
		}
		yes := ""
		if half.matters(base) || twice.matters(base) {
			yes = "yes"
		}
		fmt.Printf("| %s | %s | %s: %s | %s: %s | %s |\n", t.name, t.text, t.scaled(0.5), half.against(base), t.scaled(2), twice.against(base), yes)
	}
	return nil
}

func (o options) newSensitivity() (*sensitivity, error) {
	s := &sensitivity{o: o, file: filepath.Join(o.root, "pkg/slo/tuning.go"), effects: map[string]effect{}}
	var err error
	if s.source, err = os.ReadFile(s.file); err != nil {
		return nil, err
	}
	version, err := sourceHash(o.root, ownSources())
	if err != nil {
		return nil, err
	}
	for _, l := range loads() {
		c := cell{l, first, "2m"}
		if slices.Contains(sensitivityCells, l.name) && (o.skip == "" || !strings.Contains(c.name(), o.skip)) {
			if why := c.missing(o.traces); why != "" {
				fmt.Printf("LEFT OUT %s: %s\n", l.name, why)
				continue
			}
			s.calls = append(s.calls, append(c.args(o.traces),
				"--seeds", fmt.Sprint(sensitivitySeeds), "--policy", ours, "--parallel", fmt.Sprint(o.parallel)))
		}
	}
	s.store = filepath.Join(o.out, fmt.Sprintf("sensitivity_%s_%d.json", version, len(s.calls)))
	text, err := os.ReadFile(s.store)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, errors.Join(err, json.Unmarshal(text, &s.effects))
}

// measure builds and runs a variant, unless that was done before.
func (s *sensitivity) measure(v variant) (effect, error) {
	if e, done := s.effects[v.key()]; done {
		return e, nil
	}
	e, err := s.run(v)
	if err != nil {
		e = effect{Wrong: "cannot be"}
	}
	s.effects[v.key()] = e
	text, err := json.Marshal(s.effects)
	if err != nil {
		return e, err
	}
	return e, os.WriteFile(s.store, text, 0o600)
}

func (s *sensitivity) run(v variant) (e effect, err error) {
	dir, err := os.MkdirTemp(s.o.out, "variant")
	if err != nil {
		return e, err
	}
	defer os.RemoveAll(dir)
	binary, err := s.build(v, dir)
	if err != nil {
		return e, err
	}
	n := 0.0
	for _, args := range s.calls {
		runs, err := simulate(binary, args)
		if err != nil {
			return e, err
		}
		for _, f := range runs {
			e.SLO += f.SLO
			e.Ratio += math.Log(f.GPUHours / f.Oracle)
			n++
		}
	}
	return effect{SLO: e.SLO / n, Ratio: math.Exp(e.Ratio / n)}, nil
}

// program is the simulator alone: it links in a third of the time of cmd/ipa.
const program = `package main

import (
	"context"
	"os"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
)

func main() { os.Exit(command.Run(context.Background(), os.Args[2:], os.Stdout, os.Stderr)) }
`

// build makes the program with the variant's number, without touching the sources.
func (s *sensitivity) build(v variant, dir string) (binary string, err error) {
	root, err := filepath.Abs(s.o.root)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	main, changed, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "tuning.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "hack/benchpolicy/program/main.go"): main,
		filepath.Join(root, "pkg/slo/tuning.go"):                changed,
	}})
	if err != nil {
		return "", err
	}
	for file, text := range map[string][]byte{main: []byte(program), changed: v.in(s.source), overlay: replace} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
	}
	binary = filepath.Join(dir, "simulate")
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./hack/benchpolicy/program")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", v.key(), err, out)
	}
	return binary, nil
}

// matters reports whether an effect is another one than that of the policy as it is.
func (e effect) matters(base effect) bool {
	return e.Wrong == "" && (math.Abs(e.SLO-base.SLO)*100 >= mattersPoints ||
		math.Abs(math.Log(e.Ratio/base.Ratio)) >= mattersHours)
}

// against is an effect by that of the policy as it is.
func (e effect) against(base effect) string {
	switch {
	case e.Wrong != "":
		return e.Wrong
	case e == base:
		return "the same"
	}
	return fmt.Sprintf("%+.2f pt, %+.1f %%", 100*(e.SLO-base.SLO), 100*(e.Ratio/base.Ratio-1))
}
