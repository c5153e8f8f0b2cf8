package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// pkg is what is known of one package until its last event.
type pkg struct {
	open   bool
	failed int // tests that failed in it
	// output holds what each unfinished test printed; "" is the package itself.
	output map[string][]string
}

// summary counts tests and shows failures as they come.
type summary struct {
	w                       io.Writer
	verbose                 bool
	passed, failed, skipped int
	pkgs                    map[string]*pkg
}

func newSummary(w io.Writer, verbose bool) *summary {
	return &summary{w: w, verbose: verbose, pkgs: map[string]*pkg{}}
}

// counts is the closing line.
func (s *summary) counts() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.passed, s.failed, s.skipped)
}

// line takes one line in. What is not JSON (a compiler's message, a warning of
// go vet) is shown as it is.
func (s *summary) line(b []byte) {
	var e event
	if err := json.Unmarshal(b, &e); err != nil || e.Action == "" {
		fmt.Fprint(s.w, string(b))
		return
	}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(s.w, e.Output)
	case e.Package == "":
	case e.Test == "":
		s.packageEvent(e)
	default:
		s.testEvent(e)
	}
}

func (s *summary) pkg(name string) *pkg {
	p, ok := s.pkgs[name]
	if !ok {
		p = &pkg{open: true, output: map[string][]string{}}
		s.pkgs[name] = p
	}
	return p
}

func (s *summary) testEvent(e event) {
	p := s.pkg(e.Package)
	switch e.Action {
	case "output":
		p.output[e.Test] = append(p.output[e.Test], e.Output)
		return
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		s.print(p.output[e.Test])
	case "fail":
		s.failed++
		p.failed++
		s.print(p.output[e.Test])
	default: // run, pause, cont, bench
		return
	}
	if s.verbose && e.Action == "pass" && !strings.Contains(e.Test, "/") {
		fmt.Fprintf(s.w, "--- PASS: %s (%.1fs)\n", e.Test, e.Elapsed)
	}
	delete(p.output, e.Test)
}

func (s *summary) packageEvent(e event) {
	p := s.pkg(e.Package)
	switch e.Action {
	case "output":
		p.output[""] = append(p.output[""], e.Output)
	case "fail":
		s.unfinished(p)
		if p.failed == 0 {
			s.failed++
			fmt.Fprintf(s.w, "FAIL\t%s: failed outside a test\n", e.Package)
		}
		p.open = false
	case "pass", "skip":
		if e.Action == "pass" {
			fmt.Fprintf(s.w, "ok  \t%s\t%.1fs\n", e.Package, e.Elapsed)
		}
		p.open = false
	}
}

// unfinished shows what tests printed that never ended: a panic or a time limit.
func (s *summary) unfinished(p *pkg) {
	for _, name := range slices.Sorted(maps.Keys(p.output)) {
		s.print(p.output[name])
	}
	p.output = map[string][]string{}
}

func (s *summary) print(lines []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, "=== ") {
			continue
		}
		fmt.Fprint(s.w, l)
	}
}

// end counts packages that were cut short.
func (s *summary) end() {
	for _, name := range slices.Sorted(maps.Keys(s.pkgs)) {
		p := s.pkgs[name]
		if !p.open {
			continue
		}
		s.unfinished(p)
		s.failed++
		fmt.Fprintf(s.w, "FAIL\t%s: cut short\n", name)
	}
}
