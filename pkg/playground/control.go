package playground

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/policy"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// Control is what a viewer can change, and what the flags set first.
type Control struct {
	// Shape is a name out of Shapes, Rate the requests per second at its factor 1.
	Shape string  `json:"shape"`
	Rate  float64 `json:"rate"`
	// Input and Output are the mean tokens of a request.
	Input  float64 `json:"input"`
	Output float64 `json:"output"`
	// TTFT and ITL are the objective in seconds, Goal the share of requests that are to meet it.
	TTFT float64 `json:"ttft"`
	ITL  float64 `json:"itl"`
	Goal float64 `json:"goal"`
	// Policy is "ipa", the real decision loop, or a policy of the simulator with its options.
	Policy string `json:"policy"`
	// Speed is simulated seconds per second: 1 scrapes the pods, more cannot.
	Speed float64 `json:"speed"`
	// Max bounds the replicas.
	Max int32 `json:"max"`
	// Engine and Lead are fixed at the start.
	Engine string        `json:"engine"`
	Lead   time.Duration `json:"lead_ns"`
}

// NewControl returns the defaults: a small fleet with a short cold start, so
// that there is something to see in the first minutes.
func NewControl() Control {
	slo := simulator.NewConfig().SLO
	return Control{
		Shape: "day", Rate: 20, Input: 1000, Output: 200,
		TTFT: slo.TTFT.Seconds(), ITL: slo.ITL.Seconds(), Goal: slo.Goal,
		Policy: "ipa", Speed: 1, Max: 20, Engine: engine.Profiles()[0].Name, Lead: 20 * time.Second,
	}
}

// Policies are offered on the page; any other that the simulator knows works too.
func Policies() []string {
	return []string{"ipa", "kpa", "kpa:target=20", "hpa:metric=kv_cache_usage_percent,target=70", "hpa:metric=num_requests_waiting,target=1", "apa", "wva", "static:replicas=4"}
}

// validate names the field at fault.
func (c Control) validate() error {
	for _, f := range []struct {
		name            string
		value, min, max float64
	}{
		{"rate", c.Rate, 0, 10000}, {"input", c.Input, 1, 30000}, {"output", c.Output, 1, 4000},
		{"ttft", c.TTFT, 0.01, 600}, {"itl", c.ITL, 0.001, 60}, {"goal", c.Goal, 0.5, 0.9999}, {"max", float64(c.Max), 1, 500},
	} {
		if !(f.value >= f.min && f.value <= f.max) {
			return fmt.Errorf("%s: %v must be from %v to %v", f.name, f.value, f.min, f.max)
		}
	}
	if c.Lead < 0 || c.Lead > time.Hour {
		return fmt.Errorf("lead: %v must be from 0s to 1h0m0s", c.Lead)
	}
	if !slices.Contains(Speeds(), c.Speed) {
		return fmt.Errorf("speed: %v is not one of %v", c.Speed, Speeds())
	}
	if strings.HasPrefix(c.Policy, policy.Oracle) {
		return fmt.Errorf("policy: %s knows the future, which the playground does not have", policy.Oracle)
	}
	_, err := shapeNamed(c.Shape)
	return err
}

// Speeds are the possible speeds.
func Speeds() []float64 { return []float64{1, 10, 60} }

func (c Control) config() (simulator.Config, error) {
	profiles := engine.Profiles()
	i := slices.IndexFunc(profiles, func(p engine.Profile) bool { return p.Name == c.Engine })
	if i < 0 {
		return simulator.Config{}, fmt.Errorf("engine: there is no profile %q; ipa simulate --profiles lists the %d names", c.Engine, len(profiles))
	}
	cfg := simulator.NewConfig()
	cfg.Engine, cfg.Max, cfg.Initial, cfg.Lead, cfg.Seed = profiles[i], 500, 1, c.Lead, 1
	cfg.Warmup, cfg.Scrape = 0, 100*time.Millisecond
	cfg.SLO = c.slo()
	return cfg, nil
}

func (c Control) slo() simulator.SLO {
	return simulator.SLO{TTFT: seconds(c.TTFT), ITL: seconds(c.ITL), Goal: c.Goal}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// spec is what the same wishes are in a cluster.
func (c Control) spec() decider.Spec {
	s := decider.DefaultSpec()
	s.SLO = decider.Objective{TTFT: seconds(c.TTFT), ITL: seconds(c.ITL), Goal: c.Goal, StartupTime: c.Lead}
	s.MinReplicas, s.MaxReplicas, s.StableWindow = 1, c.Max, window.KnativeStable
	return s
}

// Set takes new controls over, or leaves everything as it is with an error.
func (w *World) Set(c Control) error {
	if err := c.validate(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fixed(c); err != nil {
		return err
	}
	chosen, err := w.choose(c)
	if err != nil {
		return err
	}
	now := time.Now()
	if w.control.Speed != 0 {
		w.base, w.began = w.clock(now), now
	}
	if c.Shape != w.control.Shape {
		w.load.shape, _ = shapeNamed(c.Shape)
		w.load.since = w.base
	}
	w.load.rate, w.load.input, w.load.output = c.Rate, c.Input, c.Output
	w.load.from(w.fleet.Now())
	w.control, w.policy, w.asked = c, chosen, max(w.asked, w.base)
	return nil
}

// fixed refuses another value of what holds from the start on.
func (w *World) fixed(c Control) error {
	switch {
	case w.control.Engine == "": // this is the start
		return nil
	case c.Engine != w.control.Engine:
		return fmt.Errorf("engine: it is %s from the start to the end; start another playground with --engine %s", w.control.Engine, c.Engine)
	case c.Lead != w.control.Lead:
		return fmt.Errorf("lead_ns: it is %d from the start to the end; start another playground with --lead %v", w.control.Lead, c.Lead)
	}
	return nil
}

// choose returns the policy that decides instead of the real loop, nil for none.
func (w *World) choose(c Control) (simulator.Policy, error) {
	if c.Policy == "ipa" && c.Speed == 1 {
		return nil, nil
	}
	if w.policy != nil && c.Policy == w.control.Policy && c.slo() == w.control.slo() && c.Max == w.control.Max {
		return w.policy, nil
	}
	build, err := policy.New(c.Policy)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	cfg.Max = c.Max
	return build(cfg)
}
