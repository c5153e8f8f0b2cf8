package simulator

import (
	"os"
	"testing"
	"time"

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
