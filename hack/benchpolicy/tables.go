package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
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
		g := groups[key]
		switch g[0].kind {
		case "sweep":
			sweepTables(&b, g)
		default:
			mainTable(&b, g)
		}
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

// sweepTables compares at equal SLO: per load, and with one setting for all.
func sweepTables(b *strings.Builder, g []result) {
	fmt.Fprintf(b, "### Knobs swept: %s, lead %s, %d seed\n\nThe cheapest setting of each family that reaches 99 %% (in hindsight, per load), GPU-hours:\n\n| load | ours as it comes | ours, best | best rival | its setting | ours / rival |\n|---|---|---|---|---|---|\n", g[0].engine, g[0].lead, g[0].seeds)
	for _, r := range g {
		own, rival := cheapest(r, true), cheapest(r, false)
		ratio := "-"
		if own.Policy != "" && rival.Policy != "" {
			ratio = fmt.Sprintf("%.2f", own.GPUHours/rival.GPUHours)
		}
		plain, _ := r.mean("ipa")
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", r.load.name, emphasis(plain), hours(own), hours(rival), code(rival.Policy), ratio)
	}
	oneSetting(b, g)
}

func hours(f figures) string {
	if f.Policy == "" {
		return "none reaches it"
	}
	return fmt.Sprintf("%.2f", f.GPUHours)
}

func ours(policy string) bool { return policy == "ipa" || strings.HasPrefix(policy, "ipa:") }

func cheapest(r result, own bool) (best figures) {
	for _, p := range r.policies() {
		m, _ := r.mean(p)
		if ours(p) != own || m.SLO < 0.99 || p == "oracle" || p == "static" {
			continue
		}
		if best.Policy == "" || m.GPUHours < best.GPUHours {
			best = m
		}
	}
	return best
}

// oneSetting lists every setting that is on the front of mean SLO against cost.
func oneSetting(b *strings.Builder, g []result) {
	type row struct {
		policy         string
		slo, least, x  float64
		reach99, cells int
	}
	var rows []row
	for _, p := range g[0].policies() {
		s := row{policy: p, least: 1}
		logs := 0.0
		for _, r := range g {
			m, ok := r.mean(p)
			if !ok {
				continue
			}
			s.cells++
			s.slo, s.least = s.slo+m.SLO, math.Min(s.least, m.SLO)
			logs += math.Log(m.GPUHours / m.Oracle)
			if m.SLO >= 0.99 {
				s.reach99++
			}
		}
		if s.cells == len(g) {
			s.slo, s.x = s.slo/float64(s.cells), math.Exp(logs/float64(s.cells))
			rows = append(rows, s)
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return int(math.Copysign(1, a.x-b.x)) })
	b.WriteString("\nOne setting for all loads (cheapest first; settings that another beats in both mean SLO and cost are left out):\n\n| setting | mean SLO % | least | loads at 99 % | geometric mean x oracle |\n|---|---|---|---|---|\n")
	best := -1.0
	for _, s := range rows {
		if s.slo <= best {
			continue
		}
		best = s.slo
		fmt.Fprintf(b, "| %s | %.1f | %.1f | %d of %d | %.2f |\n", code(s.policy), 100*s.slo, 100*s.least, s.reach99, s.cells, s.x)
	}
	b.WriteString("\n")
}
