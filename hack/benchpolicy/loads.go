package main

import (
	"path/filepath"
	"strings"
)

// load is one trace, or a part of one, at a scale that keeps a fleet of some size busy.
type load struct {
	name string
	// args select it; a %s is the folder of the traces.
	args []string
	// file is what must be there, in the folder of the traces; empty for our own loads.
	file string
	// chosen is true if the defaults of our policy were chosen on this load.
	chosen bool
	// idle is true for a load on fleets that may have no replica, or are compared with such.
	idle bool
	// run and bound are what a run, and the oracle's bound, take about, in
	// seconds of a core: what the estimate of the time left begins with.
	run, bound float64
}

// long is true for a load that gets fewer seeds.
func (l load) long() bool { return l.run > 0.8 }

// rank orders loads for running.
func (l load) rank() int {
	if l.long() {
		return 1
	}
	return 0
}

// loads are all of them, the published traces first.
func loads() []load {
	week := "azure2024_conv_weekly_rpm_digitized.csv"
	day := func(name, from, to string, chosen bool, run float64) load {
		return load{name: name, file: week, chosen: chosen, run: run, bound: 2,
			args: []string{"--trace", "%s/" + week, "--from", from, "--to", to}}
	}
	return []load{
		{name: "azure23 conv x8", run: 0.2, bound: 0.5, file: "azure2023_conv.csv", chosen: true, args: []string{"--trace", "%s/azure2023_conv.csv", "--scale", "8"}},
		{name: "azure23 code x8", run: 0.15, bound: 0.5, file: "azure2023_code.csv", chosen: true, args: []string{"--trace", "%s/azure2023_code.csv", "--scale", "8"}},
		{name: "mooncake x3", run: 0.3, bound: 4, file: "mooncake_conversation.jsonl", chosen: true, args: []string{"--trace", "%s/mooncake_conversation.jsonl", "--scale", "3", "--slo-ttft-per-token", "200us"}},
		day("azure24 conv, day 1", "5h", "10h", true, 0.5),
		day("azure24 conv, day 3", "56h", "61h", false, 1.5),
		day("azure24 conv, day 6", "127h", "132h", false, 1.2),
		synthetic("diurnal", true, 1.8, 3),
		synthetic("burst", true, 0.12, 0.5),
		synthetic("step", false, 0.06, 0.2),
		synthetic("ramp", false, 0.08, 0.3),
		synthetic("tenants", false, 0.05, 0.2),
		synthetic("longprompt", false, 0.1, 0.4),
	}
}

func synthetic(name string, chosen bool, run, bound float64) load {
	return load{name: name, chosen: chosen, run: run, bound: bound, args: []string{"--synthetic", name, "--scale", "2"}}
}

// cell is a load on an engine with a lead time: what policies are compared on.
type cell struct {
	load         load
	engine, lead string
}

// name is the beginning of the names of the cell's files.
func (c cell) name() string {
	return strings.NewReplacer(" ", "-", ",", "", ":", "", "%", "", "/", "-").Replace(c.load.name + "_" + c.engine + "_" + c.lead)
}

// args are those of simulate that do not depend on policies.
func (c cell) args(traces string) []string {
	var args []string
	for _, a := range c.load.args {
		args = append(args, strings.ReplaceAll(a, "%s", traces))
	}
	return append(args, "--engine", c.engine, "--lead", c.lead)
}

// missing is why a cell cannot be run; empty when it can.
func (c cell) missing(traces string) string {
	if c.load.file == "" || traces != "" && exists(filepath.Join(traces, c.load.file)) {
		return ""
	}
	return c.load.file + " is not there (TRACES names the folder of the published traces)"
}
