package collector

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the collector's own. No label names a pod or a revision.
type metrics struct {
	scrapes  *prometheus.CounterVec
	duration [sources]prometheus.Observer
	bytes    [sources]prometheus.Counter
	targets  [sources]prometheus.Gauge
	stale    [sources]prometheus.Gauge
	panics   prometheus.Counter
	// engineSeconds and engineShare are what the readings take of the engines' time.
	engineSeconds prometheus.Counter
	engineShare   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	label := []string{"source"}
	duration := f.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ipa_collector_scrape_duration_seconds",
		Help:    "Time from the request to the decoded sample, failures included, by source.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	}, label)
	bytes := f.NewCounterVec(prometheus.CounterOpts{
		Name: "ipa_collector_scrape_bytes_total",
		Help: "Bytes of pages read, after decompression, by source.",
	}, label)
	targets := f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ipa_collector_targets",
		Help: "Ready pods that are scraped, by source.",
	}, label)
	stale := f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "ipa_collector_stale_pods",
		Help: "Ready pods whose values are unknown, because they were never read or the last good sample is too old, by source.",
	}, label)
	m := &metrics{scrapes: f.NewCounterVec(prometheus.CounterOpts{
		Name: "ipa_collector_scrapes_total",
		Help: "Scrapes by source and result: ok, or the cause of the failure; implausible also counts pages of which only some values were not believed.",
	}, []string{"source", "result"})}
	m.engineSeconds = f.NewCounter(prometheus.CounterOpts{
		Name: "ipa_collector_engine_seconds_total",
		Help: "Time that engines took to render the pages read, by the shortest response of each engine lately.",
	})
	m.engineShare = f.NewGauge(prometheus.GaugeOpts{
		Name: "ipa_collector_engine_time_ratio",
		Help: "Share of its time that the engine with the most expensive page gives to this replica's regular readings; all replicas together are to take at most 0.01.",
	})
	m.panics = Panics(r).WithLabelValues("collector")
	for s := range sources {
		name := s.String()
		m.duration[s] = duration.WithLabelValues(name)
		m.bytes[s] = bytes.WithLabelValues(name)
		m.targets[s] = targets.WithLabelValues(name)
		m.stale[s] = stale.WithLabelValues(name)
		m.scrapes.WithLabelValues(name, "ok")
	}
	return m
}

// Panics returns the counter of recovered panics, by part of the program. Another part may have
// registered it before.
func Panics(r prometheus.Registerer) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ipa_panics_total",
		Help: "Panics that the program recovered from, by where they happened. Each one is a fault of the autoscaler; the data that caused it is held as unknown.",
	}, []string{"where"})
	var before prometheus.AlreadyRegisteredError
	if err := r.Register(v); errors.As(err, &before) {
		if had, ok := before.ExistingCollector.(*prometheus.CounterVec); ok {
			return had
		}
	}
	return v
}

func (m *metrics) observe(s source, result string, d time.Duration, bytes int) {
	m.scrapes.WithLabelValues(s.String(), result).Inc()
	m.duration[s].Observe(d.Seconds())
	m.bytes[s].Add(float64(bytes))
}

// targetCounts are counted over all revisions once a second.
type targetCounts struct {
	all, stale, led [sources]int
	// engineShare is the largest share of an engine's time.
	engineShare float64
}

func newTargetCounts() targetCounts { return targetCounts{} }

func (n *targetCounts) add(t *target) {
	n.all[t.source]++
	if !t.known {
		n.stale[t.source]++
	}
	if t.rev.leads.Load() {
		n.led[t.source]++
	}
	if t.planned > 0 {
		n.engineShare = max(n.engineShare, float64(t.pageCost.Load())/float64(t.planned))
	}
}

// weighed counts a target that this replica does not lead as the part of one.
func (n *targetCounts) weighed() (counts [sources]int) {
	for s := range sources {
		counts[s] = n.led[s] + (n.all[s]-n.led[s]+standbyFactor-1)/standbyFactor
	}
	return counts
}

func (m *metrics) setTargets(n targetCounts) {
	m.engineShare.Set(n.engineShare)
	for s := range sources {
		m.targets[s].Set(float64(n.all[s]))
		m.stale[s].Set(float64(n.stale[s]))
	}
}
