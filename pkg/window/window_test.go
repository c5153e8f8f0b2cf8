package window

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func at(s float64) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(s * float64(time.Second)))
}

func TestMean_setReplacesTheBucket(t *testing.T) {
	m := NewMean(60*time.Second, time.Second)
	m.Set(at(0), 4)
	m.Set(at(0.5), 6) // the same second: the newest sum counts
	m.Set(at(1), 2)
	if got := m.WindowAverage(at(1)); got != 4 {
		t.Errorf("WindowAverage = %v, want (6+2)/2 = 4", got)
	}
}

func TestMean_dropsWhatIsNotANumber(t *testing.T) {
	m := NewMean(10*time.Second, time.Second)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m.Record(at(0), v)
		m.Set(at(0), v)
	}
	if !m.IsEmpty(at(0)) {
		t.Error("a window of NaN and Inf is not empty")
	}
	m.Record(at(1), 1e300)
	m.Record(at(2), 3)
	if got := m.WindowAverage(at(12)); got != 0 {
		t.Errorf("after the window: %v, want 0", got)
	}
	if got := m.WindowAverage(at(11)); got != 3 {
		t.Errorf("the huge value left the window: %v, want 3", got)
	}
}

func TestMean_oddTimes(t *testing.T) {
	m := NewMean(0, 300*time.Millisecond) // one bucket of one second
	for _, now := range []time.Time{{}, time.Unix(-5, 0), at(0), at(-100), at(1e9), at(3)} {
		m.Record(now, 1)
		m.WindowAverage(now)
		m.WeightedAverage(now)
		m.Resize(now, time.Duration(now.Unix()%7)*time.Second)
	}
}

func TestMax_resize(t *testing.T) {
	m := NewMax(60*time.Second, 2*time.Second).Record(at(0), 9).Record(at(20), 5).Record(at(22), 1)
	if got := m.Resize(10*time.Second).Record(at(24), 1).Current(); got != 5 {
		t.Errorf("after shrinking to 10s, Current = %d, want 5", got)
	}
	if got := m.Record(at(24), 1).Current(); got != 9 {
		t.Errorf("without shrinking, Current = %d, want 9", got)
	}
	if got := (Max{}).Record(at(0), 3).Record(at(1), 2).Current(); got != 2 {
		t.Errorf("the zero Max remembers %d, want one bucket: 2", got)
	}
}

func TestMax_isEmpty(t *testing.T) {
	m := NewMax(10*time.Second, 2*time.Second)
	if !m.IsEmpty(at(0)) || !(Max{}).IsEmpty(at(0)) {
		t.Error("a new window is not empty")
	}
	if m = m.Record(at(0), 0); m.IsEmpty(at(9)) || !m.IsEmpty(at(10)) {
		t.Error("a record at 0s in a window of 10s is there until 10s")
	}
}

func TestMax_timeRunningBackwards(t *testing.T) {
	m := NewMax(4*time.Second, 2*time.Second)
	for i := range 10 {
		m = m.Record(at(float64(-10*i)), int32(20-i))
	}
	if len(m.older) > 1 {
		t.Errorf("%d entries in two buckets", len(m.older)+1)
	}
}

func TestMax_steadyRecordsDoNotAllocate(t *testing.T) {
	m, s := NewMax(time.Minute, time.Second), 0.
	n := testing.AllocsPerRun(100, func() {
		s++
		m = m.Record(at(s), 3)
	})
	if n != 0 {
		t.Errorf("%v allocations per record", n)
	}
}

func TestJSON_refusesNonsense(t *testing.T) {
	f := func(into any, text string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), into); err == nil {
			t.Errorf("%s was accepted as %T", text, into)
		}
	}
	f(&Mean{}, `{"seconds":0,"window":1000000000,"buckets":[1]}`)
	f(&Mean{}, `{"seconds":1,"window":2000000000,"buckets":[1]}`)
	f(&Mean{}, `[]`)
	f(&Max{}, `{"seconds":1,"buckets":1,"entries":[[1,5],[2,4]]}`)
	f(&Max{}, `{"seconds":1,"buckets":9,"entries":[[1,5],[2,6]]}`)
	f(&Max{}, `{"seconds":1,"buckets":9,"entries":[[2,5],[1,4]]}`)
	f(&Max{}, `{"seconds":-1,"buckets":9}`)
	f(&Max{}, `{"seconds":1,"buckets":9,"entries":[[1,5000000000]]}`)
	f(&Max{}, `7`)
}

// The command: go test ./pkg/window -run=^$ -bench=. -benchmem -count=10
func BenchmarkMean(b *testing.B) {
	m := NewMean(time.Minute, time.Second)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Record(at(float64(i)), 1)
		m.WindowAverage(at(float64(i)))
	}
}
