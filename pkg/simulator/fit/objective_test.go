package fit

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// answers are completions with these times to the first token, in seconds, of one token each.
func answers(seconds ...float64) (all []engine.Completion) {
	for _, s := range seconds {
		at := time.Duration(s * float64(time.Second))
		all = append(all, engine.Completion{Request: engine.Request{Output: 1}, FirstToken: at, LastToken: at})
	}
	return all
}

// The distance by hand: 4 times the squared logarithm of the ratio of the means, and the square of the mean
// difference of requests, each relative to a fifth of the mean and four fifths of its own time.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		name                string
		measured, simulated []float64
		want                float64
	}{
		{"the same", []float64{1, 2}, []float64{1, 2}, 0},
		{"the same mean", []float64{1, 3}, []float64{2, 2}, math.Pow((1/1.2+1/2.8)/2, 2)},
		{"twice as long", []float64{1, 1}, []float64{2, 2}, 4*math.Pow(math.Ln2, 2) + 1},
		{"half as long", []float64{2, 2}, []float64{1, 1}, 4*math.Pow(math.Ln2, 2) + .25},
		{"one odd request counts as 1", []float64{1, 1}, []float64{1, 101}, 4*math.Pow(math.Log(51), 2) + .25},
		{"no time measured", []float64{0}, []float64{1}, 0},
		{"no time simulated", []float64{1}, []float64{0}, 0},
		{"no request", nil, nil, 0},
	} {
		got := distance(answers(c.measured...), answers(c.simulated...), metrics()[0])
		if !(math.Abs(got-c.want) < 1e-9) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Answers of one token have no time between tokens, and count in no mean of it.
	long := engine.Completion{Request: engine.Request{Output: 11}, LastToken: time.Second}
	longer := engine.Completion{Request: engine.Request{Output: 11}, LastToken: 2 * time.Second}
	got := distance(append(answers(1), long), append(answers(1), longer), metrics()[1])
	if want := 4*math.Pow(math.Ln2, 2) + 1; !(math.Abs(got-want) < 1e-9) {
		t.Errorf("beside an answer of one token: %v, want %v", got, want)
	}
}

// refusing is a run that no profile serves.
type refusing struct{ fake }

func (*refusing) Simulate(engine.Profile) ([]engine.Completion, error) {
	return nil, errors.New("too small")
}

// The cost of a point is the mean mismatch of the runs plus that of its distance from the start.
func TestStart_cost(t *testing.T) {
	right := &two{fake: fake{measured: answers(1, 1)}, simulated: answers(1, 1)}
	wrong := &two{fake: fake{measured: answers(1, 1)}, simulated: answers(2, 2)}
	off := 2 * (4*math.Pow(math.Ln2, 2) + 1) // of the first token and of the whole answer
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		runs []Run
		at   [coefficients]float64
		want float64
	}{
		{"right", t.Context(), []Run{right}, [6]float64{}, 0},
		{"wrong", t.Context(), []Run{wrong}, [6]float64{}, off},
		{"one of two is wrong", t.Context(), []Run{right, wrong}, [6]float64{}, off / 2},
		{"far from the start", t.Context(), []Run{right}, [6]float64{2, 0, 0, 0, 0, -1}, 5 * priorWeight},
		{"a run that it cannot serve", t.Context(), []Run{right, &refusing{}}, [6]float64{}, impossible},
		{"the context has ended", over, []Run{right}, [6]float64{}, impossible},
	} {
		if got := (start{profile: neutral(), speed: 1}).cost(c.ctx, c.runs, c.at[:]); !(math.Abs(got-c.want) < 1e-9) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
