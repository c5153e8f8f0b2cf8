package collector

import (
	"cmp"
	"slices"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// Endpoint is where the engine of a revision is read, and in how many pods.
type Endpoint struct {
	// Engine is the name of the engine that was found; "" while no page was read.
	Engine string
	// Port and URI are where its page is, after a redirect. Port is 0 where no metrics endpoint is read.
	Port int
	URI  string
	// Readable is how many of the Ready pods have a sample that may still be used.
	Readable, Ready int
	// Lacks are the metrics that no readable page has, although its engine has worked.
	Lacks []decider.Metric
}

// Endpoint returns where the engine of a revision is read; all of it is zero for a
// revision that is not watched.
func (c *Collector) Endpoint(key Key) (e Endpoint) {
	r := c.lookup(key)
	if r == nil {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Port = r.spec.Port
	var readable []*pod
	for _, p := range r.pods {
		if !p.serves() {
			continue
		}
		e.Ready++
		if t := p.targets[enginePage]; t.fresh(r.c.clock.now()) {
			readable = append(readable, p)
		}
	}
	e.Readable = len(readable)
	if len(readable) == 0 {
		return e
	}
	first := slices.MinFunc(readable, func(a, b *pod) int { return cmp.Compare(a.Name, b.Name) })
	t := first.targets[enginePage]
	e.Engine, e.Port, e.URI = t.found, t.port, t.asked
	e.Lacks = lacking(readable)
	return e
}

// lacking are the metrics that no pod's page has.
func lacking(pods []*pod) (metrics []decider.Metric) {
	for _, d := range decider.Metrics() {
		m := d.Metric
		if !slices.ContainsFunc(pods, func(p *pod) bool { return p.mayReport(m) }) {
			metrics = append(metrics, m)
		}
	}
	return metrics
}

// mayReport reports whether the last page of a pod's engine has what a metric is made of,
// or may have it once the engine has answered a request.
func (p *pod) mayReport(m decider.Metric) bool {
	if of, ok := engineMetrics[m]; ok {
		return known(of.onPage(&p.engine))
	}
	if of, ok := latencyMetrics[m]; ok {
		return of.onPage(&p.engine.totals).Count.Known() || p.mayCome(of.field)
	}
	return true
}

// mayCome reports whether a histogram that is not on the page may come with the first
// answer: some clients do not write one without a value.
func (p *pod) mayCome(f engines.Field) bool {
	t := &p.engine.totals
	kind, _ := engines.ByName(p.targets[enginePage].found)
	return kind.Has(f) && !(t.Finished > 0 || t.GenerationTokens > 0)
}
