package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// result is a cell with what came out of it.
type result struct {
	cell
	runs []figures
}

// figures are one run's, as simulate --json writes them.
type figures struct {
	Policy   string  `json:"policy"`
	Seed     uint64  `json:"seed"`
	SLO      float64 `json:"slo"`
	GPUHours float64 `json:"gpu_hours"`
	Oracle   float64 `json:"oracle_gpu_hours"`
	Ops      float64 `json:"scale_operations"`
	Requests float64 `json:"requests"`
	CPU      float64 `json:"cpu_seconds"`
}

func read(c cell, file string) (result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return result{}, err
	}
	var out struct{ Runs []figures }
	if err := json.Unmarshal(b, &out); err != nil {
		return result{}, fmt.Errorf("%s: %w", file, err)
	}
	return result{c, out.Runs}, nil
}

func hash(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// mean is a policy's figures over the seeds.
func (r result) mean(policy string) (m figures, ok bool) {
	n := 0.0
	for _, f := range r.runs {
		if f.Policy != policy {
			continue
		}
		n++
		m.SLO, m.GPUHours, m.Oracle, m.Ops = m.SLO+f.SLO, m.GPUHours+f.GPUHours, m.Oracle+f.Oracle, m.Ops+f.Ops
		m.Requests, m.CPU = m.Requests+f.Requests, m.CPU+f.CPU
	}
	if n == 0 {
		return m, false
	}
	return figures{Policy: policy, SLO: m.SLO / n, GPUHours: m.GPUHours / n, Oracle: m.Oracle / n, Ops: m.Ops / n, Requests: m.Requests / n, CPU: m.CPU / n}, true
}

func (r result) policies() (names []string) {
	for _, f := range r.runs {
		if !slices.Contains(names, f.Policy) {
			names = append(names, f.Policy)
		}
	}
	return names
}

// tables is the whole text.
func tables(all []result) string {
	var b strings.Builder
	groups := map[string][]result{}
	var order []string
	for _, r := range all {
		key := strings.Join([]string{r.kind, r.engine, r.lead}, "|")
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = merge(groups[key], r)
	}
	for _, key := range order {
		mainTable(&b, groups[key])
	}
	return b.String()
}

// merge adds a cell to the one of the same load.
func merge(g []result, r result) []result {
	for i := range g {
		if g[i].load.name == r.load.name {
			g[i].runs = append(g[i].runs, r.runs...)
			return g
		}
	}
	return append(g, r)
}

// mainTable has a row per policy and a column per load.
func mainTable(b *strings.Builder, g []result) {
	title := "Policies"
	if g[0].kind == "ablation" {
		title = "What each part of our policy buys"
	}
	fmt.Fprintf(b, "### %s: %s, lead %s, %d seeds\n\n| policy |", title, g[0].engine, g[0].lead, g[0].seeds)
	for _, r := range g {
		mark := ""
		if r.load.chosen {
			mark = " ¹"
		}
		fmt.Fprintf(b, " %s%s |", r.load.name, mark)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(g)) + "\n| oracle's bound, GPU-h |")
	for _, r := range g {
		m, _ := r.mean(r.policies()[0])
		fmt.Fprintf(b, " %.2f |", m.Oracle)
	}
	b.WriteString("\n")
	for _, p := range g[0].policies() {
		fmt.Fprintf(b, "| %s |", code(p))
		for _, r := range g {
			m, ok := r.mean(p)
			if !ok {
				b.WriteString(" - |")
				continue
			}
			fmt.Fprintf(b, " %s |", emphasis(m))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func code(p string) string { return "`" + p + "`" }

// emphasis writes "SLO @ GPU-hours (x oracle)"; bold where the goal is met.
func emphasis(m figures) string {
	s := fmt.Sprintf("%.1f @ %.1f (%.2f)", 100*m.SLO, m.GPUHours, m.GPUHours/m.Oracle)
	if m.SLO >= 0.99 {
		return "**" + s + "**"
	}
	return s
}

func ours(policy string) bool { return policy == "ipa" || strings.HasPrefix(policy, "ipa:") }
