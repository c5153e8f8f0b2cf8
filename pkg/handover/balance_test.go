package handover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// interval is that of pkg/server between two entries, and between two questions for a successor.
const interval = 10 * time.Second

// pause is that of pkg/server with a lease duration of 10 s.
const pause = 30 * time.Second

// replica is a Ready replica that sees all of 20 endpoints.
func replica(identity string) Replica {
	return Replica{View{20, 20}, Election{Identity: identity, Buckets: 10, Ready: true}}
}

// held are the holders of ten buckets: a has the first n, b the others.
func held(n int) []string {
	holders := make([]string, 10)
	for i := range holders {
		holders[i] = "b"
		if i < n {
			holders[i] = "a"
		}
	}
	return holders
}

// A replica that leads all ten buckets gives one to the other after a minute, or never.
func TestBalance_successor(t *testing.T) {
	edited := func(edit func(*Replica)) Situation {
		other := replica("b")
		edit(&other)
		return Situation{replica("a"), held(10), []Replica{other}}
	}
	unready := replica("a")
	unready.Ready = false
	low := replica("a")
	low.Readable = 4
	one := []string{"a"}
	for _, tt := range []struct {
		name string
		s    Situation
		want bool
	}{
		{"all ten", edited(func(*Replica) {}), true},
		{"six of ten", Situation{replica("a"), held(6), []Replica{replica("b")}}, true},
		{"half", Situation{replica("a"), held(5), []Replica{replica("b")}}, false},
		{"less than half", Situation{replica("a"), held(4), []Replica{replica("b")}}, false},
		{"its share of ten among three, and two more than the third", Situation{replica("a"),
			[]string{"a", "a", "a", "a", "b", "b", "b", "b", "c", "c"}, []Replica{replica("b"), replica("c")}}, false},
		{"nobody else", Situation{replica("a"), held(10), nil}, false},
		{"one bucket", Situation{replica("a"), one, []Replica{replica("b")}}, false},
		{"a bucket without a leader", Situation{replica("a"), append(held(10), ""), []Replica{replica("b")}}, false},
		{"this replica is not Ready", Situation{unready, held(10), []Replica{replica("b")}}, false},
		{"the other is not Ready", edited(func(r *Replica) { r.Ready = false }), false},
		{"the other is of a version that does not balance", edited(func(r *Replica) { r.Election = Election{} }), false},
		{"the other has another number of buckets", edited(func(r *Replica) { r.Buckets = 5 }), false},
		{"the other reads no pod: Judge has it give up what it leads", edited(func(r *Replica) { r.Readable = 0 }), false},
		{"the other reads a little less", edited(func(r *Replica) { r.Readable = 18 }), true},
		{"the other knows few pods yet", edited(func(r *Replica) { r.View = View{2, 2} }), false},
		{"the only Ready one leads one less", Situation{replica("a"), []string{"a", "a", "a", "a", "a", "b", "b", "b", "b", "c"},
			[]Replica{replica("b"), {View{20, 20}, Election{Identity: "c", Buckets: 10}}}}, false},
		{"both read little", Situation{low, held(10), []Replica{{low.View, replica("b").Election}}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := Balance{Pause: pause}
			start := time.Now()
			for passed := time.Duration(0); passed <= balancePatience; passed += interval {
				to := b.Successor(start.Add(passed), tt.s)
				if want := tt.want && passed == balancePatience; (to == "b") != want || to != "" && to != "b" {
					t.Errorf("after %v: successor %q, want one: %v", passed, to, want)
				}
			}
		})
	}
}

// A replica that restarts, or is unfit for a moment, waits anew.
func TestBalance_patienceIsWithoutABreak(t *testing.T) {
	b := Balance{Pause: pause}
	start := time.Now()
	s := Situation{replica("a"), held(10), []Replica{replica("b")}}
	for passed := time.Duration(0); passed < 10*time.Minute; passed += interval {
		s.Others[0] = replica(fmt.Sprint("b_", passed/time.Minute)) // a new process every minute
		if to := b.Successor(start.Add(passed), s); to != "" {
			t.Fatalf("after %v: %s gets a bucket", passed, to)
		}
	}
	s.Others[0] = replica("b")
	for passed := 10 * time.Minute; passed < 20*time.Minute; passed += interval {
		s.Others[0].Ready = passed%time.Minute != 0
		if to := b.Successor(start.Add(passed), s); to != "" {
			t.Fatalf("after %v: %s gets a bucket", passed, to)
		}
	}
}

// A replica that does not take what it gets is asked every refusalPause, and not every pause.
func TestBalance_refused(t *testing.T) {
	b := Balance{Pause: pause}
	start, offers := time.Now(), 0
	s := Situation{replica("a"), held(10), []Replica{replica("b")}}
	for passed := time.Duration(0); passed < time.Hour; passed += interval {
		if b.Successor(start.Add(passed), s) != "" {
			offers++
		}
	}
	if offers != 6 {
		t.Errorf("%d offers in an hour to a replica that takes none, want 6", offers)
	}
}

// fleet is replicas that lead buckets, each with a Balance of its own.
type fleet struct {
	names    []string
	holders  []string
	balances []Balance
	now      time.Time
}

// ask asks each replica once, moves the buckets, and returns how many moved.
func (f *fleet) ask(random *rand.Rand) (moves int) {
	f.now = f.now.Add(interval)
	seen := append([]string{}, f.holders...) // all decide on what was before the first move
	for _, i := range random.Perm(len(f.names)) {
		s := Situation{Own: replica(f.names[i]), Holders: seen}
		for j, name := range f.names {
			if j != i {
				s.Others = append(s.Others, replica(name))
			}
		}
		if to := f.balances[i].Successor(f.now, s); to != "" {
			moves++
			f.give(f.names[i], to)
		}
	}
	return moves
}

func (f *fleet) give(from, to string) {
	for i, holder := range f.holders {
		if holder == from {
			f.holders[i] = to
			return
		}
	}
}

// most is how many buckets the replica with the most leads.
func (f *fleet) most() (most int) {
	for _, n := range (Situation{Holders: f.holders}).led() {
		most = max(most, n)
	}
	return most
}

// From any start two to five replicas are balanced within ten minutes, no replica gives up two buckets
// within pause, and then nothing moves for an hour.
func TestBalance_anyStart(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		f := fleet{now: time.Now()}
		for i := range 2 + random.IntN(4) {
			f.names = append(f.names, string(rune('a'+i)))
		}
		f.balances = slices.Repeat([]Balance{{Pause: pause}}, len(f.names))
		for range 2 + random.IntN(9) {
			f.holders = append(f.holders, f.names[random.IntN(1+random.IntN(len(f.names)))])
		}
		began := fmt.Sprint(f.holders)
		for range int(10 * time.Minute / interval) {
			f.ask(random)
		}
		share := (len(f.holders) + len(f.names) - 1) / len(f.names)
		if f.most() > share {
			t.Errorf("seed %d: %s became %v: one of %d replicas leads more than %d", seed, began, f.holders, len(f.names), share)
		}
		for range int(time.Hour / interval) {
			if f.ask(random) > 0 {
				t.Fatalf("seed %d: a bucket moves although the leaders are balanced: %v", seed, f.holders)
			}
		}
	}
}

// The pauses add up: half of ten buckets have moved after the patience and four pauses.
func TestBalance_pause(t *testing.T) {
	f := fleet{now: time.Now(), names: []string{"a", "b"}, holders: held(10), balances: []Balance{{Pause: pause}, {Pause: pause}}}
	random, last, moves := rand.New(rand.NewPCG(0, 0)), time.Time{}, 0
	start := f.now.Add(interval)
	for range int(time.Hour / interval) {
		if n := f.ask(random); n > 0 {
			if moves += n; n > 1 || !last.IsZero() && f.now.Sub(last) < pause {
				t.Errorf("%d buckets move %v after the last", n, f.now.Sub(last))
			}
			last = f.now
		}
	}
	if took := last.Sub(start); moves != 5 || took != balancePatience+4*pause {
		t.Errorf("%d buckets moved within %v, want 5 within %v", moves, took, balancePatience+4*pause)
	}
}
