// Command knativetable keeps docs/knative-e2e.md: which of Knative's own end-to-end tests
// pass with Knative's class and with ours.
//
//	knativetable -add as=FILE,as=FILE -commit COMMIT -date DATE   takes in results, and writes the table
//	knativetable                                                  writes the table of the stored results
//	knativetable -check                                           says what is wrong with them
//	knativetable -groups                                          lists "group package parallel minutes tests"
//
// FILE is the output of go tool test2json; as is kpa, concurrency or slo. The results of the
// other tests stay as they are. test/knative has the groups of tests, the results, and
// reasons.txt, which people write: a failure without a reason fails the check.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// as are the columns of the table: how the tests' Services are scaled.
var as = []string{"kpa", "concurrency", "slo"}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "test/knative", "directory with groups.txt, results.json and reasons.txt")
	flag.StringVar(&o.doc, "doc", "docs/knative-e2e.md", "document with the table")
	flag.StringVar(&o.add, "add", "", "results to take in, as=FILE, separated by commas")
	flag.StringVar(&o.stamp.Commit, "commit", "", "commit that was tested")
	flag.StringVar(&o.stamp.Date, "date", "", "day of the run")
	flag.BoolVar(&o.check, "check", false, "only say what is wrong")
	flag.BoolVar(&o.list, "groups", false, "only list the groups")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "knativetable:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	dir, doc, add string
	stamp         stamp
	check, list   bool
}

func run(o options) error {
	b, err := load(o.dir)
	if err != nil {
		return err
	}
	if o.list {
		for _, g := range b.groups {
			fmt.Println(g)
		}
		return nil
	}
	if o.check {
		return errors.Join(b.problems(), b.compare(o.doc))
	}
	for _, one := range strings.FieldsFunc(o.add, func(r rune) bool { return r == ',' }) {
		if err := b.add(one, o.stamp); err != nil {
			return err
		}
	}
	if err := b.results.write(filepath.Join(o.dir, "results.json")); err != nil {
		return err
	}
	return b.write(o.doc)
}

// add takes the results of one file in.
func (b *book) add(one string, s stamp) error {
	column, file, _ := strings.Cut(one, "=")
	if !slices.Contains(as, column) || s.Commit == "" || s.Date == "" {
		return fmt.Errorf("-add %s: want one of %s=FILE, with -commit and -date", one, strings.Join(as, ", "))
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	found, err := readResults(f, column, s)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	b.results = b.results.merge(found)
	return nil
}
