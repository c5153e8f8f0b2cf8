package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// maxFilter is how many bytes of JSON hosts and paths may take in the body-based
// router's filter, one object for all Services of a Gateway. etcd refuses objects
// of more than 1.5 MiB by default; 0.5 MiB is left for the rest of the object.
const maxFilter = 1 << 20

// asker is a Service that the router is asked for.
type asker struct {
	Neighbour
	// hosts are those that it has a right to, paths its paths, one a line.
	hosts []string
	paths string
}

// modelRequests holds for the requests of all Services of the Gateway that are
// distinguished by model: those for the paths of a Service on the hosts that it has
// a right to. It is nil without any. Every Service of the Gateway must come to the same.
func (b *builder) modelRequests() fields {
	all := b.askers()
	kept := fitting(all, maxFilter)
	self := func(a asker) bool { return a.UID == b.w.ServiceUID }
	if slices.ContainsFunc(all, self) && !slices.ContainsFunc(kept, self) {
		b.find(inference.ConditionRouteAccepted, "False", inference.ReasonTooManyMatches, fmt.Sprintf(
			"The body-based router of the Gateway %s/%s has no room for the hosts and paths of this Service: with those of older Services they exceed the share of namespace %s, "+
				"so requests are not routed here by model. Name fewer hosts in %s and fewer objectives in the namespace, or use another Gateway.",
			b.in.Gateway.Namespace, b.in.Gateway.Name, b.in.Namespace, inference.HostnamesKey))
	}
	hosts := map[string][]string{} // by the paths, for most have the same
	for _, a := range kept {
		hosts[a.paths] = append(hosts[a.paths], a.hosts...)
	}
	or := list{}
	for _, paths := range slices.Sorted(maps.Keys(hosts)) {
		slices.Sort(hosts[paths])
		or = append(or, fields{"and_matcher": fields{"predicate": list{
			headerIs(":method", "", "POST"), headerIs(":authority", ":", slices.Compact(hosts[paths])...), pathIs(paths)}}})
	}
	if len(or) == 0 {
		return nil
	}
	return anyOf(or)
}

// askers are the Services of the Gateway that models distinguish, the oldest first.
func (b *builder) askers() (out []asker) {
	all := append([]Neighbour{b.self()}, b.w.Neighbours...)
	claims := map[string][]Neighbour{}
	for _, n := range all {
		if n.Intent.Gateway != b.in.Gateway {
			continue
		}
		for _, host := range hostsOf(n) {
			claims[host] = append(claims[host], n)
		}
	}
	for _, n := range all {
		if n.Intent.Gateway != b.in.Gateway || len(n.Intent.Models) == 0 {
			continue
		}
		if granted := b.granted(n, claims); len(granted) > 0 {
			out = append(out, asker{n, granted, strings.Join(pathsOf(n.Intent), "\n")})
		}
	}
	slices.SortFunc(out, func(a, b asker) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Intent.Namespace, b.Intent.Namespace),
			cmp.Compare(a.Intent.Service, b.Intent.Service))
	})
	return out
}

// granted are the hosts of a Service that no other one keeps it from.
func (b *builder) granted(n Neighbour, claims map[string][]Neighbour) []string {
	return slices.DeleteFunc(slices.Clone(hostsOf(n)), func(host string) bool {
		if owner, known := b.w.HostOwners[host]; known && owner.Namespace != n.Intent.Namespace {
			return true
		}
		return slices.ContainsFunc(claims[host], func(other Neighbour) bool {
			return other.UID != n.UID && hasPrecedence(other, n, host)
		})
	})
}

// fitting leaves out the Services that there is no room for. Namespaces share the
// room evenly, and what one does not need goes to the others, so that no tenant
// fills the filter; in a namespace the oldest Services come first.
func fitting(askers []asker, room int) (kept []asker) {
	by := map[string][]asker{}
	for _, a := range askers {
		by[a.Intent.Namespace] = append(by[a.Intent.Namespace], a)
	}
	var needs []int
	for _, list := range by {
		_, need := take(list, math.MaxInt)
		needs = append(needs, need)
	}
	share := evenShare(needs, room)
	for _, list := range by {
		fit, _ := take(list, share)
		kept = append(kept, fit...)
	}
	return kept
}

// evenShare is the most that one of several may have of the room.
func evenShare(needs []int, room int) int {
	slices.Sort(needs)
	for i, need := range needs {
		share := room / (len(needs) - i)
		if need > share {
			return share
		}
		room -= need
	}
	return math.MaxInt
}

// take keeps the Services that fit into the room, the first ones first, and counts the bytes.
func take(askers []asker, room int) (kept []asker, used int) {
	seen := map[string]bool{}
	for _, a := range askers {
		more, fresh := 0, []string{}
		if !seen[a.paths] {
			more, fresh = size(pathIs(a.paths)), append(fresh, a.paths)
		}
		for _, host := range a.hosts {
			if key := a.paths + "\n\n" + host; !seen[key] {
				more, fresh = more+size(headerIs(":authority", ":", host)), append(fresh, key)
			}
		}
		if more > room-used {
			continue
		}
		used, kept = used+more, append(kept, a)
		for _, key := range fresh {
			seen[key] = true
		}
	}
	return kept, used
}

func pathIs(paths string) fields { return headerIs(":path", "?", strings.Split(paths, "\n")...) }

// size is the length of a predicate as JSON.
func size(predicate fields) int {
	text, err := json.Marshal(predicate)
	if err != nil {
		return math.MaxInt32 // maps, lists and strings are JSON
	}
	return len(text)
}
