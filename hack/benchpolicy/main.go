// Command benchpolicy makes the tables of docs/benchmarks.md: every policy on
// every trace, by the simulate command. Each cell is a file below the output
// folder, named after what was simulated and kept as long as the simulator and
// the policies are the same, so a run that was cut short goes on where it was.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.binary, "binary", "_output/bin/autoscaler-adapter", "autoscaler-adapter")
	flag.StringVar(&o.out, "out", "_output/bench-policy", "where cells are kept")
	flag.StringVar(&o.traces, "traces", "", "folder of the published traces; loads without their file are left out, loudly")
	flag.StringVar(&o.doc, "doc", "", "file whose part between the markers is replaced by the tables")
	flag.BoolVar(&o.quick, "quick", false, "one short load and one seed, as CI does")
	flag.StringVar(&o.only, "only", "", "ours or rivals: begin cells of these alone")
	flag.StringVar(&o.skip, "skip", "", "begin no cell whose name has one of these in it, with commas between")
	flag.DurationVar(&o.limit, "limit", 0, "begin no further cell after this time; 0 is no limit")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "benchpolicy:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, out, traces, doc string
	only, skip               string
	quick                    bool
	limit                    time.Duration
}

func run(o options) error {
	folders := map[bool]string{}
	for _, own := range []bool{true, false} {
		var err error
		if folders[own], err = version(o.out, own); err != nil {
			return err
		}
	}
	all := cells(o.quick)
	begin, left := time.Now(), 0
	var done []result
	for i, c := range all {
		if why := c.missing(o.traces, exists); why != "" {
			fmt.Printf("%3d/%d  LEFT OUT %s: %s\n", i+1, len(all), c.name(), why)
			continue
		}
		file := filepath.Join(folders[c.own()], c.name()+".json")
		if !exists(file) {
			if o.limit > 0 && time.Since(begin) > o.limit || o.only == "ours" && !c.own() || o.only == "rivals" && c.own() || o.skips(c) {
				left++
				continue
			}
			if err := o.simulate(c, file, fmt.Sprintf("%3d/%d", i+1, len(all))); err != nil {
				return err
			}
		}
		r, err := read(c, file)
		if err != nil {
			return err
		}
		done = append(done, r)
	}
	if left > 0 {
		fmt.Printf("%d cells are left; run it again to go on\n", left)
	}
	text := tables(done)
	fmt.Println(text)
	if o.doc == "" {
		return nil
	}
	return replace(o.doc, text)
}

func (o options) skips(c cell) bool {
	return o.skip != "" && slices.ContainsFunc(strings.Split(o.skip, ","), func(s string) bool { return strings.Contains(c.name(), s) })
}

// simulate runs one cell into its file.
func (o options) simulate(c cell, file, place string) error {
	fmt.Printf("%s  %s", place, c.name())
	begin := time.Now()
	cmd := exec.Command(o.binary, c.args(o.traces, file+".part")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	fmt.Printf("  %.0f s\n", time.Since(begin).Seconds())
	return os.Rename(file+".part", file)
}

// version is the folder of what the present sources give: the simulator and
// the policies decide it, and for ours the decider.
func version(out string, own bool) (string, error) {
	sources := []string{"pkg/window", "pkg/simulator/*.go", "pkg/simulator/engine", "pkg/simulator/trace", "pkg/simulator/oracle", "pkg/simulator/policy", "hack/benchpolicy/cells.go"}
	if own {
		sources = append(sources, "pkg/decider")
	}
	b, err := exec.Command("git", append([]string{"ls-files", "-s"}, sources...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git ls-files: %w", err)
	}
	diff, err := exec.Command("git", append([]string{"diff", "HEAD", "--"}, sources...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git diff: %w", err)
	}
	folder := filepath.Join(out, hash(b, diff))
	return folder, os.MkdirAll(folder, 0o755)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// The tables of a document lie between these.
const (
	beginMark = "<!-- begin: make bench-policy -->"
	endMark   = "<!-- end: make bench-policy -->"
)

func replace(doc, text string) error {
	b, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(b), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return errors.New(doc + ": the markers " + beginMark + " and " + endMark + " are missing")
	}
	return os.WriteFile(doc, []byte(before+beginMark+"\n\n"+text+"\n"+endMark+after), 0o644)
}
