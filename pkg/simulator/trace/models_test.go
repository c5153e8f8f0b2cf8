package trace

import (
	"strings"
	"testing"
	"time"
)

// TestModels: the day of 20 models has as many requests as it says, the popular ones more of
// them, in order, and none at night.
func TestModels(t *testing.T) {
	counts, all := [Models + 1]int{}, 0
	for rank := 1; rank <= Models; rank++ {
		for seed := range uint64(5) {
			last := time.Duration(0)
			for q, err := range modelDay(rank, 1, seed) {
				if err != nil || q.Arrival < last || q.Input < 1 || q.Output < 1 {
					t.Fatalf("model%d: %+v after %v (%v)", rank, q, last, err)
				}
				if last = q.Arrival; last < 6*time.Hour || last > 24*time.Hour {
					t.Fatalf("model%d: a request at %v", rank, last)
				}
				counts[rank]++
			}
		}
		all += counts[rank]
	}
	if perDay := float64(all) / 5; perDay < 0.95*dayRequests || perDay > 1.05*dayRequests {
		t.Errorf("%v requests a day, want about %d", perDay, dayRequests)
	}
	if ratio := float64(counts[1]) / float64(counts[20]); ratio < 20 || ratio > 36 { // 20^1.1 = 27
		t.Errorf("the first has %v times as many as the last", ratio)
	}
}

func TestModels_options(t *testing.T) {
	count := func(name string, o Options) (n int) {
		requests, err := Synthetic(name, o)
		if err != nil {
			t.Fatal(err)
		}
		for range requests {
			n++
		}
		return n
	}
	whole := count("model2", Options{Seed: 1})
	if again := count("model2", Options{Seed: 1}); again != whole || whole == count("model2", Options{Seed: 2}) {
		t.Errorf("%d and %d requests of one seed; want the seed to fix them", whole, again)
	}
	if n := count("model2", Options{Seed: 1, To: 12 * time.Hour}) + count("model2", Options{Seed: 1, From: 12 * time.Hour}); n != whole {
		t.Errorf("%d requests in both halves, want the %d of the day", n, whole)
	}
	if n := count("model2", Options{Seed: 1, Scale: 3}); float64(n) < 2.4*float64(whole) || float64(n) > 3.6*float64(whole) {
		t.Errorf("%d requests at three times %d", n, whole)
	}
	for _, name := range []string{"model", "model0", "model21", "model01", "model-1", "model1.5", "model 1", "Model1", "model999999999999999999"} {
		if _, err := Synthetic(name, Options{}); err == nil || !strings.Contains(err.Error(), "longprompt, or model1 to model20") {
			t.Errorf("%q: error %v, want the names", name, err)
		}
	}
}
