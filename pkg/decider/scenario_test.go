package decider

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Only commit the changes if you understand what caused them.
var update = flag.Bool("update", false, "rewrite what testdata/scenarios expects with what Decide answers")

// TestScenarios plays the stories in testdata/scenarios. A line is an order and,
// after "->", its outcome, which -update rewrites. Several outcomes have a line
// each below the order:
//
//	spec metric=kv_cache_usage_percent=70,concurrency=8 min=1 max=8   changes the named fields of the spec
//	tick t=10s pods=2*kv:90,run:4|kv:?|starting:30s                   decides once; -> count and reason
//	tick t=10s pods=wait:90,was:0|wait:5,was:?                        what the sample before showed of every reading; the same if not said
//	tick t=10s..60s/2s concurrency=12/20 ready=2                      decides every 2s; -> the count and its changes
//	explain                                                           -> the last decision, one sentence on a line
//	restart                                                           forgets the state
//	engine work=0.1 lead=60s                                          a fleet of engines that follows the decisions (see fleet_test.go)
//	run t=0s..600s rate=8                                             decides every 2s with that fleet; -> the count and its changes
//	parts                                                             -> the numbers behind the want of the metric slo
//	silence 30s                                                       nothing is decided for so long
//	fault stale=1 arrivals=off gpus=4                                 what can be seen of the fleet, or what it can get
//
// A tick's replicas are those of the last decision unless it says replicas=;
// ready is the number of Ready pods listed unless it says ready=. Everything
// else not said is unknown. The state crosses every tick as JSON.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := play(string(b))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(b), "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(want) || line != want[i] {
					t.Errorf("%s:%d\n got %s\nwant %s", file, i+1, line, strings.Join(want[min(i, len(want)):min(i+1, len(want))], ""))
				}
			}
		})
	}
}

// story is a scenario being played.
type story struct {
	spec  Spec
	state State
	last  Decision
	fleet fleet
}

// play returns the scenario with every outcome written anew.
func play(text string) (string, error) {
	s := story{fleet: newFleet(), spec: plainSpec()}
	var played []string
	for i, line := range strings.Split(text, "\n") {
		order, _, outcome := strings.Cut(line, "->")
		order = strings.TrimRight(order, " ")
		switch {
		case order == "" && outcome:
			continue
		case order == "", strings.HasPrefix(order, "#"):
			played = append(played, line)
			continue
		}
		outcomes, err := s.obey(strings.Fields(order))
		if err != nil {
			return "", fmt.Errorf("line %d: %w", i+1, err)
		}
		if len(outcomes) == 1 {
			played = append(played, order+" -> "+outcomes[0])
			continue
		}
		played = append(played, order)
		for _, o := range outcomes {
			played = append(played, "    -> "+o)
		}
	}
	return strings.Join(played, "\n"), nil
}

// plainSpec is what a revision without annotations has, and no target.
func plainSpec() Spec {
	return Spec{
		MinReplicas: 1, Reachable: true, StableWindow: time.Minute, PanicThreshold: 2, MaxScaleUpRate: 1000,
		MaxScaleDownRate: 2, Tolerance: 0.1, StartupDeadline: 10 * time.Minute,
	}
}

func (s *story) obey(words []string) ([]string, error) {
	switch words[0] {
	case "spec":
		return nil, s.change(words[1:])
	case "tick":
		return s.ticks(words[1:])
	case "explain":
		return strings.Split(strings.ReplaceAll(s.last.String(), ". ", ".\n"), "\n"), nil
	case "restart":
		s.state = State{}
		return nil, nil
	case "engine", "fault":
		return nil, s.fleet.set(words[1:])
	case "silence": // nobody decides, and nothing arrives
		d, err := time.ParseDuration(words[1])
		s.fleet.now += d
		return nil, err
	case "run":
		return s.run(words[1:])
	case "parts":
		return s.parts(), nil
	}
	return nil, fmt.Errorf("unknown order %q", words[0])
}

// parts lists the numbers behind the want of the metric slo.
func (s *story) parts() []string {
	p := s.last.SLO
	return []string{
		"demand " + number(float64(p.Demand)) + "/s, capacity " + number(float64(p.CapacityRPS)) + "/s per replica (" + p.Limit + ")",
		"target load " + number(float64(p.TargetLoad)) + ", growth factor " + number(float64(p.GrowthFactor)),
		"needed for the past hour " + number(float64(p.NeedPast)) + ", waiting requests " + number(float64(p.Backlog)) + ", without a node " + number(float64(p.Unmet)),
	}
}

func (s *story) change(fields []string) error {
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		if err := s.spec.set(key, value); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	return nil
}

func (s *Spec) set(key, value string) (err error) {
	count := func(p *int32) error { _, err := fmt.Sscan(value, p); return err }
	rate := func(p *float64) error { *p, err = strconv.ParseFloat(value, 64); return err }
	long := func(p *time.Duration) error { *p, err = time.ParseDuration(value); return err }
	yes := func(p *bool) error { *p, err = strconv.ParseBool(value); return err }
	switch key {
	case "metric":
		s.Targets = nil
		for m := range strings.SplitSeq(value, ",") {
			name, target, _ := strings.Cut(m, "=")
			if name == string(SLO) {
				s.Targets = append(s.Targets, Target{Metric: SLO})
				continue
			}
			v, err := strconv.ParseFloat(target, 64)
			if err != nil {
				return err
			}
			s.Targets = append(s.Targets, Target{Metric(name), v})
		}
		return nil
	case "min":
		return count(&s.MinReplicas)
	case "max":
		return count(&s.MaxReplicas)
	case "activation":
		return count(&s.ActivationScale)
	case "burst":
		return rate(&s.TargetBurst)
	case "capacity":
		return rate(&s.ReplicaCapacity)
	case "reachable":
		return yes(&s.Reachable)
	case "early-panic":
		return yes(&s.EarlyPanic)
	case "panic-threshold":
		return rate(&s.PanicThreshold)
	case "up":
		return rate(&s.MaxScaleUpRate)
	case "down":
		return rate(&s.MaxScaleDownRate)
	case "tolerance":
		return rate(&s.Tolerance)
	case "window":
		return long(&s.StableWindow)
	case "delay":
		return long(&s.ScaleDownDelay)
	case "startup":
		return long(&s.StartupDeadline)
	case "slo":
		return readObjective(&s.SLO, value)
	case "assumed-lead":
		return long(&s.SLO.StartupTime)
	}
	return fmt.Errorf("unknown field of a spec")
}

// ticks decides at every time that the fields name and reports the first
// outcome and each change: "3 ScaleDownStabilized", "62s: 1 DesiredWithinRange".
func (s *story) ticks(fields []string) ([]string, error) {
	obs, first, last, step, err := s.observation(fields)
	if err != nil {
		return nil, err
	}
	var changes []string
	before := ""
	for at := first; at <= last; at += step {
		o := obs
		o.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(at)
		if o.Replicas < 0 {
			o.Replicas = s.last.Replicas
		}
		o.Pods = nil
		for _, p := range obs.Pods {
			p.Age += at - first
			o.Pods = append(o.Pods, p)
		}
		if now := s.decide(o); now != before {
			if before != "" {
				changes = append(changes, fmt.Sprintf("%v: %s", at, now))
			} else {
				changes = append(changes, now)
			}
			before = now
		}
	}
	return changes, nil
}

func (s *story) decide(obs Observation) string {
	d, next, err := Decide(s.spec, s.state, obs)
	if err != nil {
		return "error: " + err.Error()
	}
	b, err := json.Marshal(next)
	if err != nil {
		return "error: " + err.Error()
	}
	s.last, s.state = d, State{}
	if err := json.Unmarshal(b, &s.state); err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%d %s", d.Replicas, d.Reason)
}

// observation reads a tick. Replicas -1 stands for the last decision's count.
func (s *story) observation(fields []string) (obs Observation, first, last, step time.Duration, err error) {
	obs = Observation{
		Replicas: -1, Ready: -1, InFlight: Unknown(), Arrivals: Unknown(), Queued: Unknown(),
		Concurrency: Windowed{Unknown(), Unknown()}, RPS: Windowed{Unknown(), Unknown()},
	}
	step = time.Second
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "t":
			first, last, step, err = span(value)
		case "replicas":
			_, err = fmt.Sscan(value, &obs.Replicas)
		case "ready":
			_, err = fmt.Sscan(value, &obs.Ready)
		case "concurrency":
			obs.Concurrency, err = windowed(value)
		case "rps":
			obs.RPS, err = windowed(value)
		case "inflight":
			obs.InFlight, err = readingOf(value)
		case "arrivals":
			obs.Arrivals, err = readingOf(value)
		case "queued":
			obs.Queued, err = readingOf(value)
		case "open":
			obs.Open, err = readingOf(value)
		case "pods":
			obs.Pods, err = podsOf(value)
		default:
			err = fmt.Errorf("unknown field of a tick")
		}
		if err != nil {
			return obs, 0, 0, 0, fmt.Errorf("%s: %w", f, err)
		}
	}
	if obs.Ready == -1 {
		obs.Ready = 0
		for _, p := range obs.Pods {
			if p.Phase == Ready {
				obs.Ready++
			}
		}
	}
	return obs, first, last, step, nil
}

// span reads 10s or 10s..60s/2s.
func span(s string) (first, last, step time.Duration, err error) {
	from, rest, repeated := strings.Cut(s, "..")
	if first, err = time.ParseDuration(from); err != nil || !repeated {
		return first, first, time.Second, err
	}
	to, every, _ := strings.Cut(rest, "/")
	if last, err = time.ParseDuration(to); err != nil {
		return 0, 0, 0, err
	}
	step, err = time.ParseDuration(every)
	if err == nil && step <= 0 {
		err = fmt.Errorf("a step of %v", step)
	}
	return first, last, step, err
}

// windowed reads stable/panic, or one number for both.
func windowed(s string) (Windowed, error) {
	stable, burst, two := strings.Cut(s, "/")
	if !two {
		burst = stable
	}
	var w Windowed
	var err, err2 error
	w.Stable, err = readingOf(stable)
	w.Panic, err2 = readingOf(burst)
	if err == nil {
		err = err2
	}
	return w, err
}

func readingOf(s string) (Reading, error) {
	if s == "?" {
		return Unknown(), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return Reading(f), err
}

// podsOf reads pods apart by |, each with its readings, 3*kv:90 for three of a kind.
func podsOf(s string) ([]Pod, error) {
	var pods []Pod
	for text := range strings.SplitSeq(s, "|") {
		n := 1
		if times, rest, ok := strings.Cut(text, "*"); ok {
			if _, err := fmt.Sscan(times, &n); err != nil {
				return nil, err
			}
			text = rest
		}
		p, err := podOf(text)
		if err != nil {
			return nil, err
		}
		for range n {
			p.Name = fmt.Sprintf("pod-%d", len(pods))
			pods = append(pods, p)
		}
	}
	return pods, nil
}

func podOf(s string) (p Pod, err error) {
	p = Pod{
		Age: time.Hour, Running: Unknown(), Waiting: Unknown(), KVCache: Unknown(),
		PromptTokens: Unknown(), GenerationTokens: Unknown(),
	}
	for f := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(f, ":")
		switch key {
		case "run":
			p.Running, err = readingOf(value)
		case "wait":
			p.Waiting, err = readingOf(value)
		case "kv":
			p.KVCache, err = readingOf(value)
		case "prompt":
			p.PromptTokens, err = readingOf(value)
		case "gen":
			p.GenerationTokens, err = readingOf(value)
		case "was":
			var was Reading
			was, err = readingOf(value)
			p.Previous = PreviousSample{true, was, was, was, was, was, 0}
		case "starting":
			p.Phase = Starting
			p.Age, err = time.ParseDuration(value)
		case "failing":
			p.Failing = true
		case "unschedulable":
			p.Unschedulable = true
		case "draining":
			p.Phase = Draining
		case "ungated":
			p.Ungated = true
		case "first-tokens":
			p.Totals.Known = true
			p.Totals.TTFT.Count, err = readingOf(value)
		case "age":
			p.Age, err = time.ParseDuration(value)
		case "ready": // no reading is known
		default:
			err = fmt.Errorf("unknown reading %q", key)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}
