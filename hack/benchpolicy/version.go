package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// sources are what decides a policy's figures, as patterns below the root of
// the project: the simulator, what all policies share, and the policy's own
// files. Rivals take no more of the decider than its types.
func sources(policy string) []string {
	const policies = "pkg/simulator/policy/"
	all := []string{
		"pkg/window/*.go", "pkg/simulator/*.go", "pkg/simulator/engine/*.go", "pkg/simulator/trace/*.go", "pkg/simulator/oracle/*.go",
		policies + "policy.go", policies + "option.go", policies + "signal.go", policies + "history.go",
	}
	own := map[string][]string{
		ours:       {"pkg/decider/*.go", policies + "ipa.go", policies + "ipaoption.go"},
		"wva":      {policies + "wva.go", policies + "hpa.go"},
		staticName: {policies + "static.go", "pkg/simulator/command/hindsight.go"},
		oracleName: {policies + "static.go", "pkg/simulator/command/hindsight.go"},
	}
	if own[policy] == nil {
		return append(all, policies+policy+".go")
	}
	return append(all, own[policy]...)
}

// version is a hash of the code of files, tests and comments aside.
func version(root string, patterns []string) (string, error) {
	h := sha256.New()
	for _, p := range patterns {
		files, err := filepath.Glob(filepath.Join(root, p))
		if err != nil || len(files) == 0 {
			return "", fmt.Errorf("%s: no such sources below %q; run it from the root of the project (%v)", p, root, err)
		}
		slices.Sort(files)
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			code, err := bare(f)
			if err != nil {
				return "", err
			}
			h.Write(code)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:10], nil
}

// bare is a file without comments, formatted.
func bare(file string) ([]byte, error) {
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = printer.Fprint(&b, token.NewFileSet(), parsed)
	return b.Bytes(), err
}
