package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// hideList is the value of --hide that lists the others.
const hideList = "list"

// dirtFlags say what is not as tidy as the rest of the simulation, for every policy. Their defaults change nothing.
func (o *options) dirtFlags(f *pflag.FlagSet) {
	c := &o.config
	f.Float64Var(&o.tokensPerStep, "tokens-per-step", 1, "tokens of a request that the engine makes at once (speculative decoding); the time of a token stays")
	f.Float64Var(&o.abort, "abort", 0, "share of requests, 0..1, whose clients hang up in the middle of the answer")
	f.Float64Var(&o.abortWithin, "abort-within", 1, "first part of the answer, 0..1, in which these clients hang up; 0 is the first token")
	f.IntVar(&c.PromptsPerRequest, "prompts-per-request", c.PromptsPerRequest, "prompts that one HTTP request carries")
	f.Float64Var(&c.OtherRequests, "other-requests", c.OtherRequests, "HTTP requests a second that never reach an engine")
	f.Var((*span)(&c.OtherRequestsFor), "other-requests-for", "time of every 5m in which these requests come; 0s is always")
	f.IntVar(&c.Ranks, "ranks", c.Ranks, "data-parallel ranks of a pod: engines with the GPUs of the profile each")
	f.Float64Var(&c.RankSkew, "rank-skew", 0, "share of a pod's requests, 0..1, that go to its first rank whatever its load")
	f.Var((*span)(&c.MetricsDelay), "metrics-delay", "time that a metrics endpoint takes to answer while requests wait; more than 5s is no answer")
	f.StringSliceVar(&c.Hide, "hide", c.Hide, "`NAMES` of what metrics endpoints do not report, with commas between; list prints them")
}

// dirtRanges are the values of these flags.
func (o options) dirtRanges() []bounds {
	c := o.config
	return []bounds{
		{"tokens-per-step", o.tokensPerStep, 1, engine.MaxTokensPerStep}, {"abort", o.abort, 0, 1}, {"abort-within", o.abortWithin, 0, 1},
		{"prompts-per-request", float64(c.PromptsPerRequest), 1, 1e4}, {"other-requests", c.OtherRequests, 0, 1e5}, {"ranks", float64(c.Ranks), 1, 256},
		{"rank-skew", c.RankSkew, 0, 1},
	}
}

// validateDirt checks what is not a number.
func (o options) validateDirt() error {
	if d := o.config.MetricsDelay; d > day {
		return fmt.Errorf("--metrics-delay %v; it must be between 0s and %v", d, day)
	}
	if d := o.config.OtherRequestsFor; d > simulator.BurstPeriod {
		return fmt.Errorf("--other-requests-for %v; it must be between 0s and %v", d, simulator.BurstPeriod)
	}
	if o.abortWithin < 1 && o.abort == 0 {
		return errors.New("--abort-within changes nothing without --abort: add --abort 0.5, for example")
	}
	if o.config.OtherRequestsFor > 0 && o.config.OtherRequests == 0 {
		return errors.New("--other-requests-for changes nothing without --other-requests: add --other-requests 50, for example")
	}
	return o.validateHide()
}

// validateHide names the name that is not known, and the one that was meant.
func (o options) validateHide() error {
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	known := map[string]bool{}
	for _, n := range simulator.HideableNames() {
		known[n] = true
		names.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	for _, n := range o.config.Hide {
		if known[n] {
			continue
		}
		meant := ""
		if similar := names.SuggestionsFor(n); len(similar) > 0 {
			meant = fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
		}
		return fmt.Errorf("--hide %q; it must be of %s%s", n, strings.Join(simulator.HideableNames(), ", "), meant)
	}
	return nil
}

// aborted is the load with clients that hang up.
func (l load) aborted(share, within float64) load {
	if share == 0 {
		return l
	}
	return load{l.title, func(seed uint64) (trace.Requests, error) {
		requests, err := l.requests(seed)
		return trace.Aborted(requests, share, within, seed), err
	}}
}

// hangUps is which clients hang up, and where, in words.
func (c *comparison) hangUps() string {
	s := fmt.Sprintf("%g %%", 100*c.abort)
	if c.abortWithin < 1 {
		s += fmt.Sprintf(", within the first %g %% of the answer", 100*c.abortWithin)
	}
	return s
}

// otherRequests is how many come, and when, in words.
func (c *comparison) otherRequests() string {
	s := fmt.Sprintf("%g/s", c.config.OtherRequests)
	if d := c.config.OtherRequestsFor; d > 0 {
		s += fmt.Sprintf(" for %s of every %s", text(d), text(simulator.BurstPeriod))
	}
	return s
}

// dirt is what of it is on, in words.
func (c *comparison) dirt() (s []report.Setting) {
	for _, o := range []struct {
		on          bool
		name, value string
	}{
		{c.config.Engine.TokensPerStep > 1, "tokens per step", fmt.Sprint(c.config.Engine.TokensPerStep)},
		{c.abort > 0, "clients that hang up", c.hangUps()},
		{c.config.PromptsPerRequest > 1, "prompts per HTTP request", fmt.Sprint(c.config.PromptsPerRequest)},
		{c.config.OtherRequests > 0, "other HTTP requests", c.otherRequests()},
		{c.config.Ranks > 1, "ranks of a pod", fmt.Sprint(c.config.Ranks)},
		{c.config.RankSkew > 0, "requests for the first rank of a pod", fmt.Sprintf("%g %%", 100*c.config.RankSkew)},
		{c.config.MetricsDelay > 0, "metrics endpoints answer under load after", text(c.config.MetricsDelay)},
		{len(c.config.Hide) > 0, "hidden", strings.Join(c.config.Hide, ", ")},
	} {
		if o.on {
			s = append(s, report.Setting{Name: o.name, Value: o.value})
		}
	}
	return s
}
