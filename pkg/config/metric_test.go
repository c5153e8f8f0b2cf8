package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	knautoscaling "knative.dev/serving/pkg/apis/autoscaling"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

func TestParseMetrics(t *testing.T) {
	f := func(value string, want ...target) {
		t.Helper()
		got, err := parseMetrics(value, decider.Concurrency)
		if err != nil {
			t.Errorf("parseMetrics(%q): %v", value, err)
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parseMetrics(%q) (-want +got):\n%s", value, diff)
		}
	}
	f("", target{decider.Concurrency, 0}) // an unnamed metric reaches a PodAutoscaler as the empty string
	f("  ", target{decider.Concurrency, 0})
	f("concurrency", target{decider.Concurrency, 0})
	f("rps", target{decider.RPS, 0})
	f(" kv_cache_usage_percent ", target{decider.KVCache, 0})
	f("kv_cache_usage_percent=70", target{decider.KVCache, 70})
	f("concurrency=2,kv_cache_usage_percent=70", target{decider.Concurrency, 2}, target{decider.KVCache, 70})
	f(" concurrency = 2.5 , num_requests_waiting = 1e1 ", target{decider.Concurrency, 2.5}, target{decider.Waiting, 10})
	f("num_requests_running=0.01", target{decider.Running, 0.01})
	f("prompt_tokens_per_second=1e9,generation_tokens_per_second", target{decider.PromptTokens, 1e9}, target{decider.GenerationTokens, 0})
}

func TestParseMetrics_refused(t *testing.T) {
	f := func(value, want string) {
		t.Helper()
		got, err := parseMetrics(value, decider.Concurrency)
		if err == nil {
			t.Errorf("parseMetrics(%q) = %v, want an error", value, got)
			return
		}
		for _, part := range []string{knautoscaling.MetricAnnotationKey, want} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("parseMetrics(%q): error %q does not say %q", value, err, part)
			}
		}
	}
	f("cpu", `unknown metric "cpu"; one of concurrency, rps, num_requests_running`)
	f("Concurrency", `unknown metric "Concurrency"`)
	f("requests_per_second", "unknown metric") // the API's name, not the annotation's
	f("concurrency,", "has an empty entry")
	f(",", "has an empty entry")
	f("=5", `unknown metric ""`)
	f("concurrency=2,concurrency=3", "names concurrency twice")
	f("concurrency, concurrency", `names "concurrency" twice`)
	f("concurrency=", `target "" of concurrency is not a number`)
	f("concurrency=two", `target "two" of concurrency is not a number`)
	f("concurrency=2=3", `target "2=3" of concurrency is not a number`)
	f("concurrency=70%", `target "70%" of concurrency is not a number`)
	f("concurrency=0", "must be in [0.01, 1e+09]")
	f("concurrency=-1", "target -1 of concurrency must be in")
	f("concurrency=NaN", "target NaN of concurrency must be in")
	f("concurrency=+Inf", "target +Inf of concurrency must be in")
	f("concurrency=1e300", "must be in [0.01, 1e+09]")
	f("concurrency=1e999", "is not a number")
	f("kv_cache_usage_percent=101", "target 101 of kv_cache_usage_percent must be in [2, 100] percent")
	f("kv_cache_usage_percent=0.7", "0.7 looks like a share of 1, as vLLM's own gauge reports; 70 % is 70")
	f("ttft_p95_ms=0.5", "must be in [1, 3.6e+06] milliseconds; 0.5 looks like seconds; half a second is 500")
	f("ttft_p95_ms=500ms", `target "500ms" of ttft_p95_ms is not a number; write the number of milliseconds alone`)
	f("kv_cache_usage_percent=70%", "write the number of percent alone")
	f("itl_p95_ms=2e9", "must be in [1, 3.6e+06] milliseconds")
	f("kv_cache_usage_percent=0.001", "must be in [2, 100] percent; 0.001 looks like a share of 1")
}

func FuzzParseMetrics(f *testing.F) {
	for _, s := range []string{"", "rps", "concurrency=2,kv_cache_usage_percent=70", "num_requests_waiting=NaN", "a=b=c,,", "concurrency=0x1p-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		targets, err := parseMetrics(value, decider.Concurrency)
		if err != nil {
			if !strings.HasPrefix(err.Error(), knautoscaling.MetricAnnotationKey+": ") {
				t.Fatalf("error %q does not name the annotation", err)
			}
			return
		}
		again, err := parseMetrics(write(targets), decider.Concurrency)
		if err != nil || !slices.Equal(again, targets) {
			t.Fatalf("%q means %v, written again %v (%v)", value, targets, again, err)
		}
		for _, x := range targets {
			if x.Value != 0 && !(x.Value >= 0.01 && x.Value <= decider.MaxTarget) || x.Metric == decider.KVCache && x.Value > 100 || math.IsNaN(x.Value) {
				t.Fatalf("%q: accepted %v", value, x)
			}
		}
	})
}

// write is the inverse of parseMetrics.
func write(targets []target) string {
	var entries []string
	for _, t := range targets {
		entry := string(t.Metric)
		if t.Value != 0 {
			entry += "=" + strconv.FormatFloat(t.Value, 'g', -1, 64)
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, ",")
}
