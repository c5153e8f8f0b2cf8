package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// tuningFiles hold the numbers of the policy and of the decider's rules.
func tuningFiles() []string { return []string{"pkg/slo/tuning.go", "pkg/decider/tuning.go"} }

// variant is the program with one number changed.
type variant struct {
	tunable
	file  string // below the root
	value string // as Go has it; empty is the number as it is
}

func (v variant) key() string { return v.name + "=" + v.value }

// variableKey is the key with a duration in nanoseconds.
func (v variant) variableKey() string {
	return v.name + "=" + strings.TrimSuffix(strings.TrimPrefix(v.value, "time.Duration("), ")")
}

// figure is what a variant came to in a cell: the share within the objective, and GPU-hours.
type figure struct{ SLO, Hours float64 }

// variantRun is a variant's figures by cell. Wrong says why there are none.
type variantRun struct {
	Cells map[string]figure `json:",omitempty"`
	Wrong string            `json:",omitempty"`
}

// sensitivity measures each number of tuningFiles at half and twice its value. The policy
// keeps its numbers as constants. Here they are variables of one program, built with changed
// copies of the files (go build -overlay); what has to stay a constant gets a program for
// each value. It goes on where it was cut short.
type sensitivity struct {
	o         options
	sources   map[string][]byte            // by file
	variables map[string]map[string]string // types by name, by file
	numbers   []variant                    // as they are
	cells     []sensitivityCell
	store     string
	shared    string // the program with variables

	mu   sync.Mutex
	runs map[string]variantRun // by key
	made int
}

func (o options) sensitivity() error {
	s, err := o.newSensitivity()
	if err != nil {
		return err
	}
	if !o.render {
		if err := s.measureAll(); err != nil {
			return err
		}
	}
	if err := s.save(); err != nil {
		return err
	}
	return renderSensitivity(o.root)
}

// save writes the summary of the runs. What they do not have stays as the last summary has it.
func (s *sensitivity) save() error {
	if len(s.runs) == 0 {
		return nil
	}
	last, err := readSummary(s.o.root)
	if errors.Is(err, fs.ErrNotExist) {
		last, err = summary{}, nil
	}
	if err != nil {
		return err
	}
	return s.summary(last).save(filepath.Join(s.o.root, summaryFile))
}

func (o options) newSensitivity() (*sensitivity, error) {
	s := &sensitivity{o: o, sources: map[string][]byte{}, variables: map[string]map[string]string{},
		runs: map[string]variantRun{}}
	for _, file := range tuningFiles() {
		source, err := os.ReadFile(filepath.Join(o.root, file))
		if err != nil {
			return nil, err
		}
		all, err := tunables(file, source)
		if err != nil {
			return nil, err
		}
		s.sources[file] = source
		for _, t := range all {
			s.numbers = append(s.numbers, variant{tunable: t, file: file})
		}
	}
	for _, c := range sensitivityCells() {
		if strings.Contains(c.args, "TRACES/") && o.traces == "" {
			fmt.Printf("LEFT OUT %s: TRACES does not name the folder of the published traces\n", c.name)
			continue
		}
		s.cells = append(s.cells, c)
	}
	version, err := sourceHash(o.root, ownSources())
	if err != nil {
		return nil, err
	}
	s.store = filepath.Join(o.out, fmt.Sprintf("sensitivity_%s_%d.json", version, len(s.cells)))
	text, err := os.ReadFile(s.store)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, errors.Join(err, json.Unmarshal(text, &s.runs))
}

// variants are the policy as it is, and each number that is asked for at half and twice its value.
func (s *sensitivity) variants() []variant {
	all := []variant{{}}
	for _, n := range s.numbers {
		if s.o.only == "" || slices.Contains(strings.Split(s.o.only, ","), n.name) {
			all = append(all, n.times(0.5), n.times(2))
		}
	}
	return all
}

func (v variant) times(k float64) variant {
	v.value = v.scaled(k)
	return v
}

// measureAll runs the variants that are not in the store, some at a time, and prints its progress.
func (s *sensitivity) measureAll() error {
	left := slices.DeleteFunc(s.variants(), func(v variant) bool { _, done := s.runs[v.key()]; return done })
	if len(left) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp(s.o.out, "shared")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := s.buildShared(dir); err != nil {
		return err
	}
	slices.SortStableFunc(left, func(a, b variant) int { return s.programs(a) - s.programs(b) })
	work, failed := make(chan variant), make(chan error, len(left))
	begin := time.Now()
	var all sync.WaitGroup
	for range cmp.Or(s.o.parallel, runtime.NumCPU()) {
		all.Go(func() {
			for v := range work {
				if err := s.record(v, s.measure(v), len(left), begin); err != nil {
					failed <- err
				}
			}
		})
	}
	for _, v := range left {
		if s.o.limit > 0 && time.Since(begin) > s.o.limit {
			fmt.Println("the limit is reached; run it again to go on")
			break
		}
		work <- v
	}
	close(work)
	all.Wait()
	close(failed)
	return errors.Join(<-failed, s.wrongBase())
}

// buildShared builds the program in which most numbers are variables.
func (s *sensitivity) buildShared(dir string) (err error) {
	for file, source := range s.sources {
		if s.variables[file], err = variables(s.o.root, file, source); err != nil {
			return err
		}
		fmt.Printf("%s: %d numbers are variables\n", file, len(s.variables[file]))
	}
	s.shared, err = s.build(variant{}, dir)
	return err
}

// programs is how many a variant needs of its own.
func (s *sensitivity) programs(v variant) int {
	if v.name == "" || s.variables[v.file][v.name] != "" {
		return 0
	}
	return 1
}

func (s *sensitivity) wrongBase() error {
	if base := s.runs[variant{}.key()]; base.Wrong != "" {
		return errors.New("the policy as it is: " + base.Wrong)
	}
	return nil
}

// record stores a run and prints a line of progress.
func (s *sensitivity) record(v variant, r variantRun, of int, begin time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[v.key()] = r
	s.made++
	left := time.Since(begin) / time.Duration(s.made) * time.Duration(of-s.made)
	fmt.Printf("%s  %3d/%d  %s %s  about %v left\n", time.Now().Format(time.TimeOnly), s.made, of, v.key(), r.Wrong, left.Round(time.Second))
	text, err := json.Marshal(s.runs)
	if err != nil {
		return err
	}
	return os.WriteFile(s.store, text, 0o600)
}

// measure builds and runs a variant.
func (s *sensitivity) measure(v variant) variantRun {
	dir, err := os.MkdirTemp(s.o.out, "variant")
	if err != nil {
		return variantRun{Wrong: err.Error()}
	}
	defer os.RemoveAll(dir)
	binary, env := s.shared, "TUNED="+v.variableKey()
	if s.programs(v) > 0 {
		if binary, err = s.build(v, dir); err != nil {
			return variantRun{Wrong: "does not build: " + firstLines(err)}
		}
	}
	r := variantRun{Cells: map[string]figure{}}
	for _, c := range s.cells {
		runs, err := simulate(binary, c.call(s.o.root, s.o.traces), env)
		if err != nil || len(runs) == 0 {
			return variantRun{Wrong: "fails in " + c.name + ": " + firstLines(err)}
		}
		r.Cells[c.name] = figure{runs[0].SLO, runs[0].GPUHours}
	}
	return r
}

// firstLines are those of an error that fit in a table.
func firstLines(err error) string {
	lines := strings.SplitN(fmt.Sprint(err), "\n", 4)
	return strings.Join(lines[:min(3, len(lines))], " ")
}
