package slo

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"
)

// learner is what every type that learns has, besides an estimate of its own kind.
type learner interface {
	observe(*bin)
	valid() bool
}

// TestState_learners: each learner observes a closed bin, and an empty bin leaves it valid.
func TestState_learners(t *testing.T) {
	s := newState(time.Unix(0, 0))
	for _, l := range []learner{&s.Arrivals, &s.Ratio, &s.Lengths, &s.Outputs, &s.StepTime, &s.Concurrency, &s.Queue, &s.KVBackoff, &s.Startups, &s.Missing, &s.Misses} {
		l.observe(newBin(Objective{}.WithDefaults(), Input{Time: time.Unix(10, 0)}, nil))
		if !l.valid() {
			t.Errorf("%T: not valid after a bin in which nothing is known: %+v", l, l)
		}
	}
}

// TestState_ofAnotherVersion: what the program before stored is neither an error nor
// misread; the policy begins anew.
func TestState_ofAnotherVersion(t *testing.T) {
	text, err := os.ReadFile("testdata/state-version-2.json")
	if err != nil {
		t.Fatal(err)
	}
	var old State
	if err := json.Unmarshal(text, &old); err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	if old.Valid() == nil {
		t.Error("it is valid")
	}
	now := time.Date(2026, 1, 1, 0, 30, 2, 0, time.UTC)
	if next := old.continued(now); !reflect.DeepEqual(next, newState(now)) {
		t.Errorf("continued as %+v", next)
	}
}

// TestState_stored: a stored state is the same when it is read again.
func TestState_stored(t *testing.T) {
	now := time.Unix(1000, 0).UTC()
	in := Input{Time: now, Replicas: 2, Ready: 2, RPS: 3, InFlight: 4, Pods: []Pod{{Name: "a", ReadyAfter: time.Minute, Totals: &Totals{Known: true}}}}
	o := Objective{TTFT: time.Second, ITL: time.Second, Goal: .99}
	var s *State
	for range 40 {
		in.Time = in.Time.Add(10 * time.Second)
		_, s = Next(o, s, in)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read State
	if err := json.Unmarshal(text, &read); err != nil || read.Valid() != nil {
		t.Fatalf("%v, %v", err, read.Valid())
	}
	again, err := json.Marshal(&read)
	if err != nil || string(again) != string(text) {
		t.Errorf("read again:\n%s\nnot\n%s", again, text)
	}
	for _, bad := range []string{
		`{"v":11,"sampler":{"pods":[[1,2]]},"kvBackoff":{"share":1}}`, `{"v":11,"sampler":{"pods":[{}]}}`, `{"v":"x"}`, `[]`,
	} {
		if err := json.Unmarshal([]byte(bad), &read); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
	for _, bad := range []func(*State){
		func(s *State) { s.KV = -1 }, func(s *State) { s.KVBackoff.Share = 0 }, func(s *State) { s.Misses.Shares = []podShare{{1, -1}} },
		func(s *State) { s.Misses.Outcomes = outcomes{{1, 1, 2}} }, func(s *State) { s.Counter.Open = -1 }, func(s *State) { s.Missing.Mean = -1 },
		func(s *State) { s.Sampler.Pods = make([]podCounters, maxFollowedPods+1) }, func(s *State) { s.Sampler.TTFT = -1 },
	} {
		spoilt := *s
		if bad(&spoilt); spoilt.Valid() == nil {
			t.Errorf("valid: %+v", spoilt)
		}
	}
}
