package simulator

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/slo"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// Config is one run of a fleet. NewConfig has the defaults.
type Config struct {
	Engine engine.Profile
	Seed   uint64
	SLO    SLO
	// Min and Max bound the replicas; Initial 0 is the size that the first
	// minutes of the load need (so that a run does not begin with an outage), one at least.
	// With Min 0 a fleet may have none, and a policy's Surroundings count.
	Min, Max, Initial int32
	// Lead is the mean time from a pod's creation to Ready, lognormal with LeadCV.
	Lead   time.Duration
	LeadCV float64
	// StableWindow and PanicWindow average concurrency and rps.
	StableWindow, PanicWindow time.Duration
	// Scrape is the time between two reads of a pod's page, ScrapeLoss the share of reads that fail, 0..1.
	Scrape     time.Duration
	ScrapeLoss float64
	// Routing is least-request or prefix-aware.
	Routing Routing
	// PrefixCache turns on the engines' prefix cache where the trace has block hashes.
	PrefixCache bool
	// FailureEvery is the mean time between two failures of one pod; 0 is never.
	FailureEvery time.Duration
	// GPUs is how many replicas can be scheduled at once; 0 is no limit. Pods above it are Unschedulable.
	GPUs int32
	// ContainerConcurrency limits the requests that a queue-proxy lets in; 0 is no limit.
	ContainerConcurrency int
	// QueueTimeout is how long a request may wait for an engine to begin with it,
	// in front of the engines and then again within, before it is refused; by
	// default Knative's timeoutSeconds, and 0 is for ever.
	QueueTimeout time.Duration
	// PromptsPerRequest is how many prompts one HTTP request carries: the engines get each, a queue-proxy counts one.
	PromptsPerRequest int
	// OtherRequests is how many HTTP requests a second reach a queue-proxy and no engine.
	OtherRequests float64
	// OtherRequestsFor is for how long of every BurstPeriod they come; 0 is always.
	OtherRequestsFor time.Duration
	// Ranks is the data-parallel ranks of a pod: engines with the GPUs of the profile each.
	Ranks int
	// RankSkew is the share of a pod's requests that go to its first rank, whatever its load;
	// 0 leaves all to the balancer.
	RankSkew float64
	// MetricsDelay is how long the metrics endpoint of a pod takes to answer while requests wait in its engine.
	// An answer that takes longer than a second is none.
	MetricsDelay time.Duration
	// Hide names what metrics endpoints do not report; see HideableNames.
	Hide []string
	// Warmup is the first part of a run, which no figure counts, unless the trace ends before it does.
	Warmup time.Duration
	// Length is how long a run lasts at least; it ends with the last arrival or then, whichever is later.
	Length time.Duration
	// Sample is the time between two points of the Result's series; 0 makes none.
	Sample time.Duration
}

// SLO is the latency that one request has to meet, both of it.
type SLO struct {
	// TTFT is the time to the first token, plus TTFTPerToken for every prompt token.
	TTFT, TTFTPerToken time.Duration
	// ITL is the mean time per output token after the first.
	ITL time.Duration
	// Goal is the share of requests that should meet it, e.g. 0.99.
	Goal float64
}

// Routing names how requests are spread over Ready pods.
type Routing string

// The routings.
const (
	LeastRequest Routing = "least-request"
	PrefixAware  Routing = "prefix-aware"
)

// Longest is the longest run: an engine takes no later request, and what a run keeps grows with its length.
const Longest = engine.Latest

// NewConfig returns the defaults with the default engine.
func NewConfig() Config {
	return Config{
		Engine: engine.Profiles()[0],
		SLO:    SLO{TTFT: slo.DefaultTTFT, ITL: slo.DefaultITL, Goal: slo.DefaultGoal},
		Min:    1, Max: 1000,
		Lead: 2 * time.Minute, LeadCV: 0.15,
		StableWindow: window.KnativeStable, PanicWindow: window.KnativePanic,
		Scrape: 2 * time.Second, Routing: LeastRequest, QueueTimeout: 5 * time.Minute, PromptsPerRequest: 1, Ranks: 1,
		Warmup: 10 * time.Minute, Sample: 10 * time.Second,
	}
}

// fullRanks is the data-parallel ranks that a pod's capacity is worth: fewer than Ranks where RankSkew fills one of
// them before the others.
func (c Config) fullRanks() float64 {
	n := float64(max(c.Ranks, 1))
	if n == 1 || c.RankSkew == 0 {
		return n
	}
	return 1 / max(c.RankSkew, (1-c.RankSkew)/(n-1))
}

// PodGPUs is the GPUs of one pod.
func (c Config) PodGPUs() int { return max(c.Engine.TensorParallel, 1) * max(c.Ranks, 1) }

// validate names the field at fault.
func (c Config) validate() error {
	if err := c.Engine.Validate(); err != nil {
		return err
	}
	const day = 24 * time.Hour
	for _, d := range []struct {
		name        string
		value       time.Duration
		least, most time.Duration
	}{
		{"Lead", c.Lead, 0, day}, {"StableWindow", c.StableWindow, second, day}, {"PanicWindow", c.PanicWindow, second, day},
		{"Scrape", c.Scrape, 100 * time.Millisecond, day}, {"SLO.TTFT", c.SLO.TTFT, 0, day}, {"SLO.ITL", c.SLO.ITL, 0, day},
		{"SLO.TTFTPerToken", c.SLO.TTFTPerToken, 0, second}, {"FailureEvery", c.FailureEvery, 0, forever},
		{"QueueTimeout", c.QueueTimeout, 0, forever}, {"MetricsDelay", c.MetricsDelay, 0, day},
		{"OtherRequestsFor", c.OtherRequestsFor, 0, BurstPeriod}, {"Warmup", c.Warmup, 0, forever}, {"Length", c.Length, 0, Longest}, {"Sample", c.Sample, 0, forever},
	} {
		if d.value < d.least || d.value > d.most {
			return fmt.Errorf("config: %s is %v; it must be between %v and %v", d.name, d.value, d.least, d.most)
		}
	}
	return c.validateNumbers()
}

func (c Config) validateNumbers() error {
	switch {
	case c.Min < 0 || c.Max < max(c.Min, 1):
		return fmt.Errorf("config: Min %d, Max %d; Min must be at least 0 and at most Max, which must be at least 1", c.Min, c.Max)
	case c.Initial < 0 || c.GPUs < 0 || c.ContainerConcurrency < 0:
		return fmt.Errorf("config: Initial %d, GPUs %d, ContainerConcurrency %d; none may be negative", c.Initial, c.GPUs, c.ContainerConcurrency)
	case c.PromptsPerRequest < 1 || c.Ranks < 1:
		return fmt.Errorf("config: PromptsPerRequest %d, Ranks %d; both must be at least 1", c.PromptsPerRequest, c.Ranks)
	case !(c.RankSkew >= 0 && c.RankSkew <= 1):
		return fmt.Errorf("config: RankSkew is %v; it must be between 0 and 1", c.RankSkew)
	case !(c.OtherRequests >= 0 && c.OtherRequests <= 1e6):
		return fmt.Errorf("config: OtherRequests is %v; it must be between 0 and 1e6 a second", c.OtherRequests)
	case !(c.LeadCV >= 0 && c.LeadCV <= 5): // NaN fails too
		return fmt.Errorf("config: LeadCV is %v; it must be between 0 and 5", c.LeadCV)
	case !(c.ScrapeLoss >= 0 && c.ScrapeLoss <= 1):
		return fmt.Errorf("config: ScrapeLoss is %v; it must be between 0 and 1", c.ScrapeLoss)
	case !(c.SLO.Goal > 0 && c.SLO.Goal < 1):
		return fmt.Errorf("config: SLO.Goal is %v; it must be above 0 and below 1", c.SLO.Goal)
	case c.Routing != LeastRequest && c.Routing != PrefixAware:
		return fmt.Errorf("config: Routing is %q; it must be %s or %s", c.Routing, LeastRequest, PrefixAware)
	}
	return nil
}
