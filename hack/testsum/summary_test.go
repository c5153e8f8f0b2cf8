package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	f := func(name, in, counts, shows string) {
		t.Helper()
		var out strings.Builder
		s := newSummary(&out, false)
		for line := range strings.Lines(in) {
			s.line([]byte(line))
		}
		s.end()
		if s.counts() != counts {
			t.Errorf("%s: got %q, want %q", name, s.counts(), counts)
		}
		if !strings.Contains(out.String(), shows) {
			t.Errorf("%s: output %q does not show %q", name, out.String(), shows)
		}
	}
	f("a test and its subtest count once each", `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA/one","Elapsed":0}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0}
{"Action":"pass","Package":"p","Elapsed":0.1}
`, "2 passed, 0 failed, 0 skipped", "ok  \tp")
	f("a failure shows what the test printed", `
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: got 1\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}
`, "0 passed, 1 failed, 0 skipped", "got 1")
	f("a skip says why", `
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: no cluster\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`, "0 passed, 0 failed, 1 skipped", "no cluster")
	f("a package that does not build is a failure", `
{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1: syntax error\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`, "0 passed, 1 failed, 0 skipped", "syntax error")
	f("a panic is a failure and its trace is shown", `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}
`, "0 passed, 1 failed, 0 skipped", "panic: boom")
	f("a run that is cut short is a failure", `
{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"TestA"}
`, "1 passed, 1 failed, 0 skipped", "cut short")
	f("what is not JSON is shown", "# vet: p\n", "0 passed, 0 failed, 0 skipped", "# vet: p")
}
