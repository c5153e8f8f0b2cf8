package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// prefix is what the packages of Knative's tests begin with.
const prefix = "knative.dev/serving/test/"

// Outcomes of a test. A test that began and never ended (a panic, a time limit) failed.
const (
	passed  = "pass"
	failed  = "fail"
	skipped = "skip"
)

// stamp says what was tested and when.
type stamp struct {
	Commit string `json:"commit"`
	Date   string `json:"date"` // 2026-11-29
}

// result is the outcome of one test in one column.
type result struct {
	Package string `json:"package"` // below prefix
	Test    string `json:"test"`
	As      string `json:"as"`
	Outcome string `json:"outcome"`
	Seconds int    `json:"seconds"`
	stamp
}

// top is the name of the top-level test.
func (r result) top() string { name, _, _ := strings.Cut(r.Test, "/"); return name }

type results []result

// event is a line of go tool test2json.
type event struct {
	Time                  time.Time
	Action, Package, Test string
	Elapsed               float64
}

// readResults reads what test2json wrote: every test and its direct subtests. A test with
// subtests is left out unless it failed and none of them did.
func readResults(in io.Reader, column string, s stamp) (results, error) {
	found, began := map[string]result{}, map[string]time.Time{}
	var last time.Time
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if !bytes.HasPrefix(lines.Bytes(), []byte("{")) || json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		last = e.Time
		if strings.Count(e.Test, "/") > 1 {
			continue
		}
		r := result{Package: strings.TrimPrefix(e.Package, prefix), Test: e.Test, As: column, Outcome: failed, stamp: s}
		key := r.Package + " " + r.Test
		switch e.Action {
		case "run":
			began[key] = e.Time
		case passed, failed, skipped:
			r.Outcome, r.Seconds = e.Action, int(e.Elapsed+.5)
			if e.Elapsed > 0 { // 0 is what the time limit's panic gives to the tests that it ended
				delete(began, key)
			}
		default:
			continue
		}
		found[key] = r
	}
	for key, start := range began { // of tests that the time limit ended
		if r := found[key]; r.Outcome == failed {
			r.Seconds = int(last.Sub(start).Seconds() + .5)
			found[key] = r
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("no test ran")
	}
	return leaves(found), nil
}

// leaves leaves out the tests whose subtests say everything.
func leaves(found map[string]result) results {
	subtests, failures := map[string]int{}, map[string]int{}
	for _, r := range found {
		if r.Test != r.top() {
			subtests[r.Package+" "+r.top()]++
			if r.Outcome == failed {
				failures[r.Package+" "+r.top()]++
			}
		}
	}
	var all results
	for key, r := range found {
		if subtests[key] == 0 || r.Outcome == failed && failures[key] == 0 {
			all = append(all, r)
		}
	}
	all.sort()
	return all
}

// merge replaces the results of the tests that ran again, with all their subtests.
func (rs results) merge(news results) results {
	kept := slices.DeleteFunc(slices.Clone(rs), func(old result) bool {
		return slices.ContainsFunc(news, func(n result) bool {
			return n.Package == old.Package && n.As == old.As && n.top() == old.top()
		})
	})
	kept = append(kept, news...)
	kept.sort()
	return kept
}

func (rs results) sort() {
	slices.SortFunc(rs, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Test, b.Test),
			cmp.Compare(slices.Index(as, a.As), slices.Index(as, b.As)))
	})
}

// readStored reads results.json; there are none before the first run.
func readStored(path string) (results, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rs results
	return rs, json.Unmarshal(b, &rs)
}

// write writes one result on a line, so that a diff shows what changed.
func (rs results) write(path string) error {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, r := range rs {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b.Write(line)
		if i < len(rs)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}
