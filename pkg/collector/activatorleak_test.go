package collector

import (
	"fmt"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// atActivatorWith has the activator that started then report these requests and this concurrency of
// the world's revision. Without a start it is "".
func (w *world) atActivatorWith(started string, queued, active int, concurrency string) {
	page := activatorPageOf(queued, active) + "# TYPE kn_revision_request_concurrency gauge\n" +
		fmt.Sprintf("kn_revision_request_concurrency{k8s_namespace_name=%q,kn_configuration_name=\"llm\",kn_revision_name=%q} %s\n", rev.Namespace, rev.Name, concurrency) +
		"kn_revision_request_concurrency{otel_metric_overflow=\"true\"} 7\n"
	if started != "" {
		page += "process_start_time_seconds " + started + "\n"
	}
	w.set(activatorIP, func(p *fakePod) { p.statPage = answerText(page) })
}

// A panic in the activator leaves a request queued for ever (Knative v0.50.0, seen on 30 November
// 2026) with a concurrency of 0. A minute later the request is ignored; others are seen at once.
func TestActivators_forgottenRequests(t *testing.T) {
	withActivator(t, nil, func(t *testing.T, w *world) {
		is := func(queued, active int, concurrency string, wait time.Duration, want float64) {
			t.Helper()
			w.atActivatorWith("1.7e9", queued, active, concurrency)
			after(wait)
			wantReading(t, fmt.Sprintf("open of %d queued, %d active, concurrency %s", queued, active, concurrency), w.observe().Open, decider.Reading(want))
		}
		is(1, 0, "1", 90*time.Second, 1)
		is(1, 0, "0", 50*time.Second, 1)
		is(1, 0, "0", 15*time.Second, 0)
		is(3, 0, "0", 1200*time.Millisecond, 2) // two come; the first report leaves them out
		is(1, 0, "0.4", 20*time.Second, 0)      // short ones come and go
		is(1, 1, "1", 20*time.Second, 1)        // a long one passes through
		w.set(activatorIP, func(p *fakePod) { p.statPage = answerText("") })
		after(2 * time.Second)
		is(1, 0, "0", 1200*time.Millisecond, 0) // a reading that failed wakes nothing
		is(1, 0, "1", 8*time.Second, 1)         // shown for longer than a request that ended
		is(3, 0, "0", 70*time.Second, 0)
		is(2, 0, "0", 1200*time.Millisecond, 2) // fewer than were forgotten: the counter began anew
	})
}

// The requests of an activator that started anew are all believed, however many they are.
func TestActivators_forgottenByTheProcessBefore(t *testing.T) {
	for _, queued := range []int{1, 2, 3} {
		withActivator(t, nil, func(t *testing.T, w *world) {
			w.atActivatorWith("1.7e9", 2, 0, "0")
			after(70 * time.Second)
			wantReading(t, "open", w.observe().Open, 0)
			w.atActivatorWith("1.8e9", queued, 0, "0")
			after(1200 * time.Millisecond)
			wantReading(t, "open after the start", w.observe().Open, decider.Reading(queued))
		})
	}
}

// What contradicts nothing is believed: a page without the revision's concurrency, or without its start.
func TestActivators_notForgotten(t *testing.T) {
	for name, report := range map[string]func(w *world){
		"no concurrency": func(w *world) { w.atActivator(1, 0) },
		"no concurrency of this revision": func(w *world) {
			page := activatorPageOf(1, 0) + "kn_revision_request_concurrency{k8s_namespace_name=\"default\",kn_revision_name=\"llm-000010\"} 0\nprocess_start_time_seconds 1.7e9\n"
			w.set(activatorIP, func(p *fakePod) { p.statPage = answerText(page) })
		},
		"no start": func(w *world) { w.atActivatorWith("", 1, 0, "0") },
	} {
		t.Run(name, func(t *testing.T) {
			withActivator(t, nil, func(t *testing.T, w *world) {
				report(w)
				after(5 * time.Minute)
				wantReading(t, "open", w.observe().Open, 1)
			})
		})
	}
}
