package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// load is one trace, or a part of one, at a scale that keeps a fleet of some size busy.
type load struct {
	name string
	// args select it; a %s is the folder of the traces.
	args []string
	// file is what must be there, in the folder of the traces; empty for our own loads.
	file string
	// chosen tells that the defaults of our policy were chosen on this load.
	chosen bool
}

func loads() []load {
	week := "azure2024_conv_weekly_rpm_digitized.csv"
	day := func(name, from, to string, chosen bool) load {
		return load{name: name, file: week, chosen: chosen, args: []string{"--trace", "%s/" + week, "--from", from, "--to", to}}
	}
	return []load{
		{name: "azure23 conv x8", file: "azure2023_conv.csv", chosen: true, args: []string{"--trace", "%s/azure2023_conv.csv", "--scale", "8"}},
		{name: "azure23 code x8", file: "azure2023_code.csv", chosen: true, args: []string{"--trace", "%s/azure2023_code.csv", "--scale", "8"}},
		{name: "mooncake x3", file: "mooncake_conversation.jsonl", chosen: true, args: []string{"--trace", "%s/mooncake_conversation.jsonl", "--scale", "3", "--slo-ttft-per-token", "200us"}},
		day("azure24 conv, day 1", "5h", "10h", true),
		day("azure24 conv, day 3", "56h", "61h", false),
		day("azure24 conv, day 6", "127h", "132h", false),
		{name: "diurnal", chosen: true, args: []string{"--synthetic", "diurnal", "--scale", "2"}},
		{name: "burst", chosen: true, args: []string{"--synthetic", "burst", "--scale", "2"}},
		{name: "step", args: []string{"--synthetic", "step", "--scale", "2"}},
		{name: "ramp", args: []string{"--synthetic", "ramp", "--scale", "2"}},
		{name: "tenants", args: []string{"--synthetic", "tenants", "--scale", "2"}},
		{name: "longprompt", args: []string{"--synthetic", "longprompt", "--scale", "2"}},
	}
}

// policies of the main table: ours as it comes, each rival as it comes and
// tuned by hand, and what hindsight would have done.
func policies() []string {
	return []string{
		"ipa",
		"kpa", "kpa:target=20", "kpa:target=12,scale-down-delay=300s",
		"hpa:metric=kv_cache_usage_percent,target=70", "hpa:metric=kv_cache_usage_percent,target=10",
		"hpa:metric=num_requests_waiting,target=1", "hpa:metric=concurrency,target=20",
		"apa", "wva", "wva:up=0.4,down=0.25", "wva:version=1",
		"static", "oracle",
	}
}

// ablations switch one part of our policy off at a time.
func ablations() []string {
	out := []string{"ipa"}
	for _, part := range []string{"learning", "curve", "replay", "envelope", "backlog", "hold"} {
		out = append(out, "ipa:without="+part)
	}
	return out
}

// cell is one call of simulate.
type cell struct {
	kind   string // main or ablation
	load   load
	engine string
	lead   string
	seeds  int
	list   []string
}

// own tells a cell of our policy from one of its rivals, which a change of the
// decider leaves as they are.
func (c cell) own() bool { return ours(c.list[0]) }

// name is the cell's file, without its folder and extension.
func (c cell) name() string {
	who := "rivals"
	if c.own() {
		who = "ours"
	}
	return strings.NewReplacer(" ", "-", ",", "").Replace(fmt.Sprintf("%s_%s_%s_%s_%s_%d", c.kind, who, c.load.name, c.engine, c.lead, c.seeds))
}

// args are those of simulate.
func (c cell) args(traces, out string) []string {
	args := []string{"simulate"}
	for _, a := range c.load.args {
		args = append(args, strings.ReplaceAll(a, "%s", traces))
	}
	args = append(args, "--engine", c.engine, "--lead", c.lead, "--seeds", fmt.Sprint(c.seeds), "--policy", strings.Join(c.list, ","), "--json", out)
	return args
}

// cells are all of them, the most telling first: a benchmark that is cut short
// has whole tables.
func cells(quick bool) []cell {
	if quick {
		burst := cell{kind: "main", load: load{name: "burst", args: []string{"--synthetic", "burst"}}, engine: "a100-llama-3.1-8b", lead: "2m", seeds: 1, list: []string{"ipa"}}
		rivals := burst
		rivals.list = []string{"kpa", "static", "oracle"}
		return []cell{burst, rivals}
	}
	var out []cell
	each := func(kind, engine, lead string, seeds int, list []string) {
		rivals := slices.DeleteFunc(slices.Clone(list), ours)
		for _, part := range [][]string{slices.DeleteFunc(slices.Clone(list), func(p string) bool { return !ours(p) }), rivals} {
			for _, l := range loads() {
				if len(part) > 0 {
					out = append(out, cell{kind, l, engine, lead, seeds, part})
				}
			}
		}
	}
	const first, second, third = "a100-llama-3.1-8b", "rtxpro6000-qwen3-32b-tp2", "h100-llama-3.1-8b"
	each("main", first, "2m", 5, policies())
	each("main", second, "2m", 5, policies())
	each("ablation", first, "2m", 3, ablations())
	each("main", first, "1m", 5, policies())
	each("main", first, "5m", 5, policies())
	each("main", third, "2m", 5, policies())
	return out
}

// missing is why a cell cannot be run; empty when it can.
func (c cell) missing(traces string, exists func(string) bool) string {
	if c.load.file == "" || traces != "" && exists(filepath.Join(traces, c.load.file)) {
		return ""
	}
	return c.load.file + " is not there (TRACES names the folder of the published traces)"
}
