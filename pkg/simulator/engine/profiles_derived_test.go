package engine

import (
	"math"
	"testing"
)

func TestProfiles_namesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Profiles() {
		if seen[p.Name] {
			t.Errorf("two profiles are called %s", p.Name)
		}
		seen[p.Name] = true
	}
}

func named(t *testing.T, name string) Profile {
	t.Helper()
	p, err := ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDerived_asPublished derives what others measured or published by the
// formulas of the derived profiles: at most 25 % between the two.
func TestDerived_asPublished(t *testing.T) {
	rtx4090 := gpu{bandwidth: 1008e9}
	rtxpro6000 := gpu{bandwidth: 1792e9, peak: 503.8e12, attention: .5}
	llama8b, qwen32b := models["llama-3.1-8b"], models["qwen3-32b"]
	vidur8b := linear{"a100", "llama-3.1-8b", 1, 9.8, 11.3, 67.1}.profile()
	derived := func(name string) replica { return replicaOf(named(t, name)) }
	for _, c := range []struct {
		what               string
		derived, published float64
	}{
		// Kernel times.
		{"d, RTX 4090, 8B", replica{rtx4090, llama8b, 1}.perKVToken(), .1466},
		{"d, RTX PRO 6000, 8B", replica{rtxpro6000, llama8b, 1}.perKVToken(), .0919},
		{"d, RTX PRO 6000, 32B", replica{rtxpro6000, qwen32b, 1}.perKVToken(), .1894},
		{"d, two RTX PRO 6000, 32B", replica{rtxpro6000, qwen32b, 2}.perKVToken(), .0983},
		{"e, RTX PRO 6000, 8B", replica{rtxpro6000, llama8b, 1}.perTokenPair(), .00216},
		{"e, RTX PRO 6000, 32B", replica{rtxpro6000, qwen32b, 1}.perTokenPair(), .00806},
		{"e, two RTX PRO 6000, 32B", replica{rtxpro6000, qwen32b, 2}.perTokenPair(), .00439},
		// The default profile, which was written down by hand.
		{"a, A100, 8B", vidur8b.StepBase, named(t, "a100-llama-3.1-8b").StepBase},
		{"b, A100, 8B", vidur8b.PerSequence, named(t, "a100-llama-3.1-8b").PerSequence},
		{"d, A100, 8B", vidur8b.PerKVToken, named(t, "a100-llama-3.1-8b").PerKVToken},
		{"e, A100, 8B", vidur8b.PerTokenPair, .0034},
		{"e, H100, 8B", derived("h100-llama-3.1-8b").perTokenPair(), .00082},
		{"e, four H100, 70B", derived("h100-llama-3.3-70b-tp4").perTokenPair(), .001},
		// BLIS: another model of the same engines.
		{"a, A100, 8B, BLIS", vidur8b.StepBase, 10481},
		{"c, A100, 8B, BLIS", vidur8b.PerToken, 68.8},
		{"a, four A100, 70B, BLIS", named(t, "a100-llama-3.3-70b-tp4").StepBase, 25564},
		{"c, four A100, 70B, BLIS", named(t, "a100-llama-3.3-70b-tp4").PerToken, 168},
		{"KV tokens, four A100, 70B, BLIS", float64(named(t, "a100-llama-3.3-70b-tp4").KVTokens), 487_000},
	} {
		if off := c.derived/c.published - 1; !(math.Abs(off) <= .25) {
			t.Errorf("%s: derived %.4g, published %.4g, %+.0f %%", c.what, c.derived, c.published, 100*off)
		}
	}
}

// TestDerived_kvTokens: the sizes that BLIS published come out within 2 %.
func TestDerived_kvTokens(t *testing.T) {
	for _, p := range append(blis(), named(t, "h100-llama-3.1-8b"), named(t, "a100-llama-3.1-8b"), named(t, "h100-llama-3.3-70b-tp4")) {
		if got := replicaOf(p).kvTokens(); math.Abs(float64(got)/float64(p.KVTokens)-1) > .02 {
			t.Errorf("%s: derived %d KV tokens, published %d", p.Name, got, p.KVTokens)
		}
	}
}

// TestProfiles_obeyTheHardware: no step reads faster than the memory or computes
// faster than the peak, and none is so slow that a figure must be wrong.
func TestProfiles_obeyTheHardware(t *testing.T) {
	checked := 0
	for _, p := range Profiles() {
		r := replicaOf(p)
		if r.memory == 0 {
			continue // no data sheet here
		}
		if r.parameters == 0 {
			t.Errorf("%s: no such model", p.Name)
			continue
		}
		checked++
		peak := r.tp * r.peak * bf16 * r.parameters / r.weights() // weights of a byte: twice as fast
		for _, c := range []struct {
			what               string
			share, least, most float64
		}{
			{"bandwidth by weights", r.weights() / (r.tp * r.bandwidth) * micro / p.StepBase, .4, .95},
			{"peak by prompts", 2 * r.parameters / peak * micro / p.PerToken, .35, .85},
			{"bandwidth by the KV cache", r.kvBytes() / (r.tp * r.bandwidth) * micro / p.PerKVToken, .5, .9},
		} {
			if !(c.share >= c.least && c.share <= c.most) {
				t.Errorf("%s: %.2f of the %s; want %.2f to %.2f", p.Name, c.share, c.what, c.least, c.most)
			}
		}
		if !(p.PerSequence >= 19 && p.PerSequence <= 100) {
			t.Errorf("%s: b is %v us; want 19 to 100 (measured were 19 to 80, and 97 on the A40 for the linear layers alone)", p.Name, p.PerSequence)
		}
	}
	if checked < 25 {
		t.Errorf("only %d profiles were checked", checked)
	}
}

// TestProfiles_moreIsNotSlower: more GPUs of a kind, or as many of a larger
// kind, are faster in every kind of step and hold as many tokens.
func TestProfiles_moreIsNotSlower(t *testing.T) {
	rank := map[string]int{"a40": 1, "a100": 2, "h100": 3}
	compared := 0
	for _, less := range Profiles() {
		for _, more := range Profiles() {
			up := rank[more.GPU] - rank[less.GPU]
			larger := up == 0 && more.TensorParallel > less.TensorParallel || up > 0 && more.TensorParallel == less.TensorParallel
			if rank[less.GPU] == 0 || less.Model != more.Model || !larger {
				continue
			}
			compared++
			if more.KVTokens < less.KVTokens*99/100 { // by BLIS and by us, both rounded
				t.Errorf("%s holds fewer tokens than %s", more.Name, less.Name)
			}
			for _, s := range []struct{ n, prompt int64 }{{1, 0}, {64, 0}, {256, 0}, {0, 2048}, {64, 1984}, {8, 200}} {
				fast, slow := newCost(more).step(s.n, 500*s.n, s.prompt, s.prompt*s.prompt), newCost(less).step(s.n, 500*s.n, s.prompt, s.prompt*s.prompt)
				if fast > slow {
					t.Errorf("%s takes %v for %+v, %s only %v", more.Name, fast.duration(), s, less.Name, slow.duration())
				}
			}
		}
	}
	if compared < 12 {
		t.Errorf("only %d pairs were compared", compared)
	}
}
