package slo

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Objective is what a user of the metric SLO states: the latencies that Goal of
// the requests should meet, with as few replicas as will do. The rest has
// defaults; none of it needs to be set for a workload.
type Objective struct {
	// TTFT is the time to the first token and ITL the mean time per further token, both above 0.
	TTFT, ITL time.Duration
	// Goal is the share of requests that meet both, above 0 and below 1, e.g. 0.99.
	Goal float64
	// TTFTPerToken lengthens TTFT for every token of the mean prompt; 0 is off.
	TTFTPerToken time.Duration
	// StartupTime is assumed from a pod's creation to Ready until it was seen; 0 is 2 min.
	StartupTime time.Duration
	// MaxNumSeqs is the engine requests that an engine runs at once, or fewer HTTP requests: see LimitConcurrency.
	// 0 is vLLM's default, 256 engine requests.
	MaxNumSeqs int
	// Prior is the step time to begin with; the zero value suits an 8B model on an A100.
	Prior StepTime
	// FallbackConcurrency is the requests in flight that a replica gets while no engine's
	// metrics were ever read; 0 is Knative's default, 70.
	FallbackConcurrency float64
	// Margin multiplies the demand: the one knob from lean (below 1) to safe. 0 is 1.
	Margin float64
	// DisabledFeatures switches parts of the policy off, for ablations; 0 is the whole policy.
	DisabledFeatures Feature
}

// StepTime models one iteration of the engine in seconds: Base, plus Sequence
// for each decoding request, KVToken for each token of its context, and
// PromptToken for each prompt token computed.
type StepTime struct {
	Base, Sequence, KVToken, PromptToken float64
}

func defaultPrior() StepTime {
	return StepTime{Base: priorBase, Sequence: priorSequence, KVToken: priorKVToken, PromptToken: priorPromptToken}
}

// Feature names parts of the SLO policy, as bits.
type Feature uint

// The parts that an ablation can switch off.
const (
	FeatureLearning Feature = 1 << iota // step time stays the prior
	FeatureCurve                        // the share of misses by load stays the prior
	FeatureReplay                       // the past hour is not replayed: level and growth only
	FeatureGrowth                       // the level counts without a factor for growth
	FeatureBacklog                      // waiting requests ask for nothing
	FeatureHoldDown                     // no hold-down
)

// What Knative's own autoscaler gives a replica of a revision that says nothing, as
// config-autoscaler has it by default: KnativeTarget requests in flight, which is the share
// KnativeUtilization (container-concurrency-target-percentage) of KnativeConcurrency
// (container-concurrency-target-default).
const (
	KnativeConcurrency, KnativeUtilization = 100, 0.7
	KnativeTarget                          = KnativeConcurrency * KnativeUtilization
)

// Has reports whether a part of the policy is on.
func (o Objective) Has(p Feature) bool { return o.DisabledFeatures&p == 0 }

// LimitConcurrency is for a revision whose queue-proxies let only that many HTTP requests into a
// replica at once; 0 is no limit.
func (o *Objective) LimitConcurrency(containerConcurrency int) {
	if containerConcurrency > 0 && containerConcurrency < defaultConcurrency {
		o.MaxNumSeqs = containerConcurrency
	}
}

// rankConcurrency is the engine requests that the fullest rank of a pod runs at once. An engine's limit holds for each
// rank. The ranks of a pod share the HTTP requests that queue-proxies admit, of perHTTP engine requests each.
func (o Objective) rankConcurrency(effectiveRanks, perHTTP float64) int {
	if o.MaxNumSeqs >= defaultConcurrency {
		return o.MaxNumSeqs
	}
	admitted := math.Round(float64(o.MaxNumSeqs) * max(perHTTP, 1))
	return int(math.Ceil(min(admitted/effectiveRanks, defaultConcurrency)))
}

// maxAdmitted is a rank's slots where queue-proxies limit these, and 0 where the engine does.
func (o Objective) maxAdmitted(slots int) int {
	if slots >= defaultConcurrency {
		return 0
	}
	return slots
}

// WithDefaults fills in what was left at zero.
func (o Objective) WithDefaults() Objective {
	if o.StartupTime == 0 {
		o.StartupTime = defaultStartupTime
	}
	if o.MaxNumSeqs == 0 {
		o.MaxNumSeqs = defaultConcurrency
	}
	if o.Prior == (StepTime{}) {
		o.Prior = defaultPrior()
	}
	if o.FallbackConcurrency == 0 {
		o.FallbackConcurrency = KnativeTarget
	}
	if o.Margin == 0 {
		o.Margin = 1
	}
	return o
}

// Validate names the field at fault; it is called only when the objective is used.
func (o Objective) Validate() error {
	for _, l := range [...]struct {
		name  string
		value time.Duration
	}{{"TTFT", o.TTFT}, {"ITL", o.ITL}} {
		if l.value <= 0 || l.value > maxLatency {
			return fmt.Errorf("%s is %v, want more than 0 and at most %v", l.name, l.value, maxLatency)
		}
	}
	if !(o.Goal > 0 && o.Goal < 1) {
		return fmt.Errorf("Goal is %v, want a share above 0 and below 1, e.g. 0.99", o.Goal)
	}
	if o.TTFTPerToken < 0 || o.TTFTPerToken > time.Second {
		return fmt.Errorf("TTFTPerToken is %v, want 0 to 1s", o.TTFTPerToken)
	}
	if o.StartupTime < 0 || o.StartupTime > maxStartupTime {
		return fmt.Errorf("StartupTime is %v, want 0 to %v", o.StartupTime, maxStartupTime)
	}
	if o.MaxNumSeqs < 0 || o.MaxNumSeqs > MaxRequests {
		return fmt.Errorf("MaxNumSeqs is %d, want 0 to %d", o.MaxNumSeqs, MaxRequests)
	}
	if !(o.FallbackConcurrency == 0 || o.FallbackConcurrency >= minFallbackConcurrency &&
		o.FallbackConcurrency <= MaxDemand) {
		return fmt.Errorf("FallbackConcurrency is %v, want at least %v requests in flight, or 0 for %v", o.FallbackConcurrency, minFallbackConcurrency, KnativeTarget)
	}
	if !(o.Margin == 0 || o.Margin >= MinMargin && o.Margin <= MaxMargin) {
		return fmt.Errorf("Margin is %v, want %v to %v, or 0 for 1", o.Margin, MinMargin, MaxMargin)
	}
	return o.Prior.Validate()
}

// Validate says what is out of range; the zero value is valid.
func (s StepTime) Validate() error {
	if s == (StepTime{}) {
		return nil
	}
	for _, v := range [...]float64{s.Base, s.Sequence, s.KVToken, s.PromptToken} {
		if !(v >= 0 && v <= 10) || math.IsInf(v, 0) {
			return fmt.Errorf("Prior holds %v, want seconds from 0 to 10", v)
		}
	}
	if s.Base < 1e-6 || s.PromptToken < 1e-9 || s.Sequence+s.KVToken < 1e-12 {
		return errors.New("Prior: Base, PromptToken and one of Sequence and KVToken must be above 0")
	}
	return nil
}
