// Command benchpolicy makes the tables of docs/benchmarks.md: every policy on
// every trace, by the simulate command. Runs are kept in files named after what
// was simulated and the policy's version, so a benchmark that was cut short goes
// on where it was, and a change of our decider leaves the rivals' runs as they are.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	o := options{}
	flag.StringVar(&o.binary, "binary", "_output/bin/ipa", "the program ipa")
	flag.StringVar(&o.out, "out", "_output/bench-policy", "where runs are kept")
	flag.StringVar(&o.root, "root", ".", "root of the project")
	flag.StringVar(&o.traces, "traces", "", "folder of the published traces; loads without their file are left out, loudly")
	flag.StringVar(&o.doc, "doc", "", "file whose part between the markers is replaced by the tables")
	flag.BoolVar(&o.quick, "quick", false, "one short load and one seed, as CI does")
	flag.StringVar(&o.only, "only", "", "run these policies alone: ours, rivals, or names with commas between")
	flag.StringVar(&o.skip, "skip", "", "begin no cell whose name (LOAD_ENGINE_LEAD) has one of these in it, with commas between")
	flag.StringVar(&o.tables, "tables", "", "run for these tables alone: main, ablation, sweep, dirty, zero, with commas between")
	flag.IntVar(&o.parallel, "parallel", 0, "runs at a time; 0 is the number of cores")
	flag.DurationVar(&o.limit, "limit", 0, "begin no further call of simulate after this time; 0 is no limit")
	flag.BoolVar(&o.render, "render", false, "run nothing; make the tables of the runs there are")
	flag.BoolVar(&o.sensitive, "sensitivity", false, "measure each number of the policy at half and twice its value on short loads, into docs/slo-policy.md; -only NAMES measures these alone and keeps what was measured of the others, -render measures nothing")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "benchpolicy:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, out, root, traces, doc string
	only, skip, tables             string
	quick, render, sensitive       bool
	parallel                       int
	limit                          time.Duration
}

func run(o options) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if o.sensitive {
		return o.sensitivity()
	}
	var err error
	if o.binary, err = copied(o.binary, o.out); err != nil {
		return err
	}
	s := newStore(o.out, versions{o.binary, o.root, map[string]string{}})
	tables := o.there(plan(o.quick))
	var failed error
	if !o.render {
		failed = o.runAll(tables, s)
	}
	text, err := document(tables, s)
	if err != nil {
		return errors.Join(failed, err)
	}
	dirty, err := dirtyDocument(tables, s)
	if err != nil {
		return errors.Join(failed, err)
	}
	zero, err := zeroDocument(tables, s)
	if err != nil {
		return errors.Join(failed, err)
	}
	fmt.Println(text + dirty + zero)
	if o.doc == "" {
		return failed
	}
	// A benchmark that was run for some tables leaves the others as they are.
	if text != "" {
		err = replace(o.doc, marks, text)
	}
	if dirty != "" {
		err = errors.Join(err, replace(o.doc, dirtyMarks, dirty))
	}
	if zero != "" {
		err = errors.Join(err, replace(o.doc, zeroMarks, zero))
	}
	return errors.Join(failed, err)
}

// copied puts the program beside the runs that it makes: a build of another one
// meanwhile must not make some of them.
func copied(binary, out string) (string, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("-binary: %w; make ipa makes it", err)
	}
	own := filepath.Join(out, "ipa")
	// Another benchmark may run the copy of before: it keeps that file.
	if err := os.Remove(own); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return own, os.WriteFile(own, program, 0o755)
}

// there leaves out the loads whose traces are missing, and says so.
func (o options) there(tables []table) []table {
	said := map[string]bool{}
	for i, t := range tables {
		tables[i].loads = slices.DeleteFunc(slices.Clone(t.loads), func(l load) bool {
			why := t.cell(l).missing(o.traces)
			if why != "" && !said[l.name] {
				fmt.Printf("LEFT OUT %s: %s\n", l.name, why)
				said[l.name] = true
			}
			return why != ""
		})
	}
	return tables
}

// asked reports whether a policy is one to run.
func (o options) asked(policy string) bool {
	switch name := maker(policy); o.only {
	case "":
		return true
	case "ours":
		return name == ours
	case "rivals":
		return name != ours
	default:
		return slices.Contains(strings.Split(o.only, ","), name)
	}
}

// wanted reports whether a table's cell is one to run.
func (o options) wanted(t table, c call) bool {
	if o.tables != "" && !slices.Contains(strings.Split(o.tables, ","), t.kind) {
		return false
	}
	return o.skip == "" || !slices.ContainsFunc(strings.Split(o.skip, ","),
		func(s string) bool { return strings.Contains(c.cell.name(), s) })
}

// The tables of a document lie between "<!-- begin: x -->" and "<!-- end: x -->".
const (
	marks            = "make bench-policy"
	dirtyMarks       = "make bench-policy, dirty"
	zeroMarks        = "make bench-policy, zero"
	sensitivityMarks = "make bench-policy, sensitivity"
)

func replace(doc, marks, text string) error {
	beginMark, endMark := "<!-- begin: "+marks+" -->", "<!-- end: "+marks+" -->"
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
