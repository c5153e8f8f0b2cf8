package fit

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// The solution of the normal equations holds the conditions of Karush, Kuhn and Tucker: no
// coordinate is negative, the gradient is 0 where one is positive, and not negative where it is 0.
func TestNonNegative_againstItsConditions(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	bound := 0
	for range 200 {
		var normal [4][5]float64
		for range 30 {
			row := [5]float64{1, rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), 3 * rng.NormFloat64()}
			add(&normal, row, 1)
		}
		x := nonNegative(normal)
		for i := range x {
			gradient := -normal[i][4]
			for j := range x {
				gradient += normal[i][j] * x[j]
			}
			switch {
			case x[i] < 0:
				t.Fatalf("x[%d] = %v", i, x[i])
			case x[i] == 0:
				bound++
				if gradient < -1e-9 {
					t.Fatalf("x[%d] is 0 and the gradient %v: a larger value fits better", i, gradient)
				}
			case math.Abs(gradient) > 1e-6:
				t.Fatalf("x[%d] = %v has the gradient %v, want 0", i, x[i], gradient)
			}
		}
	}
	if bound == 0 {
		t.Error("no coordinate was at its bound: the test shows nothing")
	}
}

// The closed form of a single column is sum(xy)/sum(xx), each row divided by its size.
func TestNonNegative_oneColumn(t *testing.T) {
	var normal [4][5]float64
	add(&normal, [5]float64{2, 0, 0, 0, 3}, 3)
	add(&normal, [5]float64{4, 0, 0, 0, 9}, 9)
	if got, want := nonNegative(normal)[0], (2.*3/9+4*9/81.)/(2*2/9.+4*4/81.); math.Abs(got-want) > 1e-12 {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The sweep over first and last tokens, against the overlap of every pair of requests.
func TestIntegrate_againstOverlaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		all := make([]engine.Completion, 40)
		for i := range all {
			first := time.Duration(rng.Int64N(int64(20 * time.Second)))
			if i%2 == 1 {
				first = all[i-1].FirstToken // two prompts of one step
			}
			all[i] = engine.Completion{
				Request:    engine.Request{Prompt: 1 + rng.IntN(2000), Output: 2 + rng.IntN(300)},
				FirstToken: first, LastToken: first + time.Duration(1+rng.Int64N(int64(5*time.Second))),
			}
		}
		s := integrate(all)
		for _, c := range all {
			n0, kv0, prompt0 := s.until(c.FirstToken)
			n1, kv1, prompt1 := s.until(c.LastToken)
			n, kv, prompt := overlaps(all, c)
			near(t, "requests", n1-n0, n)
			near(t, "KV tokens", kv1-kv0, kv)
			near(t, "prompt tokens", prompt1-prompt0, prompt)
		}
	}
}

// overlaps sums over all requests what they did between the first and the last token of one:
// request-seconds, KV-token-seconds, and the prompts that were computed after its first token.
func overlaps(all []engine.Completion, one engine.Completion) (n, kv, prompt float64) {
	for _, c := range all {
		from, to := max(c.FirstToken, one.FirstToken), min(c.LastToken, one.LastToken)
		if from < to {
			seconds := (to - from).Seconds()
			speed := float64(c.Output-1) / (c.LastToken - c.FirstToken).Seconds()
			middle := ((from+to)/2 - c.FirstToken).Seconds()
			n += seconds
			kv += seconds * (float64(c.Prompt) + speed*middle)
		}
		if c.FirstToken > one.FirstToken && c.FirstToken <= one.LastToken {
			prompt += float64(c.Prompt)
		}
	}
	return n, kv, prompt
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*max(math.Abs(want), 1) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
