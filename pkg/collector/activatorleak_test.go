package collector

import (
	"testing"
	"time"
)

// withConcurrency is an activator's page with a concurrency of the world's revision.
func withConcurrency(page, concurrency string) string {
	return page + "# TYPE kn_revision_request_concurrency gauge\nkn_revision_request_concurrency{k8s_namespace_name=\"" + rev.Namespace +
		"\",kn_configuration_name=\"llm\",kn_revision_name=\"" + rev.Name + "\"} " + concurrency + "\n"
}

func (w *world) atActivatorWith(queued, active int, concurrency string) {
	w.set(activatorIP, func(p *fakePod) {
		p.statPage = answerText(withConcurrency(activatorPageOf(queued, active), concurrency))
	})
}

// A panic in the activator leaves a request counted for ever (Knative v0.50.0, seen on 30 November
// 2026): the concurrency is 0. A minute later the request is left out; others are seen at once.
func TestActivators_forgottenRequests(t *testing.T) {
	withActivator(t, nil, func(t *testing.T, w *world) {
		w.atActivatorWith(1, 0, "1")
		after(90 * time.Second)
		wantReading(t, "open while one is held", w.observe().Open, 1)
		w.atActivatorWith(1, 0, "0")
		after(50 * time.Second)
		wantReading(t, "open before the minute", w.observe().Open, 1)
		after(15 * time.Second)
		wantReading(t, "open after the minute", w.observe().Open, 0)
		w.atActivatorWith(3, 0, "0") // two come; the first report leaves them out
		after(1200 * time.Millisecond)
		wantReading(t, "open with two more", w.observe().Open, 2)
		w.atActivatorWith(1, 0, "0.4") // they ended
		after(1200 * time.Millisecond)
		wantReading(t, "open without them", w.observe().Open, 0)
	})
}

// What was forgotten counts again where the activator may have begun anew.
func TestActivators_forgottenNoLonger(t *testing.T) {
	for name, begins := range map[string]func(w *world){
		"unreadable in between": func(w *world) {
			w.set(activatorIP, func(p *fakePod) { p.statPage = answerText("") })
			after(3 * time.Second)
			w.atActivatorWith(1, 0, "0")
			after(1200 * time.Millisecond)
		},
		"shown by the concurrency": func(w *world) {
			w.atActivatorWith(1, 0, "1")
			after(7 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			withActivator(t, nil, func(t *testing.T, w *world) {
				w.atActivatorWith(1, 0, "0")
				after(70 * time.Second)
				wantReading(t, "open", w.observe().Open, 0)
				begins(w)
				wantReading(t, "open again", w.observe().Open, 1)
			})
		})
	}
}

// An activator whose page has no concurrencies is believed.
func TestActivators_withoutConcurrency(t *testing.T) {
	withActivator(t, nil, func(t *testing.T, w *world) {
		w.atActivator(1, 0)
		after(5 * time.Minute)
		wantReading(t, "open", w.observe().Open, 1)
	})
}
