package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is the simulator alone: it links in a third of the time of cmd/ipa.
const program = `package main

import (
	"context"
	"os"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/command"
)

func main() { os.Exit(command.Run(context.Background(), os.Args[2:], os.Stdout, os.Stderr)) }
`

// build makes the program with the variant's number, without touching the sources. All other
// numbers that can be variables are: TUNED=name=value in the environment changes one.
func (s *sensitivity) build(v variant, dir string) (binary string, err error) {
	root, err := filepath.Abs(s.o.root)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	files := map[string][]byte{"hack/benchpolicy/program/main.go": []byte(program)}
	for file, source := range s.sources {
		if file == v.file {
			source = v.in(source)
		}
		folder := filepath.Dir(file)
		files[folder+"/tuned.go"] = fmt.Appendf(nil, tunedFunc, filepath.Base(folder))
		if files[file], err = withVariables(file, source, s.variables[file]); err != nil {
			return "", err
		}
	}
	if files[boundFile], err = withoutBound(root); err != nil {
		return "", err
	}
	overlay, err := writeOverlay(root, dir, files)
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "simulate")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./hack/benchpolicy/program")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", v.key(), err, out)
	}
	return binary, nil
}

// boundFile has the function that finds the oracle's bound.
const boundFile = "pkg/simulator/command/candidates.go"

// withoutBound is boundFile without the search for the bound: it takes two thirds of the time,
// and GPU-hours are compared with those of the policy as it is.
func withoutBound(root string) ([]byte, error) {
	const head = "func (c *comparison) bound(ctx context.Context, seed uint64, at func(time.Duration)) (oracle.Bound, error) {\n"
	source, err := os.ReadFile(filepath.Join(root, boundFile))
	before, after, found := bytes.Cut(source, []byte(head))
	if err != nil || !found {
		return nil, errors.Join(err, errors.New(boundFile+" has no longer the function that finds the bound: "+head))
	}
	return slices.Concat(before, []byte(head+"\tif c != nil {\n\t\treturn oracle.Bound{}, nil\n\t}\n"), after), nil
}

// writeOverlay puts files, named below the root, into a folder, and returns what go build -overlay reads.
func writeOverlay(root, dir string, files map[string][]byte) (overlay string, err error) {
	replaced := map[string]string{}
	for file, text := range files {
		there := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		replaced[filepath.Join(root, file)] = there
		if err := os.WriteFile(there, text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
