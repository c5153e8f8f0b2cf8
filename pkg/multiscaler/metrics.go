package multiscaler

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Metrics are the loop's own metrics. Series are bounded by the revisions of
// our class and go away with them.
type Metrics struct {
	decisions *prometheus.CounterVec
	errors    prometheus.Counter
	desired   *prometheus.GaugeVec
	ready     *prometheus.GaugeVec
	draining  *prometheus.GaugeVec
	want      *prometheus.GaugeVec
	slo       *prometheus.GaugeVec
	actuation prometheus.Histogram
	panics    *prometheus.CounterVec
}

// NewMetrics registers the loop's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	revision := []string{"namespace", "revision"}
	m := &Metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ipa_decisions_total", Help: "Decisions made, by the reason of the count.",
		}, []string{"reason"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ipa_decision_errors_total", Help: "Decisions that failed on an invalid spec or observation.",
		}),
		desired: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ipa_desired_replicas", Help: "Replicas of the newest decision.",
		}, revision),
		ready: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ipa_ready_replicas", Help: "Ready pods the newest decision was made from.",
		}, revision),
		draining: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ipa_draining_replicas", Help: "Pods that are given up and work off their requests, as of the newest decision.",
		}, revision),
		want: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ipa_want_replicas", Help: "Replicas that one signal asks for; absent while the signal is unknown.",
		}, append(revision, "metric")),
		slo: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ipa_slo", Help: "Parts of the newest decision on the metric slo: what a replica sustains, demand, startup time and the rest; absent while unknown.",
		}, append(revision, "part")),
		actuation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ipa_actuation_duration_seconds", Help: "Time from a decision that changes the count to the patched scale target.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		panics: collector.Panics(reg),
	}
	for _, where := range panicPlaces {
		m.panics.WithLabelValues(where)
	}
	reg.MustRegister(m.decisions, m.errors, m.desired, m.ready, m.draining, m.want, m.slo, m.actuation)
	return m
}

// panicPlaces are where Panicked is called for. Their series are there from the start:
// Prometheus's increase does not count a series' first value, so the first panic would be missed.
var panicPlaces = []string{"restore", "decide", "reconcile"}

// Actuated records the time from a decision to the patched scale target, in seconds.
func (m *Metrics) Actuated(seconds float64) {
	if m != nil {
		m.actuation.Observe(seconds)
	}
}

// Panicked counts an internal error that was contained; where is one of panicPlaces.
func (m *Metrics) Panicked(where string) {
	if m != nil {
		m.panics.WithLabelValues(where).Inc()
	}
}

func (m *Metrics) failed() {
	if m != nil {
		m.errors.Inc()
	}
}

// decided publishes a record; wants of metrics that the spec no longer names go.
func (m *Metrics) decided(r collector.Key, before, rec Record) {
	if m == nil {
		return
	}
	for _, w := range before.Decision.Wants {
		if !wants(rec.Decision, w.Metric) {
			m.want.DeleteLabelValues(r.Namespace, r.Name, string(w.Metric))
		}
	}
	m.decisions.WithLabelValues(string(rec.Decision.Reason)).Inc()
	m.desired.WithLabelValues(r.Namespace, r.Name).Set(float64(rec.Decision.Replicas))
	m.ready.WithLabelValues(r.Namespace, r.Name).Set(float64(rec.Observation.Ready))
	m.draining.WithLabelValues(r.Namespace, r.Name).Set(float64(drainingPods(rec.Observation)))
	for _, w := range rec.Decision.Wants {
		m.wanted(r, w)
	}
	m.objective(r, rec.Decision.SLO)
}

func drainingPods(obs decider.Observation) (n int) {
	for _, p := range obs.Pods {
		if p.Phase == decider.Draining {
			n++
		}
	}
	return n
}

// objective publishes the parts of a decision on the metric slo.
func (m *Metrics) objective(r collector.Key, p *decider.SLOParts) {
	if p == nil {
		return
	}
	for _, part := range decider.Parts() {
		switch v := part.Of(*p); {
		case part.LogOnly:
		case !v.Known():
			m.slo.DeleteLabelValues(r.Namespace, r.Name, part.PublishedName())
		default:
			m.slo.WithLabelValues(r.Namespace, r.Name, part.PublishedName()).Set(float64(v))
		}
	}
}

func wants(d decider.Decision, m decider.Metric) bool {
	return slices.ContainsFunc(d.Wants, func(w decider.Want) bool { return w.Metric == m })
}

// wanted sets the want of one signal, and removes it while it is unknown.
func (m *Metrics) wanted(r collector.Key, w decider.Want) {
	if w.Replicas < 0 {
		m.want.DeleteLabelValues(r.Namespace, r.Name, string(w.Metric))
		return
	}
	m.want.WithLabelValues(r.Namespace, r.Name, string(w.Metric)).Set(float64(w.Replicas))
}

func (m *Metrics) forget(r collector.Key) {
	if m == nil {
		return
	}
	match := prometheus.Labels{"namespace": r.Namespace, "revision": r.Name}
	m.desired.DeletePartialMatch(match)
	m.ready.DeletePartialMatch(match)
	m.draining.DeletePartialMatch(match)
	m.want.DeletePartialMatch(match)
	m.slo.DeletePartialMatch(match)
}
