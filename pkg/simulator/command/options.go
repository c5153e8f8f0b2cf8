package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
)

// options are the flags as they were given.
type options struct {
	trace, format, columns, synthetic, recorded, revision string
	fidelity, fit, out                                    string
	profiles                                              bool

	engine   string
	policies string
	json     string
	html     string
	sweep    bool

	seed     uint64
	seeds    int
	parallel int
	from, to time.Duration
	scale    float64

	tokensPerStep, abort, abortWithin float64

	config simulator.Config
	// changed reports which flags were given.
	changed func(name string) bool
}

// hint puts the way to the help behind what pflag says, or the flag that was meant.
func hint(flags *pflag.FlagSet, err error) error {
	var number *strconv.NumError // whose text is of Go, not of the flag
	if invalid := new(pflag.InvalidValueError); errors.As(err, &invalid) && errors.As(err, &number) {
		return fmt.Errorf("--%s %q; it must be a number, such as %s (see simulate --help)", invalid.GetFlag().Name, invalid.GetValue(), invalid.GetFlag().DefValue)
	}
	if unknown := new(pflag.NotExistError); errors.As(err, &unknown) {
		if similar := similarFlags(flags, unknown.GetSpecifiedName()); len(similar) > 0 {
			return fmt.Errorf("%w; did you mean --%s?", err, strings.Join(similar, " or --"))
		}
	}
	return fmt.Errorf("%w (see simulate --help)", err)
}

// similarFlags are the flags whose names are at most two letters away, as cobra finds commands.
func similarFlags(flags *pflag.FlagSet, name string) []string {
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	flags.VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return names.SuggestionsFor(name)
}

// bind adds the flags; their defaults are those of simulator.NewConfig.
func (o *options) bind(f *pflag.FlagSet) {
	o.loadFlags(f)
	o.fleetFlags(f)
	o.dirtFlags(f)
	o.outputFlags(f)
}

// loadFlags say which requests come.
func (o *options) loadFlags(f *pflag.FlagSet) {
	f.StringVar(&o.trace, "trace", "", "trace `FILE`, - for stdin")
	f.StringVar(&o.format, "format", "auto", "format of the trace: auto, azure, burstgpt, mooncake, vidur, rate or csv")
	f.StringVar(&o.columns, "columns", "", "columns of a CSV `time=A,input=B,output=C`")
	f.StringVar(&o.synthetic, "synthetic", "", "a load of our own instead of a trace: diurnal, burst, step, ramp, tenants or longprompt")
	f.StringVar(&o.recorded, "recorded", "", "`FILE` that the adapter has recorded in a cluster with --record")
	f.StringVar(&o.revision, "revision", "", "the revision of --recorded, `NAMESPACE/NAME`, where it holds several")
	f.Var((*span)(&o.from), "from", "leave out what comes before this time of the trace")
	f.Var((*span)(&o.to), "to", "leave out what comes from this time of the trace on (default: its end)")
	f.Float64Var(&o.scale, "scale", 1, "multiply the requests")
	f.IntVar(&o.seeds, "seeds", 1, "repeat with so many seeds; means and 95 % confidence intervals")
	f.Uint64Var(&o.seed, "seed", 1, "the first seed")
}

// fleetFlags say what serves them.
func (o *options) fleetFlags(f *pflag.FlagSet) {
	c := &o.config
	f.StringVar(&o.engine, "engine", c.Engine.Name, "engine profile: a `NAME` of --profiles or FILE.json")
	o.policies = "ipa,kpa,static,oracle"
	f.Var(&policyList{text: &o.policies}, "policy", "policies to compare, with options: `kpa:target=20,hpa`")
	f.Var((*span)(&c.Lead), "lead", "mean time from a pod's creation to Ready")
	f.Float64Var(&c.LeadCV, "lead-cv", c.LeadCV, "coefficient of variation of that time")
	f.Var((*span)(&c.SLO.TTFT), "slo-ttft", "time to first token that a request must meet")
	f.Var((*span)(&c.SLO.TTFTPerToken), "slo-ttft-per-token", "what every prompt token adds to --slo-ttft")
	f.Var((*span)(&c.SLO.ITL), "slo-itl", "mean time between output tokens that a request must meet")
	f.Float64Var(&c.SLO.Goal, "goal", c.SLO.Goal, "share of requests that should meet both, 0..1")
	f.Int32Var(&c.Min, "min", c.Min, "least replicas; with 0 each policy goes to zero and back as it really does, or keeps one")
	f.Int32Var(&c.Max, "max", c.Max, "most replicas")
	f.Int32Var(&c.Initial, "initial", c.Initial, "replicas at the start; 0 is what the first minutes need")
	f.Int32Var(&c.GPUs, "gpus", c.GPUs, "replicas that the cluster has GPUs for; 0 is no limit")
	f.StringVar((*string)(&c.Routing), "routing", string(c.Routing), "least-request or prefix-aware")
	f.BoolVar(&c.PrefixCache, "prefix-cache", c.PrefixCache, "engines keep prefixes, where the trace has block hashes")
	f.Var((*span)(&c.Scrape), "scrape", "time between two reads of a pod's metrics")
	f.Float64Var(&c.ScrapeLoss, "scrape-loss", c.ScrapeLoss, "share of these reads that fail, 0..1")
	f.Var((*span)(&c.FailureEvery), "failures", "mean time between two failures of a pod; 0 is never")
	f.IntVar(&c.ContainerConcurrency, "container-concurrency", c.ContainerConcurrency, "requests that a pod lets in at once; 0 is no limit")
	f.Var((*span)(&c.QueueTimeout), "queue-timeout", "time that a request waits for an engine at most before it is lost; 0 is for ever")
	f.Var((*span)(&c.Warmup), "warmup", "first part of the trace, which no figure counts")
	f.Var((*span)(&c.Length), "length", "go on until then after the last request, for an idle fleet costs too (default: its last request)")
}

// outputFlags say what comes out.
func (o *options) outputFlags(f *pflag.FlagSet) {
	f.StringVar(&o.json, "json", "", "write the figures to `FILE`, - for stdout")
	f.StringVar(&o.html, "html", "", "write a report for a browser to `FILE`, - for stdout")
	f.BoolVar(&o.sweep, "sweep", false, "also try every policy at several settings of its knob (a Pareto curve)")
	f.IntVar(&o.parallel, "parallel", 0, "runs at a time; 0 is the number of cores")
	f.BoolVar(&o.profiles, "profiles", false, "list the engine profiles")
	f.StringVar(&o.fidelity, "fidelity", "", "compare with recorded runs of real engines in `DIR` instead")
	f.StringVar(&o.fit, "fit", "", "learn an engine profile from `SOURCE` instead: a folder of recorded runs, or what the adapter has recorded")
	f.StringVar(&o.out, "out", "", "write the learned profile to `FILE`")
}

// modes are the flags that choose what the command does; exactly one is needed.
func (o options) modes() []string {
	var given []string
	for _, m := range []struct {
		name string
		on   bool
	}{
		{"trace", o.trace != ""}, {"synthetic", o.synthetic != ""}, {"recorded", o.recorded != ""},
		{"fidelity", o.fidelity != ""}, {"fit", o.fit != ""}, {"profiles", o.profiles},
	} {
		if m.on {
			given = append(given, m.name)
		}
	}
	return given
}

func (o options) mode() string { return o.modes()[0] }

// validate checks what pflag could not.
func (o options) validate() error {
	switch given := o.modes(); {
	case len(given) == 0:
		return fmt.Errorf("nothing to simulate; give --trace FILE or --synthetic NAME (see simulate --help)")
	case len(given) > 1:
		return fmt.Errorf("--%s do not go together; give one of them", strings.Join(given, " and --"))
	}
	if o.fit == "" && o.out != "" {
		return fmt.Errorf("--out belongs to --fit SOURCE; for figures use --json FILE, for a report --html FILE")
	}
	if o.json == "-" && o.html == "-" {
		return fmt.Errorf("--json - and --html - both want stdout; give one of them a file name")
	}
	for _, r := range append(o.ranges(), o.dirtRanges()...) {
		if r.flag == "goal" && r.value > 1 && r.value < 100 {
			return fmt.Errorf("--goal %v; it is a share: write %.6g for %v %%", r.value, r.value/100, r.value)
		}
		if !(r.value >= r.least && r.value <= r.most) { // NaN fails too
			return fmt.Errorf("--%s %v; it must be between %v and %v", r.flag, r.value, r.least, r.most)
		}
	}
	return o.validateFleet()
}

// bounds is what a numeric flag may be.
type bounds struct {
	flag               string
	value, least, most float64
}

func (o options) ranges() []bounds {
	c := o.config
	return []bounds{
		{"scale", o.scale, 1e-6, 1e4}, {"seeds", float64(o.seeds), 1, 1000}, {"parallel", float64(o.parallel), 0, 1024},
		{"lead-cv", c.LeadCV, 0, 10}, {"goal", c.SLO.Goal, 0.5, 0.99999}, {"scrape-loss", c.ScrapeLoss, 0, 1},
		{"min", float64(c.Min), 0, 1e6}, {"max", float64(c.Max), 1, 1e6}, {"initial", float64(c.Initial), 0, 1e6},
		{"gpus", float64(c.GPUs), 0, 1e6}, {"container-concurrency", float64(c.ContainerConcurrency), 0, 1e6},
	}
}

func (o options) validateFleet() error {
	c := o.config
	switch {
	case o.to != 0 && o.to <= o.from:
		return fmt.Errorf("--to %v is not after --from %v; both are times since the trace began", o.to, o.from)
	case o.revision != "" && o.recorded == "":
		return fmt.Errorf("--revision belongs to --recorded FILE; leave it out")
	case (o.columns != "" || o.changed("format")) && o.trace == "":
		return fmt.Errorf("--columns and --format belong to --trace FILE; leave them out")
	case c.SLO.TTFT == 0 || c.SLO.ITL == 0:
		return fmt.Errorf("--slo-ttft and --slo-itl must be above 0")
	case c.Scrape < 100*time.Millisecond:
		return fmt.Errorf("--scrape %v; it must be at least 100ms", c.Scrape)
	case c.Routing != simulator.LeastRequest && c.Routing != simulator.PrefixAware:
		return fmt.Errorf("--routing %q; it must be %s or %s", c.Routing, simulator.LeastRequest, simulator.PrefixAware)
	}
	if err := o.validateCounts(); err != nil {
		return err
	}
	if err := o.validateSpans(); err != nil {
		return err
	}
	for _, f := range []struct{ flag, file string }{{"json", o.json}, {"html", o.html}, {"out", o.out}} {
		if err := writable(f.file); err != nil {
			return fmt.Errorf("--%s %w", f.flag, err)
		}
	}
	if err := o.validateDirt(); err != nil {
		return err
	}
	_, err := columns(o.columns)
	return err
}

// validateCounts refuses numbers of replicas that contradict each other.
func (o options) validateCounts() error {
	c := o.config
	for _, pair := range []struct {
		lower, upper string
		least, most  int32
	}{{"min", "max", c.Min, c.Max}, {"initial", "max", c.Initial, c.Max}, {"min", "gpus", c.Min, c.GPUs}, {"initial", "gpus", c.Initial, c.GPUs}} {
		if pair.most > 0 && pair.least > pair.most { // --gpus 0 is no limit
			return fmt.Errorf("--%s %d is above --%s %d", pair.lower, pair.least, pair.upper, pair.most)
		}
	}
	return nil
}

// validateSpans refuses times that no run can have, by the names of their flags.
func (o options) validateSpans() error {
	c := o.config
	for _, s := range []struct {
		flag        string
		value, most time.Duration
	}{
		{"lead", c.Lead, day}, {"slo-ttft", c.SLO.TTFT, day}, {"slo-itl", c.SLO.ITL, day}, {"slo-ttft-per-token", c.SLO.TTFTPerToken, time.Second},
		{"scrape", c.Scrape, day}, {"length", c.Length, simulator.Longest},
	} {
		if s.value > s.most {
			return fmt.Errorf("--%s %v; it must be at most %v", s.flag, (*span)(&s.value), (*span)(&s.most))
		}
	}
	return nil
}

// day is the longest of most times of a run, as simulator.Config has it.
const day = 24 * time.Hour

// writable finds before hours of simulation what would only be found after. A
// file that is there stays as it is.
func writable(file string) error {
	if file == "" || file == "-" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: there is no folder %s to write it to", file, filepath.Dir(file))
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; name a file in it, such as %s", file, filepath.Join(file, "figures.json"))
	}
	f, failed := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o666)
	if failed != nil {
		return fmt.Errorf("%w; name a file that can be written", failed)
	}
	if f.Close(); err != nil { // it was not there
		return os.Remove(file)
	}
	return nil
}

// columns reads time=A,input=B,output=C.
func columns(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	named := map[string]string{}
	for _, part := range strings.Split(text, ",") {
		role, name, ok := strings.Cut(part, "=")
		role, name = strings.TrimSpace(role), strings.TrimSpace(name)
		if !ok || name == "" || role != "time" && role != "input" && role != "output" {
			return nil, fmt.Errorf("--columns %q: write time=A,input=B,output=C with the names of your columns", part)
		}
		named[role] = name
	}
	if len(named) != 3 {
		return nil, fmt.Errorf("--columns %q: time, input and output are all needed, as in time=A,input=B,output=C", text)
	}
	return named, nil
}
