package simulator

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// The command: go test ./pkg/simulator -run=^$ -bench=. -benchmem -count=10
// One operation is one request of Azure's conversation trace, replayed again
// and again on one replica; reading the file is not counted.
func BenchmarkAzureConversation(b *testing.B) {
	const file = "../../../shared/traces/azure2023_conv.csv"
	if _, err := os.Stat(file); err != nil {
		b.Skipf("NOT MEASURED: the published trace is not here: %v", err)
	}
	var requests []engine.Request
	for q, err := range trace.Open(file, trace.Options{}) {
		if err != nil {
			b.Fatal(err)
		}
		requests = append(requests, engine.Request{Arrival: q.Arrival, Prompt: q.Input, Output: q.Output})
	}
	for _, name := range []string{"a100-llama-3.1-8b", "rtxpro6000-llama-3.1-8b"} {
		b.Run("engine="+name, func(b *testing.B) { replayAgain(b, name, requests) })
	}
}

func replayAgain(b *testing.B, name string, requests []engine.Request) {
	profile, err := engine.ByName(name)
	if err != nil {
		b.Fatal(err)
	}
	// A replica takes 90 days; then comes the next.
	const rounds = 2000
	var e *engine.Engine
	span := requests[len(requests)-1].Arrival + time.Second
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%(rounds*len(requests)) == 0 {
			e, _ = engine.New(profile, func(engine.Completion) {})
		}
		q := requests[i%len(requests)]
		q.Arrival += span * time.Duration(i/len(requests)%rounds)
		e.Advance(q.Arrival)
		if err := e.Submit(q); err != nil {
			b.Fatal(err)
		}
	}
	e.Drain()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrequests/s")
}

// reactive is a policy with next to no cost of its own: requests in flight over a target.
type reactive float64

func (p reactive) Period() time.Duration { return 2 * time.Second }

func (p reactive) Want(o decider.Observation) (Want, error) {
	return Want{Replicas: int32(math.Ceil(float64(o.Concurrency.Stable) / float64(p)))}, nil
}

// The command: go test ./pkg/simulator -run=^$ -bench=Run -benchmem -count=5
// One operation is a whole run, the reading of its trace included; Mrequests/s
// is per second of the run's own processor time, and MB is the heap after it.
func BenchmarkRun(b *testing.B) {
	const folder = "../../../shared/traces/"
	hour := func(o trace.Options) trace.Requests {
		o.Scale, o.Seed = 8, 1
		return trace.Open(folder+"azure2023_conv.csv", o)
	}
	curve := func(to time.Duration) trace.Requests {
		return trace.Open(folder+"azure2024_conv_weekly_rpm_digitized.csv", trace.Options{Seed: 1, To: to})
	}
	if _, err := os.Stat(folder); err != nil {
		b.Skipf("NOT MEASURED: the published traces are not here: %v", err)
	}
	for _, c := range []struct {
		name     string
		requests trace.Requests
		policy   Policy
		change   func(*Config)
	}{
		{"trace=azure2023conv_x8/policy=static", hour(trace.Options{}), staticPolicy(12), nil},
		{"trace=azure2023conv_x8/policy=reactive", hour(trace.Options{}), reactive(14), nil},
		{"trace=azure2023conv_x8/policy=reactive/failures", hour(trace.Options{}), reactive(14), func(c *Config) {
			c.FailureEvery, c.ScrapeLoss, c.ContainerConcurrency = 10*time.Minute, 0.1, 40
		}},
		{"trace=mooncake/policy=static/prefix", trace.Open(folder+"mooncake_conversation.jsonl", trace.Options{}), staticPolicy(16), func(c *Config) {
			c.PrefixCache, c.Routing = true, PrefixAware
		}},
		{"trace=azure2024conv/6h/policy=reactive", curve(6 * time.Hour), reactive(14), nil},
		{"trace=azure2024conv/24h/policy=reactive", curve(24 * time.Hour), reactive(14), nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := NewConfig()
			cfg.Warmup = 0
			if c.change != nil {
				c.change(&cfg)
			}
			b.ReportAllocs()
			requests, cpu := int64(0), time.Duration(0)
			var last Result
			for b.Loop() {
				var err error
				if last, err = Run(cfg, c.requests, c.policy); err != nil {
					b.Fatal(err)
				}
				requests, cpu = requests+last.Requests, cpu+last.CPU
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(requests)/cpu.Seconds()/1e6, "Mrequests/s")
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB")
			b.ReportMetric(100*last.SLOShare(), "slo%")
		})
	}
}
