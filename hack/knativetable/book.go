package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// book is what test/knative holds.
type book struct {
	groups  []group
	reasons []reason
	results results
}

// group is tests of one package that run together.
type group struct {
	name, pkg         string
	parallel, minutes int
	tests             []string
}

func (g group) String() string {
	return fmt.Sprintf("%s %s %d %d %s", g.name, g.pkg, g.parallel, g.minutes, strings.Join(g.tests, "|"))
}

// reason is why a test fails in some columns, in a person's words.
type reason struct {
	pkg, test string // with its subtests
	as        []string
	text      string
}

func load(dir string) (book, error) {
	var b book
	err := eachLine(filepath.Join(dir, "groups.txt"), func(line string) error {
		g, err := parseGroup(line)
		b.groups = append(b.groups, g)
		return err
	})
	if err != nil {
		return b, err
	}
	err = eachLine(filepath.Join(dir, "reasons.txt"), func(line string) error {
		r, err := parseReason(line)
		b.reasons = append(b.reasons, r)
		return err
	})
	if err != nil {
		return b, err
	}
	b.results, err = readStored(filepath.Join(dir, "results.json"))
	return b, err
}

// eachLine calls use with every line that is neither empty nor a comment.
func eachLine(path string, use func(string) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := use(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return nil
}

func parseGroup(line string) (group, error) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return group{}, errors.New("want: group package parallel minutes tests...")
	}
	g := group{name: f[0], pkg: f[1], tests: f[4:]}
	var err, err2 error
	g.parallel, err = strconv.Atoi(f[2])
	g.minutes, err2 = strconv.Atoi(f[3])
	return g, errors.Join(err, err2)
}

// parseReason reads "e2e TestX kpa,slo: text"; "ours" is concurrency and slo.
func parseReason(line string) (reason, error) {
	head, text, ok := strings.Cut(line, ": ")
	f := strings.Fields(head)
	if !ok || len(f) != 3 || strings.TrimSpace(text) == "" {
		return reason{}, errors.New("want: package test columns: text")
	}
	r := reason{pkg: f[0], test: f[1], text: strings.TrimSpace(text)}
	for _, c := range strings.Split(f[2], ",") {
		switch {
		case c == "ours":
			r.as = append(r.as, as[1:]...)
		case slices.Contains(as, c):
			r.as = append(r.as, c)
		default:
			return r, fmt.Errorf("column %q is none of %s, ours", c, strings.Join(as, ", "))
		}
	}
	return r, nil
}

// explains reports whether the reason is for a result.
func (r reason) explains(x result) bool {
	return x.Outcome == failed && r.pkg == x.Package && slices.Contains(r.as, x.As) &&
		(r.test == x.Test || strings.HasPrefix(x.Test, r.test+"/"))
}

// problems says which failures have no reason, which reasons explain nothing, and which
// results are of tests in no group.
func (b book) problems() error {
	var errs []error
	for _, x := range b.results {
		explains := func(r reason) bool { return r.explains(x) }
		if x.Outcome == failed && !slices.ContainsFunc(b.reasons, explains) {
			errs = append(errs, fmt.Errorf("%s %s fails as %s and reasons.txt does not say why", x.Package, x.Test, x.As))
		}
		if b.groupOf(x) < 0 {
			errs = append(errs, fmt.Errorf("%s %s is in no group of groups.txt", x.Package, x.Test))
		}
	}
	for _, r := range b.reasons {
		if !slices.ContainsFunc(b.results, r.explains) {
			errs = append(errs, fmt.Errorf("reasons.txt: %s %s %s fails no more; remove the reason", r.pkg, r.test, strings.Join(r.as, ",")))
		}
	}
	return errors.Join(errs...)
}

// groupOf is the index of the group of a result, -1 if there is none.
func (b book) groupOf(x result) int {
	return slices.IndexFunc(b.groups, func(g group) bool {
		return g.pkg == x.Package && slices.Contains(g.tests, x.top())
	})
}
