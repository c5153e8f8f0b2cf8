package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// versions show which runs the present program would still give. The version of
// a policy is the result of a few probes, on each engine: a change of the
// simulator that leaves all figures as they are makes no run anew. Ours has the
// sources of the decider in it too, for probes are few and it has many parts.
type versions struct {
	binary, root string
	known        map[string]string
}

// ownSources are those of our policy, below the root of the project.
func ownSources() []string {
	const policies = "pkg/simulator/policy/"
	return []string{"pkg/decider/*.go", "pkg/slo/*.go", "pkg/window/*.go", policies + "ipa.go", policies + "ipaoption.go"}
}

// probes are settings that touch most of a policy, by its name.
func probes(name string) string {
	switch name {
	case "kpa":
		return "kpa,kpa:target=12,scale-down-delay=300s"
	case "hpa":
		return "hpa:metric=kv_cache_usage_percent,target=10,hpa:metric=concurrency,target=20,hpa:metric=num_requests_waiting,target=1"
	case "wva":
		return "wva,wva:up=0.4,down=0.25,wva:version=1"
	case "apa":
		return "apa,apa:target=10"
	}
	return name
}

// of is the version of a policy on an engine; idle loads have one of their own.
func (v versions) of(name, engine string, idle bool) (string, error) {
	key := name + " " + engine
	if idle {
		key += " idle"
	}
	if v.known[key] != "" {
		return v.known[key], nil
	}
	var all []figures
	loads := [][]string{
		{"--synthetic", "burst", "--to", "40m", "--scale", "0.5"}, {"--synthetic", "tenants", "--to", "30m", "--seed", "2"},
		{"--trace", filepath.Join(v.root, "examples/simulate/requests.csv"), "--columns", "time=when,input=prompt_tokens,output=answer_tokens", "--scale", "4"},
	}
	sources := ownSources()
	if idle {
		loads = append(loads, []string{"--synthetic", "model15", "--length", "24h", "--min", "0"})
		sources = append(sources, "pkg/zero/*.go", "pkg/simulator/policy/zero.go")
	}
	for _, load := range loads {
		runs, err := simulate(v.binary, append(load, "--engine", engine, "--policy", probes(name)))
		if err != nil {
			return "", err
		}
		all = append(all, runs...)
	}
	for i := range all {
		all[i].CPU = 0
	}
	text, err := json.Marshal(all)
	if err == nil && name == ours {
		var own string
		own, err = sourceHash(v.root, sources)
		text = append(text, own...)
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	v.known[key] = hex.EncodeToString(sum[:5])
	return v.known[key], nil
}

// sourceHash is of the code of files, tests and comments aside.
func sourceHash(root string, patterns []string) (string, error) {
	h := sha256.New()
	for _, p := range patterns {
		files, err := filepath.Glob(filepath.Join(root, p))
		if err != nil {
			return "", fmt.Errorf("%s: %w", p, err)
		}
		if len(files) == 0 {
			return "", fmt.Errorf("%s: no such sources below %q; -root names the root of the project", p, root)
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
