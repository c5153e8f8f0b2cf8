// Command testsum reads `go test -json` from standard input, shows what a person
// wants to see of it, and ends with one line "N passed, N failed, N skipped":
//
//	go test -json ./... | testsum [-out FILE]
//
// -out keeps the JSON for later. Every test and subtest counts once. A package
// that does not build, panics outside a test or is cut short counts as one
// failure, so that a broken run never looks like a green one. The exit status is
// 1 when anything failed, and when no test ran at all.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	out := flag.String("out", "", "file to keep the JSON in")
	verbose := flag.Bool("v", false, "show each top-level test as it ends, for runs that take minutes")
	flag.Parse()
	s, err := run(os.Stdin, *out, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	fmt.Println(s.counts())
	if s.failed > 0 || s.passed+s.skipped == 0 {
		os.Exit(1)
	}
}

func run(in io.Reader, out string, verbose bool) (*summary, error) {
	keep := io.Discard
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		keep = f
	}
	s := newSummary(os.Stdout, verbose)
	lines := bufio.NewReader(io.TeeReader(in, keep))
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err == io.EOF {
			s.end()
			return s, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
	}
}
