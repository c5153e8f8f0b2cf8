package drain

import (
	"cmp"
	"math"
	"slices"
)

// choose returns the n pods that stay, and the others. Serving pods stay before draining
// ones, which can serve again within a second, and these before starting ones. If serving
// pods must go, the cheapest go first.
func choose(pods []Pod, n int) (kept, victims []Pod) {
	var serving, others []Pod
	for _, p := range pods {
		if p.Gate != Closed && (p.Ready || p.ContainersReady && p.Gate == Open) {
			serving = append(serving, p)
		} else {
			others = append(others, p)
		}
	}
	kept = serving
	for len(kept) > n {
		i := cheapest(kept)
		victims = append(victims, kept[i])
		kept = slices.Delete(kept, i, i+1)
	}
	slices.SortFunc(others, byRescue)
	more := min(n-len(kept), len(others))
	return append(kept, others[:more]...), append(victims, others[more:]...)
}

// cheapest returns the index of the serving pod to give up first. Pods come in this order:
// those that were released before; those with a gate, because the requests of a pod without
// one are cut; those whose open requests are known, because what nobody sees would be cut after
// the time of a drain; those that are not the only one of their zone; then by the fewest open
// requests, the fewest hits of the prefix cache, and the youngest.
func cheapest(pods []Pod) int {
	zones := map[string]int{}
	for _, p := range pods {
		zones[p.Zone]++
	}
	aloneInZone := func(p Pod) bool { return p.Zone != "" && zones[p.Zone] == 1 && len(zones) > 1 }
	best := 0
	for i := range pods {
		a, b := pods[i], pods[best]
		if cmp.Or(
			-cmp.Compare(number(a.Cost == ReleaseCost), number(b.Cost == ReleaseCost)),
			cmp.Compare(number(a.Gate == None), number(b.Gate == None)),
			cmp.Compare(number(math.IsNaN(a.Open)), number(math.IsNaN(b.Open))),
			cmp.Compare(number(aloneInZone(a)), number(aloneInZone(b))),
			cmp.Compare(a.Open, b.Open),
			cmp.Compare(unknownLast(a.Hits), unknownLast(b.Hits)),
			b.Created.Compare(a.Created),
			cmp.Compare(a.Name, b.Name),
		) < 0 {
			best = i
		}
	}
	return best
}

// unknownLast returns v, or infinity for an unknown number, which so comes last.
func unknownLast(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

// byRescue orders pods that do not serve: the first can serve soonest. Of draining pods the
// one with the most open requests comes first, because it would stay the longest anyway.
// Starting pods are in the order in which Kubernetes would keep them.
func byRescue(a, b Pod) int {
	return cmp.Or(
		-cmp.Compare(number(a.drains()), number(b.drains())),
		-byOpen(a, b),
		cmp.Compare(number(a.Gate == Closed), number(b.Gate == Closed)),
		-byKubernetes(a, b),
		a.Created.Compare(b.Created),
		cmp.Compare(a.Name, b.Name),
	)
}

// byOpen compares the open requests of two pods that drain; others are equal.
func byOpen(a, b Pod) int {
	if !a.drains() || !b.drains() {
		return 0
	}
	return cmp.Or(cmp.Compare(unknownLast(a.Open), unknownLast(b.Open)), cmp.Compare(a.Cost, b.Cost))
}

// drains reports whether the pod would be Ready if its gate were open.
func (p Pod) drains() bool { return p.Gate == Closed && p.ContainersReady }
