package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run of three tests: one with subtests, one that fails outside of its subtest, one that never ends.
const output = `noise of a library
{"Action":"start","Package":"knative.dev/serving/test/e2e"}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestA"}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestA/linear"}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestA/linear/deep"}
{"Action":"output","Package":"knative.dev/serving/test/e2e","Test":"TestA/linear","Output":"--- PASS\n"}
{"Action":"fail","Package":"knative.dev/serving/test/e2e","Test":"TestA/linear/deep","Elapsed":1}
{"Action":"fail","Package":"knative.dev/serving/test/e2e","Test":"TestA/linear","Elapsed":2.6}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestA/other"}
{"Action":"skip","Package":"knative.dev/serving/test/e2e","Test":"TestA/other","Elapsed":0}
{"Action":"fail","Package":"knative.dev/serving/test/e2e","Test":"TestA","Elapsed":3}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestB"}
{"Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestB/x"}
{"Action":"pass","Package":"knative.dev/serving/test/e2e","Test":"TestB/x","Elapsed":1}
{"Action":"fail","Package":"knative.dev/serving/test/e2e","Test":"TestB","Elapsed":9}
{"Time":"2026-11-30T05:00:00Z","Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestC"}
{"Time":"2026-11-30T05:09:59.6Z","Action":"output","Package":"knative.dev/serving/test/e2e","Test":"TestC","Output":"panic: test timed out\n"}
`

var today = stamp{"abc1234", "2026-11-29"}

func TestReadResults(t *testing.T) {
	const fast = `{"Time":"2026-11-30T05:00:00Z","Action":"run","Package":"knative.dev/serving/test/e2e","Test":"TestFast"}
{"Time":"2026-11-30T05:00:00.3Z","Action":"fail","Package":"knative.dev/serving/test/e2e","Test":"TestFast","Elapsed":0.3}
`
	rs, err := readResults(strings.NewReader(fast+output), "slo", today)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rs {
		got = append(got, r.Test+" "+r.Outcome)
		if r.Package != "e2e" || r.As != "slo" || r.Commit != "abc1234" {
			t.Errorf("result %+v", r)
		}
	}
	want := "TestA/linear fail, TestA/other skip, TestB fail, TestB/x pass, TestC fail, TestFast fail"
	if s := strings.Join(got, ", "); s != want || rs[0].Seconds != 3 || rs[len(rs)-2].Seconds != 600 || rs[len(rs)-1].Seconds != 0 {
		t.Errorf("got %s, want %s; %d and %d s, want 3 and 600", s, want, rs[0].Seconds, rs[len(rs)-2].Seconds)
	}
	if _, err := readResults(strings.NewReader("nothing\n"), "kpa", today); err == nil {
		t.Error("a run without a test is no result")
	}
}

// A run of some tests replaces these, with subtests that are gone, in its column only.
func TestMerge(t *testing.T) {
	old := results{
		{Package: "e2e", Test: "TestA/gone", As: "kpa", Outcome: failed}, {Package: "e2e", Test: "TestA/gone", As: "slo", Outcome: passed},
		{Package: "e2e", Test: "TestAB", As: "kpa", Outcome: passed}, {Package: "ha", Test: "TestA", As: "kpa", Outcome: passed},
	}
	var got []string
	for _, r := range old.merge(results{{Package: "e2e", Test: "TestA", As: "kpa", Outcome: passed}}) {
		got = append(got, r.Package+" "+r.Test+" "+r.As+" "+r.Outcome)
	}
	if s := strings.Join(got, ", "); s != "e2e TestA kpa pass, e2e TestA/gone slo pass, e2e TestAB kpa pass, ha TestA kpa pass" {
		t.Errorf("merged: %s", s)
	}
}

func TestParseReason(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"e2e TestA ours: the proxy: no", ""},
		{"e2e TestA kpa,slo: text", ""},
		{"e2e TestA hpa: text", `"hpa"`},
		{"e2e TestA ours text", "want: package test columns"},
		{"e2e TestA ours:  ", "want: package test columns"},
		{"TestA ours: text", "want: package test columns"},
	} {
		_, err := parseReason(tt.line)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.line, err, tt.want)
		}
	}
}

// story is a directory like test/knative, and a document.
func story(t *testing.T, reasons string) (dir, doc string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"groups.txt":  "# comment\nfirst e2e 2 5 TestA TestB TestC\nsecond ha 1 5 TestH\n",
		"reasons.txt": reasons, "doc.md": "# Title\n" + begin + "\nold\n" + end + "\nrest\n", "run.json": output,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "doc.md")
}

func TestRun_addsARunAndChecks(t *testing.T) {
	dir, doc := story(t, "e2e TestA ours: needs a | thing\ne2e TestB slo: slow machine\ne2e TestC slo: cut short\n")
	if err := run(options{dir: dir, doc: doc, add: "slo=" + filepath.Join(dir, "run.json"), stamp: today}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Title\n", "\nrest\n", "Knative's class passes 0 of 0 that were run. Of these, ",
		`| TestA/linear | not run | not run | **fail** 3 s | needs a \| thing | 2026-11-29 ` + "`abc1234` |",
		"| TestA/other | not run | not run | skip |", "| TestB/x | not run | not run | pass 1 s |", "| **second** (test/ha) |", "| TestH | not run | not run | not run |  |  |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	if err := run(options{dir: dir, doc: doc, check: true}); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := run(options{dir: dir, doc: doc, add: "nonsense=" + filepath.Join(dir, "run.json"), stamp: today}); err == nil {
		t.Error("a column that there is not was taken")
	}
}

func TestCheck_namesWhatIsWrong(t *testing.T) {
	dir, doc := story(t, "e2e TestA kpa: passes there\n")
	if err := run(options{dir: dir, doc: doc, add: "slo=" + filepath.Join(dir, "run.json"), stamp: today}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(doc, []byte(begin+"\nedited\n"+end), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(options{dir: dir, doc: doc, check: true})
	for _, want := range []string{"TestA/linear fails as slo", "TestB fails as slo", "fails no more; remove the reason", "is not what the results make"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to name %q", err, want)
		}
	}
}

func TestSummary(t *testing.T) {
	outcomes := func(kpa, concurrency, slo string) row {
		return row{by: map[string]result{"kpa": {Outcome: kpa}, "concurrency": {Outcome: concurrency}, "slo": {Outcome: slo}}}
	}
	got := summary([]row{
		outcomes(passed, passed, failed), outcomes(passed, passed, ""), outcomes(passed, failed, passed), outcomes(passed, skipped, ""),
		outcomes(failed, passed, passed), outcomes(skipped, passed, passed), outcomes("", passed, passed),
	})
	if want := "passes 4 of 5 that were run. Of these, ours passes 2 of 4 that were run with `concurrency`, and 1 of 2 with `slo`."; !strings.HasSuffix(got, want) {
		t.Errorf("%s\nwant ... %s", got, want)
	}
}

// Columns that were run at different commits say so.
func TestRow_when(t *testing.T) {
	r := row{by: map[string]result{"kpa": {stamp: today}, "slo": {stamp: today}}}
	if got := r.when(); got != "2026-11-29 `abc1234`" {
		t.Errorf("one run: %s", got)
	}
	r.by["slo"] = result{stamp: stamp{"def5678", "2026-12-01"}}
	if got := r.when(); got != "kpa 2026-11-29 `abc1234`; slo 2026-12-01 `def5678`" {
		t.Errorf("two runs: %s", got)
	}
}

// The table of this repository is that of its results, and each failure has a reason.
func TestRepository(t *testing.T) {
	if err := run(options{dir: "../../test/knative", doc: "../../docs/knative-e2e.md", check: true}); err != nil {
		t.Error(err)
	}
}
