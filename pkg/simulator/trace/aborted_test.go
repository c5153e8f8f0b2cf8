package trace

import (
	"slices"
	"testing"
	"time"
)

// TestAborted: the share hangs up, at a token before the last; which ones they are depends on the seed alone.
func TestAborted(t *testing.T) {
	const n = 20_000
	all := func(yield func(Request, error) bool) {
		for i := range n {
			if !yield(Request{Arrival: time.Duration(i), Input: 100, Output: 1 + i%200}, nil) {
				return
			}
		}
	}
	of := func(share, within float64, seed uint64) (which []bool, aborted, tokens int) {
		for q, err := range Aborted(all, share, within, seed) {
			if err != nil || q.Input != 100 || q.Output < 1 || q.HangsUp && q.Output > 1 && q.Output > len(which)%200 || !q.HangsUp && q.Output != 1+len(which)%200 {
				t.Fatalf("request %d: %+v, %v", len(which), q, err)
			}
			if which = append(which, q.HangsUp); q.HangsUp {
				aborted++
			}
			tokens += q.Output
		}
		return which, aborted, tokens
	}
	_, none, whole := of(0, 1, 1)
	which, some, part := of(.3, 1, 1)
	again, _, _ := of(.3, 1, 1)
	other, _, _ := of(.3, 1, 2)
	_, every, early := of(1, .1, 1)
	_, _, first := of(1, 0, 1)
	if none != 0 || every != n || some < .28*n || some > .32*n {
		t.Errorf("%d of none, %d of 30 %%, %d of all hang up", none, some, every)
	}
	// 30 % of the answers end in their middle on average.
	if share := float64(part) / float64(whole); share < .83 || share > .87 {
		t.Errorf("%.3f of the tokens are left, want 0.85", share)
	}
	if share := float64(early) / float64(whole); share < .04 || share > .07 {
		t.Errorf("%.3f of the tokens are left of answers cut within their first tenth, want 0.055", share)
	}
	if first != n {
		t.Errorf("%d tokens of %d answers that end at the first one", first, n)
	}
	if !slices.Equal(which, again) || slices.Equal(which, other) {
		t.Error("which requests they are must depend on the seed, and on nothing else")
	}
}
