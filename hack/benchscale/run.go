package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// bench is a run.
type bench struct {
	options
	begin     time.Time
	dir       string
	plane     *controlPlane
	revisions []revision
	fleet     *fleet
	clients   clients
	adapter   *adapter
	audit     audit
	report    report
}

func (b *bench) progress(format string, args ...any) {
	fmt.Printf("[%6.1fs] %s\n", time.Since(b.begin).Seconds(), fmt.Sprintf(format, args...))
}

// run does every phase and writes the report; a phase that fails ends the run
// with the report of those before.
func run(ctx context.Context, o options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bench{options: o, begin: time.Now()}
	b.report = report{Pods: o.pods, Revisions: o.revisions, Metric: o.metric, Began: b.begin.UTC(),
		Cores: runtime.NumCPU(), Command: command(), Commit: commit()}
	var err error
	if b.dir, err = os.MkdirTemp("", "benchscale-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.adapterPath()
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := b.setUp(ctx); err != nil {
		return err
	}
	defer b.plane.stop()
	defer func() { b.adapter.stop() }()
	err = b.phases(ctx)
	b.report.Load = loadAverage()
	if werr := b.report.write(o.out); err == nil {
		err = werr
	}
	if err == nil {
		b.progress("report: %s", filepath.Join(o.out, b.report.name()+".md"))
	}
	return err
}

func (b *bench) adapterPath() {
	if path, err := filepath.Abs(b.options.adapter); err == nil {
		b.options.adapter = path
	}
}

// setUp brings up what the adapter needs: network, API server, objects, pods.
func (b *bench) setUp(ctx context.Context) (err error) {
	if err := setUpNetwork(); err != nil {
		return err
	}
	if b.k8s == "" {
		if b.k8s, err = newestK8s(); err != nil {
			return err
		}
	}
	if b.plane, err = startControlPlane(ctx, b.k8s, b.dir); err != nil {
		return err
	}
	b.audit.path = b.plane.file("audit.log")
	b.progress("etcd and kube-apiserver serve")
	early, webhooks, err := definitions(".")
	if err != nil {
		return err
	}
	if err := b.plane.apply(ctx, early); err != nil {
		return err
	}
	if b.clients, err = newClients(b.plane.config(benchUser, "127.0.0.1")); err != nil {
		return err
	}
	revisions, names := plan(b.options)
	b.report.Led = share(b.options, revisions)
	b.revisions = revisions
	if err := b.clients.holdLeases(ctx, b.buckets); err != nil {
		return fmt.Errorf("holding leases: %w", err)
	}
	if err := b.clients.create(ctx, b.options, revisions, b.progress); err != nil {
		return fmt.Errorf("creating objects: %w", err)
	}
	b.progress("%d pods of %d revisions created", b.pods, len(revisions))
	if err := b.plane.apply(ctx, webhooks); err != nil {
		return err
	}
	template, err := readTemplate(".")
	if err != nil {
		return err
	}
	b.fleet = newFleet(template, names)
	b.fleet.assign(revisions)
	return b.fleet.serve(ctx)
}

func (b *bench) phases(ctx context.Context) error {
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
		skip bool
	}{
		{"start", func(ctx context.Context) (err error) { b.report.Start, err = b.start(ctx); return err }, false},
		{"steady", b.steady, false},
		{"decisions", b.decisions, b.probes == 0},
		{"api", b.api, b.lists == 0},
		{"relist", b.relisted, !b.relist},
		{"restart", b.restarted, false},
	} {
		if phase.skip {
			continue
		}
		if err := phase.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", phase.name, err)
		}
		if !b.adapter.alive() {
			return fmt.Errorf("%s: the adapter ended; its log is %s", phase.name, b.log())
		}
	}
	return nil
}

func (b *bench) log() string { return filepath.Join(b.out, "adapter.log") }

// start starts the adapter and follows it until every target is read.
func (b *bench) start(ctx context.Context) (s startup, err error) {
	b.audit.next()
	since := b.fleet.now()
	if b.adapter, err = startAdapter(ctx, b.options, b.plane.file("kubeconfig"), b.log()); err != nil {
		return s, err
	}
	w := b.watchRates(ctx)
	began := time.Now()
	goesOn := func() bool { return time.Since(began) < 5*time.Minute && ctx.Err() == nil && b.adapter.alive() }
	for ; goesOn(); time.Sleep(100 * time.Millisecond) {
		if s.Ready == 0 && b.adapter.ready() {
			s.Ready, s.ReadAtReady = time.Since(b.adapter.started).Seconds(), float64(b.fleet.read(since))/float64(b.pods)
		}
		read := b.fleet.read(since)
		if s.Read99 == 0 && read*100 >= b.pods*99 {
			s.Read99 = time.Since(b.adapter.started).Seconds()
		}
		if read == b.pods {
			s.ReadAll = time.Since(b.adapter.started).Seconds()
			if s.Ready > 0 {
				break
			}
		}
	}
	sleep(ctx, b.warmup)
	s.Rates, s.Calls, s.Peak = w.stop(), b.audit.next(), b.adapter.usage().peak
	s.CPUSeconds = b.adapter.usage().cpu
	b.progress("started: Ready after %.1f s (%.0f %% of the pods read), all read after %.1f s, peak %.0f readings/s, %d API calls (peak %d/s), %.1f s of CPU",
		s.Ready, 100*s.ReadAtReady, s.ReadAll, s.Rates.Peak, s.Calls.Total, s.Calls.Peak, s.CPUSeconds)
	return s, nil
}

// steady measures with nothing else going on.
func (b *bench) steady(ctx context.Context) error {
	stop := b.profiles(ctx, "steady")
	for role := range b.fleet.engine {
		b.fleet.engine[role].begin()
		b.fleet.queue[role].begin()
	}
	m := b.measure(ctx, b.duration)
	m.Engine, m.Queue = b.fleet.engine[led].end(engineGoal), b.fleet.queue[led].end(queueGoal)
	m.StandbyEngine, m.StandbyQueue = b.fleet.engine[followed].end(5*engineGoal), b.fleet.queue[followed].end(5*queueGoal)
	oldEngine, oldQueue := b.fleet.oldest()
	m.OldestEngine, m.OldestQueue = oldEngine.Seconds(), oldQueue.Seconds()
	stop()
	b.report.Steady = m
	b.progress("steady: %.2f cores, %.0f MiB resident, %.0f MiB heap, %.0f goroutines, %.0f engine and %.0f queue-proxy readings/s",
		m.Cores, m.RSS, m.Heap, m.Goroutines, m.EngineReadings, m.QueueReadings)
	b.progress("        intervals p50/p99: engine %.2f/%.2f s, queue-proxy %.2f/%.2f s; %.1f MB/s in, %.1f API calls/s",
		m.Engine.P50, m.Engine.P99, m.Queue.P50, m.Queue.P99, m.NetIn, m.CallsPerSecond)
	b.progress("        of pods that the stand-in leads: engine %.2f/%.2f s, queue-proxy %.2f/%.2f s",
		m.StandbyEngine.P50, m.StandbyEngine.P99, m.StandbyQueue.P50, m.StandbyQueue.P99)
	return nil
}

// What a replica is to keep at 10,000 pods.
const (
	engineGoal = 2 * time.Second
	queueGoal  = time.Second
)

// measure takes what the adapter uses over a time.
func (b *bench) measure(ctx context.Context, d time.Duration) (m measured) {
	b.audit.next()
	before, engine, queue := b.adapter.usage(), b.fleet.engine.total(), b.fleet.queue.total()
	sleep(ctx, d)
	after := b.adapter.usage()
	seconds := after.at.Sub(before.at).Seconds()
	c := b.audit.next()
	return measured{
		Seconds: seconds, Cores: (after.cpu - before.cpu) / seconds, RSS: after.rss, PeakRSS: after.peak,
		Heap: after.heap, Goroutines: after.goroutines,
		NetIn: (after.net.in - before.net.in) / seconds / 1e6, NetOut: (after.net.out - before.net.out) / seconds / 1e6,
		EngineReadings: float64(b.fleet.engine.total()-engine) / seconds,
		QueueReadings:  float64(b.fleet.queue.total()-queue) / seconds,
		CallsPerSecond: float64(c.Total) / seconds, Calls: c,
	}
}

func (b *bench) decisions(ctx context.Context) (err error) {
	var probes []revision
	for _, r := range b.revisions {
		if r.probe && r.led {
			probes = append(probes, r)
		}
	}
	b.report.Decisions, err = probe(ctx, b.clients.kube, b.fleet, probes[:min(b.probes, len(probes))])
	d := b.report.Decisions
	b.progress("decisions: p50 %.0f ms, p99 %.0f ms, largest %.0f ms from the change to the patch, %d of %d without an answer", d.P50, d.P99, d.Max, d.Failed, d.Count)
	return err
}

// api measures lists, and discovery meanwhile and alone.
func (b *bench) api(ctx context.Context) error {
	var namespaces []string
	for _, r := range b.revisions {
		if n := len(namespaces); n == 0 || namespaces[n-1] != r.namespace {
			namespaces = append(namespaces, r.namespace)
		}
	}
	c := newAPIClient()
	if _, err := c.get(ctx, ""); err != nil {
		return err
	}
	b.report.Discovery = c.discovery(ctx, 50)
	stop := b.profiles(ctx, "api")
	before := b.adapter.usage()
	lists, err := listsApart(ctx, listsOrder{b.lists, apiLength, namespaces})
	after := b.adapter.usage()
	stop()
	if err != nil {
		return err
	}
	b.report.Lists = lists
	b.report.APICores = (after.cpu - before.cpu) / after.at.Sub(before.at).Seconds()
	l, d := b.report.Lists, b.report.Discovery
	b.progress("api: %.0f lists/s of %d bytes: p50 %.2f ms, p99 %.2f ms, largest %.0f ms, %d failed, %.2f cores in all; the client asked late by p50 %.2f ms, p99 %.2f ms; discovery p50 %.2f ms, p99 %.2f ms",
		l.PerSecond, l.Bytes, l.P50, l.P99, l.Max, l.Failed, b.report.APICores, l.LateP50, l.LateP99, d.P50, d.P99)
	return nil
}

// apiLength is how long lists are asked for.
const apiLength = 20 * time.Second

// relisted restarts kube-apiserver under the adapter.
func (b *bench) relisted(ctx context.Context) error {
	b.audit.next()
	w := b.watchRates(ctx)
	before := b.adapter.usage()
	if err := b.plane.restartAPI(ctx); err != nil {
		return err
	}
	sleep(ctx, 30*time.Second)
	after := b.adapter.usage()
	b.report.Relist = relist{Rates: w.stop(), Calls: b.audit.next(),
		Cores: (after.cpu - before.cpu) / after.at.Sub(before.at).Seconds(), PeakRSS: after.peak}
	r := b.report.Relist
	b.progress("relist: %d API calls (peak %d/s), %.2f cores over 30 s, readings/s %.0f to %.0f", r.Calls.Total, r.Calls.Peak, r.Cores, r.Rates.Least, r.Rates.Peak)
	return nil
}

func (b *bench) restarted(ctx context.Context) (err error) {
	b.adapter.stop()
	b.report.Restart, err = b.start(ctx)
	return err
}
