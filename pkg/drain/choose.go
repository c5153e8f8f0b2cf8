package drain

import (
	"cmp"
	"math"
	"slices"
)

// choose splits pods into the n that stay and the others. What serves stays before what
// drains, and that before what starts: a pod that drains serves again within a second.
// Of pods that serve, those that cost the least to give up go.
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

// cheapest is the index of the serving pod to give up first: released before, with a
// gate (the others would be cut), not the only one of its zone, then the fewest open
// requests, the fewest hits of its prefix cache, the youngest.
func cheapest(pods []Pod) int {
	zones := map[string]int{}
	for _, p := range pods {
		zones[p.Zone]++
	}
	lonely := func(p Pod) bool { return p.Zone != "" && zones[p.Zone] == 1 && len(zones) > 1 }
	best := 0
	for i := range pods {
		a, b := pods[i], pods[best]
		if cmp.Or(
			-cmp.Compare(number(a.Cost == ReleaseCost), number(b.Cost == ReleaseCost)),
			cmp.Compare(number(a.Gate == None), number(b.Gate == None)),
			cmp.Compare(number(lonely(a)), number(lonely(b))),
			cmp.Compare(unknownLast(a.Open), unknownLast(b.Open)),
			cmp.Compare(unknownLast(a.Hits), unknownLast(b.Hits)),
			b.Created.Compare(a.Created),
			cmp.Compare(a.Name, b.Name),
		) < 0 {
			best = i
		}
	}
	return best
}

// unknownLast is a number whose unknown is more than every other one.
func unknownLast(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

// byRescue orders pods that do not serve: the first is the nearest to serving. Of pods that
// drain the one with the most open requests comes first, because it would stay the longest
// anyway. Pods that start are in the order in which Kubernetes would keep them.
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
