package engine

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// chat has the lengths of Azure's 2023 conversation trace, roughly: mean 1155
// tokens in, 211 out, at requests per second.
func chat(perSecond float64, n int) []Request {
	r := rand.New(rand.NewPCG(1, 2))
	requests, at := make([]Request, n), 0.0
	for i := range requests {
		at += r.ExpFloat64() / perSecond
		requests[i] = Request{
			ID: int32(i), Arrival: time.Duration(at * 1e9),
			Prompt: int(1 + 1155*r.ExpFloat64()), Output: int(1 + min(211*r.ExpFloat64(), 1500)),
		}
	}
	return requests
}

// The command: go test ./pkg/simulator/engine -run=^$ -bench=. -benchmem -count=10
// One operation is one request, so ns/op * 1e-3 is CPU seconds per million requests.
func BenchmarkEngine(b *testing.B) {
	p := Profiles()[0]
	for _, load := range []struct {
		name      string
		perSecond float64
		faster    float64
	}{{"load=half", 4, 1}, {"load=high", 7, 1}, {"load=half/tokens=x4", 1, 4}} {
		b.Run(load.name, func(b *testing.B) {
			requests := chat(load.perSecond, 100_000)
			for i := range requests {
				requests[i].Output = int(math.Ceil(float64(requests[i].Output) * load.faster))
			}
			e, _ := New(p, func(Completion) {})
			span := requests[len(requests)-1].Arrival + time.Second
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q := requests[i%len(requests)]
				q.Arrival += span * time.Duration(i/len(requests))
				e.Advance(q.Arrival)
				if err := e.Submit(q); err != nil {
					b.Fatal(err)
				}
			}
			e.Drain()
			b.ReportMetric(float64(e.counters.GenerationTokens)/float64(b.N), "tokens/op")
		})
	}
}
