package drain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)

// serving is a Ready pod with the gate and these open requests.
func serving(name string, open float64) Pod {
	return Pod{Name: name, Gate: Open, Ready: true, ContainersReady: true, Assigned: true, Created: now.Add(-time.Hour), Open: open, Hits: math.NaN(), Quiet: -1}
}

// draining is a pod whose gate was closed so long ago, and that left routing.
func draining(name string, open float64, ago, quiet time.Duration) Pod {
	p := serving(name, open)
	p.Gate, p.Ready, p.ClosedAt, p.Quiet = Closed, false, now.Add(-ago), quiet
	return p
}

func starting(name string) Pod {
	return Pod{Name: name, Gate: Open, Assigned: true, Created: now.Add(-time.Minute), Open: math.NaN(), Hits: math.NaN(), Quiet: -1, Unborn: true}
}

func with(p Pod, change func(*Pod)) Pod {
	change(&p)
	return p
}

func released(p Pod) Pod { return with(p, func(p *Pod) { p.Cost = ReleaseCost }) }
func ungated(p Pod) Pod  { return with(p, func(p *Pod) { p.Gate = None }) }

func TestNext(t *testing.T) {
	const minute = time.Minute
	for _, tt := range []struct {
		name           string
		want, replicas int32
		pods           []Pod
		plan           Plan
	}{
		{"no decision: only new pods are let in", -1, 2, []Pod{with(starting("a"), func(p *Pod) { p.Gate = Unset }), draining("b", 0, minute, minute)},
			Plan{Open: []string{"a"}, Replicas: 2, Draining: 1}},
		{"steady", 2, 2, []Pod{serving("a", 3), serving("b", 4)}, Plan{Replicas: 2}},
		{"new pods are let in", 2, 2, []Pod{with(starting("a"), func(p *Pod) { p.Gate = Unset }), serving("b", 4)}, Plan{Open: []string{"a"}, Replicas: 2}},
		{"more replicas", 5, 2, []Pod{serving("a", 3), serving("b", 4)}, Plan{Replicas: 5}},
		{"the fewest open requests go", 2, 4, []Pod{serving("a", 3), serving("b", 9), serving("c", 1), serving("d", 4)},
			Plan{Close: []string{"c", "a"}, Replicas: 4, Draining: 2, Again: LookAgain}},
		{"unknown is not few", 1, 2, []Pod{serving("a", math.NaN()), serving("b", 9)}, Plan{Close: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"then the fewest hits", 1, 2, []Pod{with(serving("a", 1), func(p *Pod) { p.Hits = 5 }), with(serving("b", 1), func(p *Pod) { p.Hits = 4 })},
			Plan{Close: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"then the youngest", 1, 2, []Pod{serving("a", 1), with(serving("b", 1), func(p *Pod) { p.Created = now })},
			Plan{Close: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"not the only one of its zone", 2, 3, []Pod{with(serving("a", 0), func(p *Pod) { p.Zone = "x" }), with(serving("b", 5), func(p *Pod) { p.Zone = "y" }), with(serving("c", 7), func(p *Pod) { p.Zone = "y" })},
			Plan{Close: []string{"b"}, Replicas: 3, Draining: 1, Again: LookAgain}},
		{"a known one goes before one that nobody sees, whatever its zone", 2, 3,
			[]Pod{with(serving("a", 0), func(p *Pod) { p.Zone = "x" }), with(serving("b", math.NaN()), func(p *Pod) { p.Zone = "y" }), with(serving("c", math.NaN()), func(p *Pod) { p.Zone = "y" })},
			Plan{Close: []string{"a"}, Replicas: 3, Draining: 1, Again: LookAgain}},
		{"but for the last zone", 1, 2, []Pod{with(serving("a", 0), func(p *Pod) { p.Zone = "x" }), with(serving("b", 5), func(p *Pod) { p.Zone = "y" })},
			Plan{Close: []string{"a"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"pods that start go before pods that serve", 1, 2, []Pod{serving("a", 0), starting("b")},
			Plan{Close: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"spec.replicas stays while requests are open", 1, 3, []Pod{serving("a", 3), draining("b", 2, minute, -1), draining("c", 4, minute, 0)},
			Plan{Replicas: 3, Draining: 2, Again: LookAgain}},
		{"quiet, but not for long", 1, 2, []Pod{serving("a", 3), draining("b", 0, minute, QuietTime-1)}, Plan{Replicas: 2, Draining: 1, Again: LookAgain}},
		{"ended: first the cost", 1, 2, []Pod{serving("a", 3), draining("b", 0, minute, QuietTime)},
			Plan{Release: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"then the count", 1, 3, []Pod{serving("a", 3), released(draining("b", 0, minute, QuietTime)), draining("c", 4, minute, -1)},
			Plan{Replicas: 2, Draining: 2, Again: LookAgain}},
		{"which is not lowered twice", 1, 2, []Pod{serving("a", 3), released(draining("b", 0, minute, QuietTime)), draining("c", 4, minute, -1)},
			Plan{Replicas: 2, Draining: 1, Again: LookAgain}},
		{"Ready again according to a kubelet that did not hear", 1, 2, []Pod{serving("a", 3), with(draining("b", 0, 3*time.Second, QuietTime), func(p *Pod) { p.Ready = true })},
			Plan{Replicas: 2, Draining: 1, Again: LookAgain}},
		{"at the timeout it goes with its requests", 1, 2, []Pod{serving("a", 3), draining("b", 7, 5*minute, -1)},
			Plan{Release: []string{"b"}, TimedOut: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"a pod that never was Ready has nothing open", 1, 2, []Pod{serving("a", 3), with(starting("b"), func(p *Pod) { p.Gate, p.ClosedAt = Closed, now.Add(-UnbornTime) })},
			Plan{Release: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"but one that was once may have", 1, 2, []Pod{serving("a", 3), with(starting("b"), func(p *Pod) { p.Gate, p.ClosedAt, p.Unborn = Closed, now.Add(-minute), false })},
			Plan{Replicas: 2, Draining: 1, Again: LookAgain}},
		{"load returns: what drains comes back, with the most requests first", 3, 4, []Pod{serving("a", 3), draining("b", 1, minute, -1), draining("c", 4, minute, -1), released(draining("d", 0, minute, minute))},
			Plan{Open: []string{"c", "b"}, Rescued: 2, Replicas: 3, Draining: 1, Again: LookAgain}},
		{"before new ones are asked for", 5, 4, []Pod{serving("a", 3), draining("b", 1, minute, -1), released(draining("c", 0, minute, minute)), serving("d", 1)},
			Plan{Keep: []string{"c"}, Open: []string{"b", "c"}, Rescued: 2, Replicas: 5}},
		{"a pod that drains replaces one that starts", 2, 3, []Pod{serving("a", 3), draining("b", 1, minute, -1), starting("c")},
			Plan{Open: []string{"b"}, Rescued: 1, Close: []string{"c"}, Replicas: 3, Draining: 1, Again: LookAgain}},
		{"all of it at zero", 0, 2, []Pod{draining("a", 1, minute, -1), draining("b", 0, minute, minute)},
			Plan{Release: []string{"b"}, Replicas: 2, Draining: 2, Again: LookAgain}},
		{"pods without the gate: the cost, then the count", 1, 3, []Pod{ungated(serving("a", 3)), ungated(serving("b", 2)), released(ungated(serving("c", 0)))},
			Plan{Release: []string{"b"}, Replicas: 2, Draining: 2, Again: LookAgain}},
		{"pods with the gate are given up first, they can end", 1, 2, []Pod{ungated(serving("a", 0)), serving("b", 9)},
			Plan{Close: []string{"b"}, Replicas: 2, Draining: 1, Again: LookAgain}},
		{"Kubernetes would delete what still drains before what is Ready", 0, 2, []Pod{released(ungated(serving("a", 0))), draining("b", 9, minute, -1)},
			Plan{Replicas: 2, Draining: 2, Again: LookAgain}},
		{"and a pod that starts before one that ended", 2, 3, []Pod{with(starting("a"), func(p *Pod) { p.Pending = true }), released(draining("b", 0, minute, minute)), serving("c", 3)},
			Plan{Keep: []string{"b"}, Open: []string{"b"}, Rescued: 1, Close: []string{"a"}, Replicas: 3, Draining: 1, Again: LookAgain}},
		{"a rollout of the Deployment is left alone", 1, 2, []Pod{serving("a", 3), draining("b", 1, minute, -1), with(starting("c"), func(p *Pod) { p.Template, p.Gate = "2", Unset })},
			Plan{Open: []string{"b", "c"}, Rescued: 1, Replicas: 2}},
		{"somebody else lowered the count", 1, 2, []Pod{serving("a", 3), serving("b", 1), serving("c", 0)}, Plan{Replicas: 2, Again: LookAgain}},
		{"and the decision wants it back", 3, 1, []Pod{serving("a", 3), serving("b", 1), serving("c", 0)}, Plan{Replicas: 3, Again: LookAgain}},
		{"pods that were ordered and did not come", 1, 5, []Pod{serving("a", 3)}, Plan{Replicas: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Now: now, Want: tt.want, Replicas: tt.replicas, Pods: tt.pods, Timeout: 5 * minute}
			if diff := cmp.Diff(tt.plan, Next(in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			rand.Shuffle(len(in.Pods), func(i, j int) { in.Pods[i], in.Pods[j] = in.Pods[j], in.Pods[i] })
			if diff := cmp.Diff(tt.plan, Next(in)); diff != "" {
				t.Errorf("depends on the order of the pods (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGivenUp(t *testing.T) {
	pods := []Pod{serving("a", 1), draining("b", 1, 0, -1), released(draining("c", 0, 0, -1)), released(draining("d", 0, 0, -1))}
	for _, tt := range []struct{ replicas, want int32 }{{4, 3}, {3, 2}, {2, 1}, {9, 3}} {
		if got := GivenUp(pods, tt.replicas); got != tt.want {
			t.Errorf("of %d replicas %d are given up, want %d", tt.replicas, got, tt.want)
		}
	}
}

// cluster plays the kubelet and the ReplicaSet controller against the planner.
type cluster struct {
	t        *testing.T
	now      time.Time
	replicas int32
	pods     []Pod
	ends     map[string]time.Time // of each pod's last request
	lost     []string
	made     int
}

func (c *cluster) step(want int32) Plan {
	c.t.Helper()
	plan := Next(Input{Now: c.now, Want: want, Replicas: c.replicas, Pods: c.pods, Timeout: 5 * time.Minute})
	for i := range c.pods {
		p := &c.pods[i]
		if slices.Contains(plan.Keep, p.Name) {
			p.Cost = 0
		}
		if slices.Contains(plan.Open, p.Name) {
			p.Gate, p.ClosedAt = Open, time.Time{}
		}
		if slices.Contains(plan.Close, p.Name) {
			p.Gate, p.ClosedAt = Closed, c.now
		}
		if slices.Contains(plan.Release, p.Name) {
			p.Cost = ReleaseCost
		}
	}
	c.replicas = plan.Replicas
	c.kubernetes()
	c.now = c.now.Add(time.Second)
	return plan
}

// kubernetes makes and deletes pods as a ReplicaSet does, and lets the kubelets act.
func (c *cluster) kubernetes() {
	for len(c.pods) > int(c.replicas) {
		slices.SortStableFunc(c.pods, byKubernetes)
		if gone := c.pods[0]; c.ends[gone.Name].After(c.now) {
			c.lost = append(c.lost, gone.Name)
		}
		c.pods = c.pods[1:]
	}
	for ; len(c.pods) < int(c.replicas); c.made++ {
		c.pods = append(c.pods, with(starting(fmt.Sprintf("new-%d", c.made)), func(p *Pod) { p.Gate, p.Pending, p.Created = Unset, true, c.now }))
	}
	for i := range c.pods {
		p := &c.pods[i]
		p.Ready = p.ContainersReady && p.Gate == Open
		p.Open, p.Quiet = 0, -1
		if c.ends[p.Name].After(c.now) {
			p.Open = 1
		} else if p.Gate == Closed {
			p.Quiet = c.now.Sub(later(p.ClosedAt, c.ends[p.Name]))
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Four pods with streams of 20 to 50 s are to be one: none is cut, and each goes when its
// own stream has ended.
func TestStory_fourToOne(t *testing.T) {
	c := &cluster{t: t, now: now, replicas: 4, ends: map[string]time.Time{}}
	for i, name := range []string{"a", "b", "c", "d"} {
		c.pods = append(c.pods, serving(name, 1))
		c.ends[name] = now.Add(time.Duration(20+10*i) * time.Second)
	}
	counts := []int32{}
	for range 70 {
		c.step(1)
		if len(counts) == 0 || counts[len(counts)-1] != c.replicas {
			counts = append(counts, c.replicas)
		}
	}
	if len(c.lost) > 0 || !slices.Equal(counts, []int32{4, 3, 2, 1}) {
		t.Errorf("lost %v, counts %v; want no stream lost, and 4, 3, 2, 1", c.lost, counts)
	}
}

// Load returns in the middle: the pods that drain serve again, and no new one is made.
func TestStory_rescue(t *testing.T) {
	c := &cluster{t: t, now: now, replicas: 4, ends: map[string]time.Time{}}
	for _, name := range []string{"a", "b", "c", "d"} {
		c.pods = append(c.pods, serving(name, 1))
		c.ends[name] = now.Add(time.Minute)
	}
	for range 10 {
		c.step(1)
	}
	if plan := c.step(4); plan.Rescued != 3 {
		t.Errorf("plan %+v, want 3 pods back", plan)
	}
	for _, p := range c.pods {
		if !p.Ready || p.Gate != Open || p.Cost != 0 {
			t.Errorf("pod %+v, want it to serve", p)
		}
	}
	if c.replicas != 4 {
		t.Errorf("%d replicas, want the 4 there were", c.replicas)
	}
}

// inZones puts pods with one stream each into zones, given as pods of each.
func (c *cluster) inZones(zones map[string][]string, stream time.Duration) {
	for zone, names := range zones {
		for _, name := range names {
			c.pods = append(c.pods, with(serving(name, 1), func(p *Pod) { p.Zone = zone }))
			c.ends[name] = c.now.Add(stream)
		}
	}
	c.replicas = int32(len(c.pods))
}

// zones counts the pods that serve in each zone.
func (c *cluster) zones() map[string]int {
	out := map[string]int{}
	for _, p := range c.pods {
		if p.Ready {
			out[p.Zone]++
		}
	}
	return out
}

// Six pods in three zones shrink to five, three and one, and grow again in the middle: each zone keeps a pod
// for as long as there are as many pods as zones, though the pods that are alone in their zones have
// the fewest requests, and no stream is cut.
func TestStory_zones(t *testing.T) {
	c := &cluster{t: t, now: now, ends: map[string]time.Time{}}
	c.inZones(map[string][]string{"x": {"a", "b", "c", "d"}, "y": {"e"}, "z": {"f"}}, 40*time.Second)
	c.ends["e"], c.ends["f"] = now, now // idle, and so the first to go in one zone
	c.kubernetes()
	for _, phase := range []struct {
		want  int32
		steps int
		zones map[string]int
	}{
		{6, 1, map[string]int{"x": 4, "y": 1, "z": 1}},
		{5, 5, map[string]int{"x": 3, "y": 1, "z": 1}},
		{3, 5, map[string]int{"x": 1, "y": 1, "z": 1}},
		{4, 5, map[string]int{"x": 2, "y": 1, "z": 1}}, // one that drains comes back
		{3, 60, map[string]int{"x": 1, "y": 1, "z": 1}},
		{2, 10, map[string]int{"y": 1, "z": 1}}, // no zone can be helped any more: then the usual order
		{1, 10, map[string]int{"z": 1}},
	} {
		for range phase.steps {
			c.step(phase.want)
		}
		if diff := cmp.Diff(phase.zones, c.zones()); diff != "" {
			t.Errorf("%d wanted: serving pods by zone (-want +got):\n%s", phase.want, diff)
		}
	}
	if len(c.lost) > 0 || c.replicas != 1 {
		t.Errorf("streams of %v were cut; %d replicas, want 1", c.lost, c.replicas)
	}
}

// However pods are spread, and however many requests they have: of n pods that stay, as many zones
// have one as n pods can be in.
func TestChoose_keepsZones(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test
		pods, zones := []Pod{}, map[string]bool{}
		for i := range 1 + r.IntN(12) {
			zone := string(rune('a' + r.IntN(4)))
			zones[zone] = true
			pods = append(pods, with(serving(fmt.Sprint(i), float64(r.IntN(3))), func(p *Pod) { p.Zone = zone }))
		}
		n := r.IntN(len(pods) + 1)
		kept, victims := choose(pods, n)
		left := map[string]bool{}
		for _, p := range kept {
			left[p.Zone] = true
		}
		if len(kept) != n || len(kept)+len(victims) != len(pods) || len(left) != min(n, len(zones)) {
			t.Fatalf("seed %d: of %d pods in %d zones %d stay in %d zones, want %d", seed, len(pods), len(zones), len(kept), len(left), n)
		}
	}
}

// Whatever is wanted, and when: no stream is cut before its timeout, the count never falls
// below what is wanted, and what is wanted serves.
func TestStory_anyWalk(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		c := &cluster{t: t, now: now, replicas: 6, ends: map[string]time.Time{}}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			c.pods = append(c.pods, serving(name, 0))
		}
		want := int32(6)
		for range 300 {
			if r.IntN(20) == 0 {
				want = int32(r.IntN(7))
			}
			for i := range c.pods {
				p := &c.pods[i]
				if p.Ready && r.IntN(4) == 0 {
					c.ends[p.Name] = later(c.ends[p.Name], c.now.Add(time.Duration(r.IntN(40))*time.Second))
				}
				if p.Pending || !p.ContainersReady {
					loaded := c.now.Sub(p.Created) > 10*time.Second
					p.Pending, p.ContainersReady = false, loaded
				}
				p.Unborn = p.Unborn && !p.Ready
			}
			c.step(want)
			if c.replicas < want {
				t.Fatalf("seed %d: %d replicas, %d wanted", seed, c.replicas, want)
			}
		}
		if len(c.lost) > 0 {
			t.Fatalf("seed %d: streams of %v were cut", seed, c.lost)
		}
	}
}
