package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// report is everything that a run measured.
type report struct {
	Pods, Revisions, Cores int
	// Led is the share of the revisions whose leases the measured replica holds.
	Led             float64
	Metric          string
	Began           time.Time
	Command, Commit string
	// Load is the machine's load averages at the end.
	Load           string
	Start, Restart startup
	Steady         measured
	Decisions      latencies
	Lists          latencies
	Discovery      latencies
	// APICores is what the adapter used while it answered lists.
	APICores float64
	Relist   relist
}

// startup is a start of the adapter; times are in seconds since the start of its process.
type startup struct {
	Ready, Read99, ReadAll float64
	// ReadAtReady is the share of the pods that were read when it became Ready.
	ReadAtReady float64
	Rates       rates
	Calls       calls
	// Peak is the largest resident memory in MiB.
	Peak, CPUSeconds float64
}

// measured is a time of work; memory is in MiB, traffic in MB/s.
type measured struct {
	Seconds, Cores, RSS, PeakRSS, Heap, Goroutines float64
	NetIn, NetOut                                  float64
	EngineReadings, QueueReadings                  float64
	// Engine and Queue are of the pods that the replica leads, the others of those of the stand-in.
	Engine, Queue, StandbyEngine, StandbyQueue spread
	// OldestEngine and OldestQueue are how long ago the pod that waited longest was read, in seconds.
	OldestEngine, OldestQueue float64
	CallsPerSecond            float64
	Calls                     calls
}

type relist struct {
	Rates          rates
	Calls          calls
	Cores, PeakRSS float64
}

func (r report) name() string { return fmt.Sprint(r.Pods) }

func (r report) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, r.name()+".json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.name()+".md"), []byte(r.markdown()), 0o644)
}

func (r report) markdown() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	s := r.Steady
	p("# %d pods in %d revisions\n", r.Pods, r.Revisions)
	p("`%s` at commit %s on %s, %d cores shared with the load, load averages %s.", r.Command, r.Commit, r.Began.Format("2006-01-02 15:04 MST"), r.Cores, r.Load)
	p("Objects: a real etcd and kube-apiserver, pods that no kubelet runs (written to etcd as kube-apiserver stores them). Engine pages: vLLM 0.32.0, %d variants shared by all pods.\n", variants)
	if r.Led < 1 {
		p("The replica leads %.0f %% of the revisions. The other replica is a stand-in that holds the leases of the rest; it reads nothing.\n", 100*r.Led)
	}
	p("| measured at one replica | value | goal |\n|---|---|---|")
	p("| CPU, steady | %.2f cores | 1 |", s.Cores)
	p("| resident memory, steady; peak | %.0f MiB; %.0f MiB | 500 MB |", s.RSS, s.PeakRSS)
	p("| heap in use; goroutines | %.0f MiB; %.0f | |", s.Heap, s.Goroutines)
	p("| engine readings | %.0f/s, interval p50 %.2f s, p99 %.2f s, %.2f %% later than 2 s | every 2 s |", s.EngineReadings, s.Engine.P50, s.Engine.P99, 100*s.Engine.Late)
	p("| queue-proxy readings | %.0f/s, interval p50 %.2f s, p99 %.2f s, %.2f %% later than 1 s | every 1 s |", s.QueueReadings, s.Queue.P50, s.Queue.P99, 100*s.Queue.Late)
	p("| the same of pods that the stand-in leads | engine p50 %.2f s, p99 %.2f s; queue-proxy p50 %.2f s, p99 %.2f s | |", s.StandbyEngine.P50, s.StandbyEngine.P99, s.StandbyQueue.P50, s.StandbyQueue.P99)
	p("| longest unread target at the end | engine %.1f s, queue-proxy %.1f s | |", s.OldestEngine, s.OldestQueue)
	p("| network | %.2f MB/s in, %.2f MB/s out | |", s.NetIn, s.NetOut)
	p("| API calls | %.1f/s: %s | |", s.CallsPerSecond, describe(s.Calls))
	p("| decision, change to patch | p50 %.0f ms, p99 %.0f ms (%d probes, %d without an answer) | 2,000 ms |", r.Decisions.P50, r.Decisions.P99, r.Decisions.Count, r.Decisions.Failed)
	p("| metrics API, %.0f lists/s of %d bytes | p50 %.2f ms, p99 %.2f ms, %d failed; %.2f cores with collection; the client asked late by p99 %.2f ms | p99 5 ms |", r.Lists.PerSecond, r.Lists.Bytes, r.Lists.P50, r.Lists.P99, r.Lists.Failed, r.APICores, r.Lists.LateP99)
	p("| discovery | p50 %.2f ms, p99 %.2f ms | cached |", r.Discovery.P50, r.Discovery.P99)
	for _, phase := range []struct {
		name string
		startup
	}{{"start", r.Start}, {"restart", r.Restart}} {
		name, u := phase.name, phase.startup
		p("| %s | Ready after %.1f s with %.0f %% of the pods read; 99 %% read after %.1f s, all after %.1f s | 30 s |", name, u.Ready, 100*u.ReadAtReady, u.Read99, u.ReadAll)
		p("| %s, requests | readings peak %.0f/s, %d API calls with a peak of %d/s: %s; memory peak %.0f MiB, %.1f s of CPU | no herd |", name, u.Rates.Peak, u.Calls.Total, u.Calls.Peak, describe(u.Calls), u.Peak, u.CPUSeconds)
	}
	l := r.Relist
	p("| kube-apiserver restarted | %d API calls with a peak of %d/s: %s; %.2f cores, readings %.0f to %.0f/s | no herd |", l.Calls.Total, l.Calls.Peak, describe(l.Calls), l.Cores, l.Rates.Least, l.Rates.Peak)
	return b.String()
}

func describe(c calls) string {
	var parts []string
	for _, kind := range c.top(4) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, c.ByKind[kind]))
	}
	return strings.Join(parts, ", ")
}

func command() string { return "benchscale " + strings.Join(os.Args[1:], " ") }

func commit() string {
	b, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
