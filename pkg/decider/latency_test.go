package decider

import "testing"

// The case of a histogram with 41 buckets whose first tokens all came after 3.0 to
// 3.1 s: the observation carries the percentile, whatever the buckets were.
func TestLatency_ofTheObservation(t *testing.T) {
	for _, tt := range []struct {
		name           string
		l              Latency
		running        Reading
		asked, becomes int32
	}{
		{"1.57 times the target", Latency{Known: true, Count: 5000, P95: 3140}, 4, 4, 4},
		{"at most twice as many at a time", Latency{Known: true, Count: 5000, P95: 60_000}, 4, 4, 4},
		{"at the target", Latency{Known: true, Count: 10, P95: 2000}, 4, 2, 2},
		{"nothing ended while requests run", Latency{Known: true, P95: Unknown()}, 4, -1, 2},
		{"nothing ended at rest, held down", Latency{Known: true, P95: Unknown()}, 0, 0, 2},
		{"no histogram", UnknownLatency(), 0, -1, 2},
		{"the zero value", Latency{}, 0, -1, 2},
		{"absurd", Latency{Known: true, Count: 3, P95: 1e300}, 4, -1, 2},
	} {
		for _, m := range []Metric{TTFTP95, ITLP95} {
			spec, obs := steady(2, m)
			spec.Targets[0].Value = 2000
			for i := range obs.Pods {
				obs.Pods[i].Running, obs.Pods[i].Waiting, obs.Pods[i].Totals.Known = tt.running, 0, true
			}
			if tt.running == 0 {
				obs.Concurrency, obs.RPS, obs.InFlight = Windowed{}, Windowed{}, 0
			}
			obs.TTFT, obs.ITL = UnknownLatency(), UnknownLatency()
			if m == TTFTP95 {
				obs.TTFT = tt.l
			} else {
				obs.ITL = tt.l
			}
			d, _, err := Decide(spec, State{}, obs)
			if err != nil || d.Wants[0].Asked != tt.asked || d.Replicas != tt.becomes {
				t.Errorf("%s, %s: %+v, %v; want %d asked, %d replicas", m, tt.name, d, err, tt.asked, tt.becomes)
			}
		}
	}
}

// A percentile that only the last sample of the pods gives asks for no replica; with the next
// sample it does. It never keeps a want from falling.
func TestLatency_secondSample(t *testing.T) {
	kept := func(p95 Reading) PreviousLatency { return PreviousLatency{Kept: true, P95: p95} }
	for _, tt := range []struct {
		name     string
		p95      Reading
		previous PreviousLatency
		becomes  int32
		reason   Reason
	}{
		{"both ask for more", 60_000, kept(50_000), 20, ""},
		{"the earlier one asks for less", 60_000, kept(3000), 15, UnconfirmedJump},
		{"the earlier one was at the target", 60_000, kept(2000), 10, UnconfirmedJump},
		{"the earlier one asks for fewer", 60_000, kept(200), 10, UnconfirmedJump},
		{"there was none", 60_000, kept(Unknown()), 10, UnconfirmedJump},
		{"the earlier one was absurd", 60_000, kept(1e300), 10, UnconfirmedJump},
		{"only the earlier one asks for more", 2000, kept(60_000), 10, ""},
		{"fewer, held down", 200, kept(2000), 10, ScaleDownStabilized},
		{"fewer, and there was none", 200, kept(Unknown()), 10, ScaleDownStabilized},
		{"a recording that did not keep it", 60_000, PreviousLatency{}, 20, ""},
	} {
		for _, m := range []Metric{TTFTP95, ITLP95} {
			spec, obs := steady(10, m)
			spec.Targets[0].Value = 2000
			spec.MaxReplicas, spec.MaxScaleUpRate = 0, 1000
			l := Latency{Known: true, Count: 100, P95: tt.p95, Previous: tt.previous}
			if m == TTFTP95 {
				obs.TTFT = l
			} else {
				obs.ITL = l
			}
			d, _, err := Decide(spec, State{}, obs)
			if err != nil || d.Replicas != tt.becomes || tt.reason != "" && d.Wants[0].reason() != tt.reason {
				t.Errorf("%s, %s: %+v, %v; want %d replicas, %q", m, tt.name, d, err, tt.becomes, tt.reason)
			}
		}
	}
}

// reason is that of the first step.
func (w Want) reason() Reason {
	if len(w.Trace) == 0 {
		return ""
	}
	return w.Trace[0].Reason
}
