package zero

import (
	"testing"
	"time"
)

// The cases of Knative's own scaler (TestScaler and TestDisableScaleToZero in
// pkg/reconciler/autoscaling/kpa/scaler_test.go v0.50) that need no replica, with its
// stable window of 60 s and grace period of 30 s, and a deadline of 150 s.
func TestNext(t *testing.T) {
	const s = time.Second
	plain := func(change func(*Facts)) Facts {
		f := Facts{Window: 60 * s, Deadline: 150 * s, Grace: 30 * s, InPath: func() bool { return true }}
		change(&f)
		return f
	}
	notInPath := func() bool { return false }
	for name, c := range map[string]struct {
		f    Facts
		want Step
	}{
		"active for a stable window: marked inactive":   {plain(func(f *Facts) { f.Active, f.ActiveFor = true, 60*s }), Step{}},
		"the same in proxy mode: comes back":            {plain(func(f *Facts) { f.Active, f.ActiveFor, f.Proxied = true, 60*s, true }), Step{Again: 3 * s}},
		"active for less: one pod until then":           {plain(func(f *Facts) { f.Active, f.ActiveFor = true, 59*s }), Step{Want: 1, Apply: true, Again: s}},
		"waits for the grace period":                    {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor = 29*s, 29*s }), Step{Again: s}},
		"inactive for the grace period":                 {plain(func(f *Facts) { f.InactiveFor = 30 * s }), Step{Apply: true}},
		"proxied for the grace period":                  {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor = 5*s, 30*s }), Step{Apply: true}},
		"not inactive for the retention period":         {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor, f.Retention = 30*s, 30*s, 60*s }), Step{Again: 30 * s}},
		"the retention period is over":                  {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor, f.Retention = 60*s, 10*s, 60*s }), Step{Apply: true}},
		"retention shorter than grace, proxied less":    {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor, f.Retention = 20*s, 10*s, 10*s }), Step{Again: 20 * s}},
		"retention shorter than grace, proxied enough":  {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor, f.Retention = 20*s, 30*s, 10*s }), Step{Apply: true}},
		"the activator is not in the path":              {plain(func(f *Facts) { f.InactiveFor, f.ProxiedFor, f.InPath = 300*s, 300*s, notInPath }), Step{Again: s}},
		"activating: left alone":                        {plain(func(f *Facts) { f.Activating, f.ActivatingFor = true, 100*s }), Step{Want: -1, Again: 50 * s}},
		"activating for longer than the deadline: ends": {plain(func(f *Facts) { f.Activating, f.ActivatingFor = true, 150*s }), Step{Apply: true}},
	} {
		if got := Next(c.f); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// What a user or the cluster set goes before it: see TestKeepAlive of the reconciler.
func TestKeepAlive(t *testing.T) {
	for startup, want := range map[time.Duration]time.Duration{
		-time.Second: 0, 0: 0, 30 * time.Second: time.Minute, 5 * time.Minute: 10 * time.Minute, time.Hour: 30 * time.Minute,
	} {
		if got := KeepAlive(startup); got != want {
			t.Errorf("a startup time of %v: %v, want %v", startup, got, want)
		}
	}
}

// A start may take the progress deadline, or two of the startup times that were learned, and
// what Knative adds.
func TestStartDeadline(t *testing.T) {
	for startup, want := range map[time.Duration]time.Duration{
		0: 630 * time.Second, -time.Second: 630 * time.Second, 5 * time.Minute: 630 * time.Second, 20 * time.Minute: 40*time.Minute + 30*time.Second,
	} {
		if got := StartDeadline(DefaultProgressDeadline, startup); got != want {
			t.Errorf("startup %v: %v, want %v", startup, got, want)
		}
	}
}
