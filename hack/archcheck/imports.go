package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/knative-inference/autoscaler-adapter/"

// rule says what one package may import besides the standard library.
type rule struct {
	// pkg is the package, relative to the module.
	pkg string
	// repo lists the packages of this repository it may import directly.
	repo []string
	// pure packages may import nothing else, not even through others.
	pure bool
	// never lists import path prefixes that must not be imported directly.
	never []string
	why   string
}

// architecture is the tree as docs/ARCHITECTURE.md draws it: imports point
// inward only. Tests may import what they like.
func architecture() []rule {
	kubernetes := []string{"k8s.io/"}
	return []rule{
		{pkg: "pkg/window", pure: true, why: "a leaf that the simulator shares"},
		{pkg: "pkg/decider", repo: []string{"pkg/slo", "pkg/window"}, pure: true, why: "the pure core: values in, values out"},
		{pkg: "pkg/slo", pure: true, why: "what an objective needs: values in, replicas out"},
		{pkg: "pkg/simulator/engine", pure: true, why: "one replica in simulated time"},
		{pkg: "pkg/simulator/trace", pure: true, why: "bytes in, requests out"},
		{pkg: "pkg/simulator", repo: []string{"pkg/window", "pkg/decider", "pkg/drain", "pkg/slo", "pkg/simulator/engine", "pkg/simulator/trace"}, pure: true, why: "the decider on a simulated clock"},
		{pkg: "pkg/simulator/policy", repo: []string{"pkg/decider", "pkg/slo", "pkg/simulator", "pkg/zero"}, why: "our policy and its rivals, Knative's own code among them"},
		{pkg: "pkg/simulator/oracle", repo: []string{"pkg/drain", "pkg/simulator", "pkg/simulator/engine", "pkg/simulator/trace", "pkg/window", "pkg/decider", "pkg/slo"}, pure: true, why: "what hindsight would have cost"},
		{pkg: "pkg/simulator/fit", repo: []string{"pkg/decider", "pkg/recording", "pkg/simulator", "pkg/simulator/engine"}, never: kubernetes, why: "a search over profiles"},
		{pkg: "pkg/charts", pure: true, why: "files for a browser"},
		{pkg: "pkg/simulator/report", repo: []string{"pkg/charts", "pkg/simulator"}, never: kubernetes, why: "results in, text out"},
		{pkg: "pkg/simulator/command", repo: []string{"pkg/simulator", "pkg/simulator/engine", "pkg/simulator/trace", "pkg/simulator/policy", "pkg/simulator/oracle", "pkg/simulator/fit", "pkg/simulator/report", "pkg/recording"}, never: kubernetes, why: "flags and wiring of simulate"},
		{pkg: "pkg/apis/autoscaling", pure: true, why: "constants without logic"},
		{pkg: "pkg/apis/inference", pure: true, why: "constants without logic"},
		{pkg: "pkg/engines", pure: true, why: "facts about inference engines"},
		{pkg: "pkg/annotations", repo: []string{"pkg/apis/autoscaling", "pkg/apis/inference", "pkg/engines", "pkg/slo"}, never: kubernetes, why: "facts about annotations"},
		{pkg: "pkg/binding", repo: []string{"pkg/annotations", "pkg/apis/inference", "pkg/decider", "pkg/engines"}, never: []string{"k8s.io/client-go"}, why: "strings become an intent at the edge"},
		{pkg: "pkg/apis/inference/v1alpha1", never: []string{"k8s.io/client-go"}, why: "types without logic"},
		{pkg: "pkg/reconciler/inferencegateway", repo: []string{"pkg/annotations", "pkg/apis/inference", "pkg/apis/inference/v1alpha1", "pkg/binding", "pkg/engines", "pkg/liveness", "pkg/reconciler/inferencegateway/manifest"}, why: "it observes and applies, and renders nothing"},
		{pkg: "pkg/reconciler/inferencegateway/manifest", repo: []string{"pkg/annotations", "pkg/apis/inference", "pkg/binding", "pkg/engines"}, never: []string{"k8s.io/client-go"}, why: "an intent and a world in, objects out"},
		{pkg: "pkg/collector/engine", repo: []string{"pkg/engines"}, pure: true, why: "bytes in, values out"},
		{pkg: "pkg/collector/httpget", pure: true, why: "connections in, bytes out"},
		{pkg: "pkg/collector", repo: []string{"pkg/window", "pkg/decider", "pkg/collector/engine", "pkg/collector/httpget", "pkg/engines"}, never: kubernetes, why: "its caller lists the pods"},
		{pkg: "pkg/enginetoken", repo: []string{"pkg/collector"}, why: "one key of one Secret at a time"},
		{pkg: "pkg/config", repo: []string{"pkg/annotations", "pkg/decider", "pkg/apis/autoscaling"}, why: "strings become settings at the edge"},
		{pkg: "pkg/multiscaler", repo: []string{"pkg/decider", "pkg/collector"}, never: kubernetes, why: "loops only"},
		{pkg: "pkg/playground", repo: []string{"pkg/charts", "pkg/collector", "pkg/decider", "pkg/metricsapi", "pkg/metricsapi/samples", "pkg/multiscaler", "pkg/simulator", "pkg/simulator/engine", "pkg/simulator/policy", "pkg/simulator/trace", "pkg/window"}, never: []string{"k8s.io/client-go"}, why: "the product on a simulated fleet, live"},
		{pkg: "pkg/checkpoint", repo: []string{"pkg/collector", "pkg/decider"}, why: "the decider's states over restarts"},
		{pkg: "pkg/recording", repo: []string{"pkg/decider", "pkg/simulator/trace"}, never: kubernetes, why: "what was decided, on disk"},
		{pkg: "pkg/zero", pure: true, why: "facts in, step out"},
		{pkg: "pkg/drain", pure: true, why: "pods in, plan out"},
		{pkg: "pkg/terminating", never: []string{"k8s.io/api/", "k8s.io/client-go"}, why: "it asks queue-proxies and knows no cluster"},
		{pkg: "pkg/handover", pure: true, why: "values in, decision out"},
		{pkg: "pkg/election", why: "leases in, leaders out"},
		{pkg: "pkg/election/electiontest", why: "for tests alone"},
		{pkg: "pkg/liveness", pure: true, why: "beats in, standstills out"},
		{pkg: "pkg/liveness/livenesstest", repo: []string{"pkg/liveness"}, never: kubernetes, why: "for tests alone"},
		{pkg: "pkg/servingcert", repo: []string{"pkg/liveness"}, why: "a certificate in a Secret"},
		{pkg: "pkg/metricsapi", repo: []string{"pkg/decider", "pkg/liveness", "pkg/servingcert"}, why: "it serves a view and knows no collector"},
		{pkg: "pkg/metricsapi/samples", repo: []string{"pkg/collector", "pkg/decider", "pkg/metricsapi"}, never: kubernetes, why: "names and units of what is published"},
		{pkg: "pkg/rollup", repo: []string{"pkg/collector", "pkg/decider", "pkg/inferencepool", "pkg/metricsapi", "pkg/metricsapi/samples", "pkg/multiscaler"}, why: "snapshots in, served numbers out"},
		{pkg: "pkg/reconciler/podautoscaler", repo: []string{"pkg/annotations", "pkg/apis/autoscaling", "pkg/collector", "pkg/config", "pkg/decider", "pkg/drain", "pkg/engines", "pkg/multiscaler", "pkg/terminating", "pkg/window", "pkg/zero"}, why: "it acts and never aggregates"},
		{pkg: "pkg/inferencepool", repo: []string{"pkg/annotations", "pkg/apis/autoscaling", "pkg/apis/inference", "pkg/collector", "pkg/window"}, why: "it lists the pods for the collector and writes nothing"},
		{pkg: "pkg/webhook", repo: []string{"pkg/annotations", "pkg/apis/autoscaling", "pkg/apis/inference", "pkg/binding", "pkg/config", "pkg/engines", "pkg/liveness", "pkg/servingcert"}, why: "it answers from caches and never acts"},
		{pkg: "pkg/server", repo: []string{"pkg/annotations", "pkg/apis/autoscaling", "pkg/checkpoint", "pkg/collector", "pkg/config", "pkg/decider", "pkg/election", "pkg/enginetoken", "pkg/handover", "pkg/inferencepool", "pkg/liveness", "pkg/metricsapi", "pkg/multiscaler", "pkg/recording", "pkg/rollup", "pkg/binding", "pkg/reconciler/inferencegateway", "pkg/reconciler/podautoscaler", "pkg/terminating", "pkg/webhook"}, why: "the composition root"},
		{pkg: "cmd/autoscaler-adapter", repo: []string{"pkg/server"}, never: kubernetes, why: "flags and signals of what runs in the cluster"},
		{pkg: "cmd/ipa", repo: []string{"pkg/playground", "pkg/simulator/command"}, never: kubernetes, why: "the commands that people type"},
	}
}

// goPackage is the output of `go list -json`.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func listPackages() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Standard,Imports,Deps", "./pkg/...", "./cmd/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
}

func checkImports(packages []goPackage) (findings []string) {
	rules := architecture()
	for _, p := range packages {
		name, ok := strings.CutPrefix(p.ImportPath, module)
		if !ok {
			continue
		}
		i := slices.IndexFunc(rules, func(r rule) bool { return r.pkg == name })
		if i < 0 {
			findings = append(findings, fmt.Sprintf("%s: not in the architecture; add it to hack/archcheck/imports.go and docs/ARCHITECTURE.md", name))
			continue
		}
		findings = append(findings, rules[i].check(p)...)
	}
	return findings
}

// checkUnused finds rules that allow what nobody imports any more.
func checkUnused(packages []goPackage) (findings []string) {
	for _, r := range architecture() {
		i := slices.IndexFunc(packages, func(p goPackage) bool { return p.ImportPath == module+r.pkg })
		if i < 0 {
			findings = append(findings, r.pkg+": there is no such package; take it out of hack/archcheck/imports.go")
			continue
		}
		used := packages[i].Imports
		if r.pure {
			used = packages[i].Deps // what it reaches through others must be allowed, too
		}
		for _, allowed := range r.repo {
			if !slices.Contains(used, module+allowed) {
				findings = append(findings, fmt.Sprintf("%s: may import %s and does not; take it out of hack/archcheck/imports.go", r.pkg, allowed))
			}
		}
	}
	return findings
}

func (r rule) check(p goPackage) (findings []string) {
	bad := func(format string, args ...any) {
		findings = append(findings, fmt.Sprintf("%s (%s): ", r.pkg, r.why)+fmt.Sprintf(format, args...))
	}
	for _, i := range p.Imports {
		own, ours := strings.CutPrefix(i, module)
		if ours && !slices.Contains(r.repo, own) {
			bad("imports %s; it may import %s. Move the code, or pass the value in", own, orNothing(r.repo))
		}
		for _, prefix := range r.never {
			if strings.HasPrefix(i, prefix) {
				bad("imports %s, never %s*. Take a plain value or a small interface instead", i, prefix)
			}
		}
	}
	if !r.pure {
		return findings
	}
	for _, d := range p.Deps {
		own, ours := strings.CutPrefix(d, module)
		if ours && slices.Contains(r.repo, own) || isStandard(d) {
			continue
		}
		bad("reaches %s; it may reach only the standard library and %s", d, orNothing(r.repo))
	}
	return findings
}

// isStandard recognises the standard library by the first element, which has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing of this repository"
	}
	return strings.Join(list, ", ")
}
