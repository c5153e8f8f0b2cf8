package command

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

func TestPolicies(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"ipa", "ipa"},
		{"ipa,kpa,hpa", "ipa kpa hpa"},
		{" ipa , kpa ", "ipa kpa"},
		{"kpa:target=20,window=60s,hpa", "kpa:target=20,window=60s hpa"},
		{"kpa:target=20:window=60s,hpa", "kpa:target=20,window=60s hpa"},
		{"kpa:target=20;window=60s,hpa", "kpa:target=20,window=60s hpa"},
		{"kpa,target=20,hpa", "kpa:target=20 hpa"},
		{"ipa:metric=concurrency=5+kv_cache_usage_percent=70,kpa", "ipa:metric=concurrency=5+kv_cache_usage_percent=70 kpa"},
		{"kpa,kpa:target=4,kpa:target=8", "kpa kpa:target=4 kpa:target=8"},
	} {
		got, err := policies(c.list)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, %v; want %q", c.list, got, err, c.want)
		}
	}
}

func TestReplaced(t *testing.T) {
	for _, c := range []struct{ spec, settings, want string }{
		{"kpa", "target=5", "kpa:target=5"},
		{"kpa:target=20,window=30s", "target=5", "kpa:window=30s,target=5"},
		{"wva:up=0.5,down=0.3", "up=0.4,down=0.2", "wva:up=0.4,down=0.2"},
	} {
		if got := replaced(c.spec, c.settings); got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.spec, c.settings, got, c.want)
		}
	}
}

// TestSweeps: every knob's settings are ones that the policies take.
func TestSweeps(t *testing.T) {
	all, err := candidates([]string{"ipa", "kpa", "kpa:target=20", "hpa", "hpa:metric=concurrency", "hpa:metric=num_requests_waiting", "apa", "wva", "static", "oracle"})
	if err != nil {
		t.Fatal(err)
	}
	swept, err := sweeps(all)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range swept {
		count[c.swept]++
		if again, err := policies(c.label); err != nil || len(again) != 1 || again[0] != c.label {
			t.Errorf("--policy %s: %q, %v", c.label, again, err)
		}
	}
	for label, least := range map[string]int{"ipa": 5, "kpa": 5, "hpa": 5, "hpa:metric=concurrency": 5, "hpa:metric=num_requests_waiting": 3, "apa": 5, "wva": 5} {
		if count[label] < least {
			t.Errorf("%s: %d settings, want %d at least", label, count[label], least)
		}
	}
	if count["kpa:target=20"] != 0 {
		t.Error("kpa is swept twice")
	}
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{{"120s", 2 * time.Minute}, {"1h30m", 90 * time.Minute}, {"2d", 48 * time.Hour}, {"0.5d", 12 * time.Hour}, {"0s", 0}} {
		var s span
		if err := s.Set(c.text); err != nil || time.Duration(s) != c.want {
			t.Errorf("%s: %v, %v", c.text, time.Duration(s), err)
		}
	}
	for _, text := range []string{"", "120", "-1s", "xd", "NaNd", "Infd", "-2d", "1e9d"} {
		if err := new(span).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for want, d := range map[string]time.Duration{"2m": 2 * time.Minute, "1h": time.Hour, "1h30m": 90 * time.Minute, "0": 0, "100ms": 100 * time.Millisecond, "10s": 10 * time.Second} {
		if s := span(d); s.String() != want {
			t.Errorf("%v is written %s, want %s", d, s.String(), want)
		}
	}
}

// TestLoad_stdin: read once, replayed for every run.
func TestLoad_stdin(t *testing.T) {
	o, err := parsed([]string{"--trace", "-", "--columns", "time=t,input=i,output=o"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoad(o, strings.NewReader("t,i,o\n0,10,20\n1,30,40\n"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := l.measure(t.Context(), 1, 69)
		if err != nil || s != (size{requests: 2, input: 40, output: 60, tooLong: 1, span: time.Second}) {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestCounted: long reading reports its progress, short reading says nothing.
func TestCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []int64
		requests := func(yield func(trace.Request, error) bool) {
			for i := range 3 * 65536 {
				if i%65536 == 0 {
					time.Sleep(4 * time.Second)
				}
				if !yield(trace.Request{}, nil) {
					return
				}
			}
		}
		n := 0
		for range counted(requests, func(n int64, _ time.Duration) { said = append(said, n) }) {
			n++
		}
		if n != 3*65536 || len(said) != 1 || said[0] != 2*65536 {
			t.Errorf("%d requests, told at %d", n, said)
		}
	})
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 2)
	p.at(0, 1)
	p.at(1, .5)
	p.show(3 * time.Second)
	p.show(4 * time.Second) // nothing more is done
	p.done()
	if want := "simulate: 75 %, 1 of 2 runs, 3s gone, about 1s left\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	newProgress(&out, 1).done()
	if out.Len() > 0 {
		t.Errorf("short work said %q", out.String())
	}
}

// TestLeast: the smallest fleet that holds the goal; where none does, the
// smallest that is as good as the largest. Few are tried.
func TestLeast(t *testing.T) {
	for _, c := range []struct {
		name       string
		share      func(n int32) float64
		most, want int32
	}{
		{"reachable", func(n int32) float64 { return float64(min(n, 10)) / 10 }, 1000, 10},
		{"the least of all", func(int32) float64 { return 1 }, 1000, 1},
		{"only the most", func(n int32) float64 { return float64(n) / 64 }, 64, 64},
		{"not reachable", func(n int32) float64 { return min(float64(n)/100, 0.8) }, 1000, 80},
		{"nothing helps", func(int32) float64 { return 0 }, 1000, 1},
		{"a single size", func(int32) float64 { return 0.5 }, 1, 1},
	} {
		tried := 0
		run := trial(func(n int32) (simulator.Result, error) {
			tried++
			return simulator.Result{Requests: 1e6, Met: int64(1e6 * c.share(n)), GPUHours: float64(n)}, nil
		})
		r, err := run.least(1, c.most, 0.99)
		if err != nil || r.GPUHours != float64(c.want) || tried > 11 {
			t.Errorf("%s: %v replicas, want %d; %d tried, %v", c.name, r.GPUHours, c.want, tried, err)
		}
	}
}

// FuzzPolicies: whatever is accepted names policies, and no option stands alone.
func FuzzPolicies(f *testing.F) {
	f.Add("kpa:target=20,window=60s,hpa")
	f.Add(":,=;::")
	f.Fuzz(func(t *testing.T, list string) {
		specs, err := policies(list)
		if err != nil {
			return
		}
		for _, s := range specs {
			name, _, _ := strings.Cut(s, ":")
			if strings.ContainsAny(name, ",;=") {
				t.Fatalf("%q: policy %q", list, s)
			}
		}
	})
}

// FuzzTable: what recordings become is a trace.
func FuzzTable(f *testing.F) {
	f.Add(int64(5), 3, 4)
	f.Fuzz(func(t *testing.T, at int64, input, output int) {
		q := trace.Request{Arrival: time.Duration(max(at, 0) % int64(24*time.Hour)), Input: max(input, 0) % 1e6, Output: max(output, 0) % 1e6}
		o := trace.Options{Format: "csv", Columns: map[string]string{"time": "time", "input": "input", "output": "output"}}
		for got, err := range trace.Read(bytes.NewReader(table([]trace.Request{q})), "fuzz", o) {
			if err != nil || got.Input != q.Input || got.Output != q.Output {
				t.Fatalf("%+v became %+v, %v", q, got, err)
			}
		}
	})
}
