package playground

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// A change of the controls keeps the time, and begins the new load, shape and policy at it.
func TestSet_keepsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewControl()
		c.Shape, c.Speed = "steady", 10
		w, err := NewWorld(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer w.podPages.Close()
		time.Sleep(6 * time.Second)
		w.load.next, w.load.due = time.Hour, true // the next request of a rate that is nearly nothing
		c.Shape, c.Speed, c.Rate, c.Policy = "step", 60, 30, "static:replicas=2"
		if err := w.Set(c); err != nil {
			t.Fatal(err)
		}
		if got := w.clock(time.Now()); got != time.Minute || w.asked != time.Minute {
			t.Errorf("after 6 s at 10 times the speed it is %v, and the policy decides from %v on", got, w.asked)
		}
		if before, after := w.load.perSecond(119*time.Second), w.load.perSecond(121*time.Second); before != 30 || after != 90 {
			t.Errorf("the step of the new shape is from %v to %v, want 30 to 90 a minute after the change", before, after)
		}
		if w.load.next != w.fleet.Now() {
			t.Errorf("the next request comes at %v, as before the change", w.load.next)
		}
		time.Sleep(time.Second)
		if got := w.clock(time.Now()); got != 2*time.Minute {
			t.Errorf("a second later at 60 times the speed it is %v, want 2m", got)
		}
	})
}

// scripted is a policy that notes when it was asked.
type scripted struct {
	want  int32
	err   error
	asked []time.Time
}

func (*scripted) Period() time.Duration { return 2 * time.Second }

func (s *scripted) Want(o decider.Observation) (simulator.Want, error) {
	s.asked = append(s.asked, o.Time)
	return simulator.Want{Replicas: s.want, Why: "scripted"}, s.err
}

// A policy is asked once a period up to the present time, however late; its count is bounded, its error ends the run.
func TestWorld_asksThePolicy(t *testing.T) {
	for _, c := range []struct {
		name         string
		to           []time.Duration
		policy       scripted
		asked, wants int32
	}{
		{"in one step", []time.Duration{10 * time.Second}, scripted{want: 3}, 5, 3},
		{"in small steps", []time.Duration{time.Second, 1900 * time.Millisecond, 2 * time.Second, 3 * time.Second, 4 * time.Second}, scripted{want: 3}, 2, 3},
		{"before the first period", []time.Duration{time.Second}, scripted{want: 3}, 0, 1},
		{"more than the largest number", []time.Duration{2 * time.Second}, scripted{want: 100}, 1, 20},
		{"less than one", []time.Duration{2 * time.Second}, scripted{want: 0}, 1, 1},
		{"an error", []time.Duration{10 * time.Second}, scripted{err: errors.New("broken")}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := lockedWorld(t)
			w.control.Speed, w.policy = 60, &c.policy
			var err error
			for _, to := range c.to {
				if err = w.advance(to); err == nil && w.fleet.Now() != to {
					t.Errorf("the fleet is at %v, want %v", w.fleet.Now(), to)
				}
			}
			if !errors.Is(err, c.policy.err) {
				t.Errorf("error %v, want %v", err, c.policy.err)
			}
			p, _ := w.fleet.Point(w.fleet.Now())
			if len(c.policy.asked) != int(c.asked) || p.Wanted != c.wants {
				t.Errorf("asked %d times and %d wanted, want %d and %d", len(c.policy.asked), p.Wanted, c.asked, c.wants)
			}
			for i, at := range c.policy.asked {
				if since := at.Sub(c.policy.asked[0]); since != time.Duration(i)*2*time.Second {
					t.Errorf("asked again %v after the first time", since)
				}
			}
		})
	}
}

// All requests of a step arrive.
func TestWorld_submits(t *testing.T) {
	w := lockedWorld(t)
	w.load.rate = 100 // and a quarter of it at the beginning of the day
	if err := w.advance(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p, err := w.fleet.Point(w.fleet.Now()); err != nil || p.ArrivalsPerSecond < 20 || p.ArrivalsPerSecond > 30 {
		t.Errorf("%v requests/s, %v; want about 25", p.ArrivalsPerSecond, err)
	}
}

// Before the collector has anything, a policy in real time is not asked.
func TestWorld_asksOnlyWithNumbers(t *testing.T) {
	w, p := lockedWorld(t), &scripted{want: 3}
	w.policy = p
	if err := w.advance(10 * time.Second); err != nil || len(p.asked) > 0 {
		t.Errorf("asked %d times, %v", len(p.asked), err)
	}
}

// The real loop's decision scales the fleet and is on the page, unless there is none yet or another policy decides.
func TestWorld_acts(t *testing.T) {
	decided := multiscaler.Record{Time: time.Now(), Decision: decider.Decision{
		Replicas: 3, Wants: []decider.Want{{Metric: decider.SLO, Replicas: 3}, {Metric: decider.Running, Replicas: -1}, {Metric: decider.Waiting, Replicas: 0}}}}
	for _, c := range []struct {
		name   string
		record multiscaler.Record
		policy simulator.Policy
		wanted int32
		wants  []want
	}{
		{"decided", decided, nil, 3, []want{{"slo", 3}, {string(decider.Waiting), 0}}},
		{"not yet", multiscaler.Record{Decision: decided.Decision}, nil, 1, nil},
		{"another policy decides", decided, &scripted{}, 1, nil},
	} {
		w := lockedWorld(t)
		w.policy, w.pods = c.policy, append(w.pods, podNamed("a", true), podNamed("b", false))
		w.mu.Unlock()
		w.act(c.record)
		f, err := w.frame()
		w.mu.Lock()
		if err != nil || f.Wanted != c.wanted || !slices.Equal(f.Wants, c.wants) || (f.Why != "") != (c.wants != nil) {
			t.Errorf("%s: %d wanted, %v, %q, %v; want %d and %v", c.name, f.Wanted, f.Wants, f.Why, err, c.wanted, c.wants)
		}
		if !slices.Equal(f.Pages, []string{"a"}) {
			t.Errorf("%s: the page lists %v, want the Ready pod", c.name, f.Pages)
		}
	}
}

// The requests in the activator and the replicas of the Deployment are those of the fleet.
func TestWorld_answersForTheCluster(t *testing.T) {
	w := lockedWorld(t)
	w.last.Replicas, w.last.Queued = 4, 7
	w.mu.Unlock()
	defer w.mu.Lock()
	if n, ok := (scales{w}).Replicas(revision); n != 4 || !ok {
		t.Errorf("%d replicas, %v", n, ok)
	}
	if o, ok := (observer{w}).Observe(revision); o.Queued != 7 || ok {
		t.Errorf("%v queued, %v; want 7, and false because no pod is read", o.Queued, ok)
	}
}
