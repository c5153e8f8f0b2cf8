package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

var nan = math.NaN()

func parse(t *testing.T, name string, page []byte) (Stat, error) {
	t.Helper()
	p, err := NewTables().NewParser(name, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var s Stat
	err = p.Parse(page, &s)
	return s, err
}

func TestParse_pages(t *testing.T) {
	unknown := Histogram{Count: nan, Sum: nan}
	tests := []struct {
		page string
		want Stat
	}{
		{"vllm-v0-synthetic.prom.txt", Stat{
			Engine: "vllm", Running: 5, Waiting: 3 + 2, KVUsage: 0.42, KVCapacity: 16000,
			PromptTokens: 1200, GenerationTokens: 3400, Finished: 10,
			Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan,
			TTFT: Histogram{Bounds: []float64{0.5}, Counts: []float64{9}, Count: 10, Sum: 2.5},
			ITL:  Histogram{Bounds: []float64{0.05}, Counts: []float64{300}, Count: 340, Sum: 12},
			E2E:  Histogram{Bounds: []float64{10}, Counts: []float64{8}, Count: 10, Sum: 60},
		}},
		{"vllm-dp2-synthetic.prom.txt", Stat{
			Engine: "vllm", Ranks: 2, Fullest: FullestRank{PromptTokens: 100, Running: 8, Waiting: 5}, Running: 8 + 2, Deferred: 1, Waiting: 5, KVUsage: 0.82, KVCapacity: 16000 + 500*16,
			PromptTokens: 150, GenerationTokens: 15, Steps: 100, Preemptions: 3, Finished: 3 + 1,
			PrefixQueries: nan, PrefixHits: nan, Created: 1.7952516080593286e+09,
			TTFT: Histogram{Bounds: []float64{0.1, 0.5}, Counts: []float64{1, 3}, Count: 4, Sum: 1.75},
			ITL:  unknown, E2E: unknown,
			LoRA: []string{"sql", "chat", "code"}, Asleep: true,
		}},
		{"llm-d-inference-sim-0.10.2-fresh.prom.txt", Stat{
			Engine: "vllm", KVCapacity: 64 * 8, Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan,
			TTFT: unknown, ITL: unknown, E2E: unknown,
		}},
		{"sglang-synthetic.prom.txt", Stat{
			Engine: "sglang", Ranks: 2, Running: 6 + 4, Deferred: 1, Waiting: 3 + 1, KVUsage: 0.625, KVCapacity: 200000,
			PromptTokens: 8128902, GenerationTokens: 7557572, Preemptions: 2, Finished: 10,
			PrefixQueries: 8128902, PrefixHits: 2000, Steps: nan, Created: nan,
			TTFT: Histogram{Bounds: []float64{0.1, 0.5}, Counts: []float64{1, 9}, Count: 10, Sum: 2.3},
			ITL:  Histogram{Bounds: []float64{0.02}, Counts: []float64{20}, Count: 25, Sum: 0.5},
			E2E:  Histogram{Bounds: []float64{5}, Counts: []float64{2}, Count: 10, Sum: 116},
		}},
		// The pages below are written by hand from documentation, not recorded from an engine.
		{"triton-tensorrt-llm-synthetic.prom.txt", Stat{
			Engine: "triton-tensorrt-llm", Running: 7, Waiting: 12, KVUsage: 0.4, KVCapacity: 6239 * 64,
			PromptTokens: 51200, GenerationTokens: 20480, Steps: 4711, Finished: 100,
			Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan, TTFT: unknown, ITL: unknown, E2E: unknown,
		}},
		{"triton-tensorrt-llm-old-synthetic.prom.txt", Stat{ // no waiting, no fraction
			Engine: "triton-tensorrt-llm", Running: 1, Waiting: nan, KVUsage: 0.25, KVCapacity: 400 * 64,
			PromptTokens: nan, GenerationTokens: nan, Steps: 3, Finished: nan,
			Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan, TTFT: unknown, ITL: unknown, E2E: unknown,
		}},
		{"triton-synthetic.prom.txt", Stat{
			Engine: "triton", Running: nan, Waiting: 3, KVUsage: nan, KVCapacity: nan, Finished: 500 + 40,
			PromptTokens: nan, GenerationTokens: nan, Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan,
			TTFT: unknown, ITL: unknown, E2E: unknown,
		}},
		{"trtllm-serve-synthetic.prom.txt", Stat{
			Engine: "trtllm-serve", Running: 4, Waiting: 2, KVUsage: 0.62, KVCapacity: 1000 * 32,
			PromptTokens: nan, GenerationTokens: 9000, Finished: 90 + 5, Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan,
			Created: 1.7952516e+09,
			TTFT:    Histogram{Bounds: []float64{0.1, 1}, Counts: []float64{40, 95}, Count: 96, Sum: 20},
			ITL:     Histogram{Bounds: []float64{0.05}, Counts: []float64{90}, Count: 96, Sum: 3},
			E2E:     Histogram{Bounds: []float64{10}, Counts: []float64{96}, Count: 96, Sum: 200},
		}},
		{"tgi-synthetic.prom.txt", Stat{
			Engine: "tgi", Running: 5, Waiting: 3, KVUsage: 8000.0 / 32000, KVCapacity: 32000,
			PromptTokens: 40000, GenerationTokens: 12000, Finished: 150, Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan, Created: nan,
			TTFT: unknown,
			ITL:  Histogram{Bounds: []float64{0.05}, Counts: []float64{120}, Count: 150, Sum: 5},
			E2E:  Histogram{Bounds: []float64{1, 10}, Counts: []float64{30, 150}, Count: 150, Sum: 400},
		}},
		{"lmdeploy-synthetic.prom.txt", Stat{
			Engine: "lmdeploy", Ranks: 2, Fullest: FullestRank{PromptTokens: 2000, Running: 6, Waiting: 3}, Running: 6 + 4, Waiting: 2 + 0 + 1 + 0, KVUsage: 0.625, KVCapacity: nan,
			PromptTokens: 3000, GenerationTokens: 700, Finished: 20, Steps: nan, Preemptions: nan, PrefixQueries: nan, PrefixHits: nan,
			Created: 1.7952516e+09,
			TTFT:    Histogram{Bounds: []float64{0.5}, Counts: []float64{18}, Count: 20, Sum: 4},
			ITL:     Histogram{Bounds: []float64{0.02}, Counts: []float64{650}, Count: 680, Sum: 9},
			E2E:     Histogram{Bounds: []float64{5}, Counts: []float64{20}, Count: 20, Sum: 30},
		}},
	}
	all := pages(t)
	for _, tt := range tests {
		t.Run(tt.page, func(t *testing.T) {
			got, err := parse(t, "", all[tt.page])
			if err != nil {
				t.Fatal(err)
			}
			// None of these pages has phases of requests.
			tt.want.QueueTime, tt.want.PrefillTime, tt.want.PromptLengths = unknown, unknown, unknown
			tt.want.WaitingNegative = nan // of pickers only
			if tt.want.Deferred == 0 {
				tt.want.Deferred = nan
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-12), anyRank()); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// Real vLLM 0.32: fresh, under load, and after 64 requests of 400 tokens.
func TestParse_realVLLM(t *testing.T) {
	tests := []struct {
		page string
		want Stat
		// counts of TTFT, ITL and E2E
		ttft, itl, e2e float64
	}{
		{"vllm-0.32.0-fresh.prom.txt", Stat{}, 0, 0, 0},
		{"vllm-0.32.0-loaded.prom.txt", Stat{Running: 8, Waiting: 56, KVUsage: 0.6153846153846154, PromptTokens: 1533,
			GenerationTokens: 1064, Steps: 152, PrefixQueries: 1533}, 8, 1056, 0},
		{"vllm-0.32.0-after.prom.txt", Stat{PromptTokens: 12279, GenerationTokens: 25600, Steps: 3279, Preemptions: 1,
			Finished: 64, PrefixQueries: 12279}, 64, 25536, 64},
	}
	all := pages(t)
	for _, tt := range tests {
		t.Run(tt.page, func(t *testing.T) {
			got, err := parse(t, "", all[tt.page])
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range []struct {
				got  Histogram
				want float64
			}{{got.TTFT, tt.ttft}, {got.ITL, tt.itl}, {got.E2E, tt.e2e}} {
				n := len(h.got.Bounds)
				if h.got.Count != h.want || n < 19 || n != len(h.got.Counts) || h.got.Counts[n-1] != h.want {
					t.Errorf("histogram has count %v and buckets %v, want %v in all", h.got.Count, h.got.Counts, h.want)
				}
			}
			// Phases are counted when a request ends.
			for _, h := range []Histogram{got.QueueTime, got.PrefillTime, got.PromptLengths} {
				if n := len(h.Bounds); h.Count != tt.e2e || n < 11 || h.Counts[n-1] != tt.e2e {
					t.Errorf("phases: count %v and buckets %v, want %v in all", h.Count, h.Counts, tt.e2e)
				}
			}
			tt.want.Engine, tt.want.KVCapacity, tt.want.Created = "vllm", 5120, 1.7952590077035658e+09
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(Stat{}, "WaitingNegative", "TTFT", "ITL", "E2E", "QueueTime", "PrefillTime", "PromptLengths"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParse_simulatorUnderLoad(t *testing.T) {
	s, err := parse(t, "vllm", pages(t)["llm-d-inference-sim-0.10.2-loaded.prom.txt"])
	if err != nil {
		t.Fatal(err)
	}
	if s.Running != 2 || s.Waiting != 2 || s.KVUsage != 0.015625 || s.PromptTokens != 24 || s.GenerationTokens != 6 || s.Finished != 2 {
		t.Errorf("gauges and counters are not those of the page: %+v", s)
	}
	if s.PrefixQueries != 48 || s.PrefixHits != 24 { // spelled without _total
		t.Errorf("prefix cache = %v, %v, want 48, 24", s.PrefixQueries, s.PrefixHits)
	}
	if s.TTFT.Count != 4 || s.ITL.Count != 72 || s.E2E.Count != 2 || len(s.E2E.Bounds) == 0 {
		t.Errorf("histograms: %v, %v, %v", s.TTFT.Count, s.ITL.Count, s.E2E.Count)
	}
}

func TestParse_agreesWithExpfmt(t *testing.T) {
	for name, page := range pages(t) {
		t.Run(name, func(t *testing.T) { checkAgainstExpfmt(t, page) })
	}
	for _, page := range oddPages {
		checkAgainstExpfmt(t, []byte(page))
	}
}

func TestParse_edges(t *testing.T) {
	tests := []struct {
		name, page       string
		running, waiting float64
	}{
		{"absent is unknown", "vllm:num_requests_running 1\n", 1, nan},
		{"blanks, trailing comma, exponent", " \tvllm:num_requests_running \t { engine = \"0\" , } \t +1e1 \n", 10, nan},
		{"timestamp and no space after the brace", "vllm:num_requests_running{engine=\"0\"}3 1700000000000\n", 3, nan},
		{"brace and quote inside a label", "vllm:num_requests_running{m=\"a}\\\" 9\"} 2\n", 2, nan},
		{"OpenMetrics", "# TYPE vllm:num_requests_running gauge\n# UNIT x y\nvllm:num_requests_running 7 1.5 # {t=\"x\"} 1 2\nvllm:num_requests_waiting 1 # {} 1\n# EOF\n", 7, 1},
		{"OpenMetrics without a last newline", "vllm:num_requests_running 7\n# EOF", 7, nan},
		{"CRLF", "vllm:num_requests_running 1\r\nvllm:num_requests_waiting 2\r\n", 1, 2},
		{"one rank unknown makes the pod unknown", "vllm:num_requests_running{engine=\"0\"} NaN\nvllm:num_requests_running{engine=\"1\"} 4\n", nan, nan},
		{"absurd values are passed on", "vllm:num_requests_running -1\nvllm:num_requests_waiting 1e12\n", -1, 1e12},
		{"declared without a series is idle", "# TYPE vllm:num_requests_running gauge\n# TYPE vllm:num_requests_waiting gauge\n", 0, 0},
		{"the same series twice counts once", "vllm:num_requests_running{a=\"1\",b=\"2\"} 3\nvllm:num_requests_running{b=\"2\",a=\"1\"} 3\nvllm:num_requests_running{a=\"2\"} 1\n", 4, nan},
		{"an unknown series twice is unknown", "vllm:num_requests_running NaN\nvllm:num_requests_running NaN\nvllm:num_requests_waiting 2\n", nan, 2},
		{"Triton's own queue", "vllm:num_requests_running 1\nnv_inference_pending_request_count{model=\"m\"} 17\n", 1, 17},
		{"the engine's queue and not Triton's", "vllm:num_requests_waiting 4\nnv_inference_pending_request_count{model=\"m\"} 17\n", nan, 4},
		{"a longer name is another family", "vllm:num_requests_running_max 3\nvllm:num_requests_waiting 2\n", nan, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(t, "", []byte(tt.page))
			if err != nil {
				t.Fatal(err)
			}
			if !same(got.Running, tt.running) || !same(got.Waiting, tt.waiting) {
				t.Errorf("running, waiting = %v, %v, want %v, %v", got.Running, got.Waiting, tt.running, tt.waiting)
			}
		})
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestParse_refusals(t *testing.T) {
	tests := []struct{ name, engine, page, want string }{
		{"html", "", "<html>vllm: down</html>\n", "no metric of an inference engine"},
		{"html, engine named", "vllm", "<html>\n", `line 1: expected a metric name, found "<html>"`},
		{"other program", "", "python_info 1\n", "its first metrics are python_info"},
		{"other engine than named", "sglang", "vllm:num_requests_running 1\n", "named sglang is on the page; its first metrics are vllm:num_requests_running"},
		{"cut page", "", "vllm:num_requests_running 1\nvllm:num_requests_waiting 12", "line 2: the page ends within a line"},
		{"no value", "", "vllm:num_requests_running \n", `line 1: expected a number as value, found ""`},
		{"word as value", "", "vllm:num_requests_running many\n", `found "many"`},
		{"out of range", "", "vllm:num_requests_running 1e999\n", `found "1e999"`},
		{"bad escape", "", "vllm:num_requests_running{a=\"\\x\"} 1\n", "may follow a backslash"},
		{"open quote", "", "vllm:num_requests_running{a=\"} 1\n", "closing quote is missing"},
		{"open escape", "", "vllm:num_requests_running{a=\"\\\"} 1\n", "closing quote is missing"},
		{"no equals sign", "", "vllm:num_requests_running{a} 1\n", "expected '=' after label a"},
		{"two commas", "", "vllm:num_requests_running{a=\"\",,} 1\n", "expected a label name"},
		{"trailing text", "", "vllm:num_requests_running 1 2 3\n", "after the timestamp"},
		{"duplicate", "", "vllm:num_requests_running{a=\"1\",b=\"2\"} 1\nvllm:num_requests_running{b=\"2\",a=\"1\"} 2\n", "line 2: duplicate series of vllm:num_requests_running with another value"},
		{"bad bound", "", "vllm:e2e_request_latency_seconds_bucket{le=\"x\"} 1\n", "label le"},
		{"long line", "", "# " + strings.Repeat("x", 64<<10) + "\nvllm:num_requests_running 1\n", "line 1: longer than 65536 bytes"},
		{"many buckets", "", manyBuckets(), "more than 512 buckets"},
		{"many ranks", "", manyRanks(), "more than 1024 data-parallel ranks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(t, tt.engine, []byte(tt.page))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q in it", err, tt.want)
			}
		})
	}
}

func manyBuckets() string {
	var b strings.Builder
	for i := range maxBuckets + 1 {
		b.WriteString("vllm:e2e_request_latency_seconds_bucket{le=\"" + strconv.Itoa(i) + "\"} 1\n")
	}
	return b.String()
}

func manyRanks() string {
	var b strings.Builder
	for i := range maxRanks + 1 {
		b.WriteString("sglang:num_running_reqs{dp_rank=\"" + strings.Repeat("x", i) + "\"} 1\n")
	}
	return b.String()
}

func TestParse_unknownEngineName(t *testing.T) {
	_, err := NewTables().NewParser("vlm", 100)
	if err == nil || err.Error() != `engine "vlm" is not known; known are `+strings.Join(engines.Names(), ", ") {
		t.Errorf("err = %v", err)
	}
}

// A Go client does not declare a counter that was never incremented: while
// nothing runs or waits that is zero, and when something runs it is unknown.
func TestParse_absentCountersAreZeroOnlyWhenIdle(t *testing.T) {
	idle, err := parse(t, "", []byte("vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"))
	if err != nil || idle.PromptTokens != 0 || idle.GenerationTokens != 0 {
		t.Errorf("idle page: tokens = %v, %v (%v), want 0", idle.PromptTokens, idle.GenerationTokens, err)
	}
	busy, err := parse(t, "", []byte("vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n"))
	if err != nil || !math.IsNaN(busy.PromptTokens) || !math.IsNaN(busy.GenerationTokens) {
		t.Errorf("busy page: tokens = %v, %v (%v), want unknown", busy.PromptTokens, busy.GenerationTokens, err)
	}
}

// A parser goes from target to target: what a page says does not depend on the page before,
// whichever engines, and whoever's pods, the two are of.
func TestParse_everyPageAfterEveryOther(t *testing.T) {
	all := pages(t)
	all["one series of every engine"] = []byte("te_x 1\ntgi_x 1\nllamacpp:x 1\nnv_inference_x 1\nvllm:num_requests_running 1\n")
	for before, first := range all {
		p, err := NewTables().NewParser("", 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		for name, page := range all {
			var s Stat
			_ = p.Parse(first, &s)
			got := p.Parse(page, &s)
			fresh, want := parse(t, "", page)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s after %s: %v, want %v", name, before, got, want)
				continue
			}
			if diff := cmp.Diff(fresh, s, cmpopts.EquateNaNs(), cmpopts.EquateEmpty(), anyRank()); want == nil && diff != "" {
				t.Errorf("%s after %s (-fresh +used):\n%s", name, before, diff)
			}
		}
		if err := p.Parse([]byte("python_info 1\n"), new(Stat)); !errors.Is(err, ErrNotEngine) {
			t.Errorf("err = %v, want ErrNotEngine", err)
		}
	}
}

func TestParse_steadyPageAllocatesNothing(t *testing.T) {
	for name, page := range pages(t) {
		p, err := NewTables().NewParser("", 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		var s Stat
		n := testing.AllocsPerRun(100, func() {
			if err := p.Parse(page, &s); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a page, want 0", name, n)
		}
	}
}

// No prefix of a real page may panic, and a cut never yields a smaller number.
func TestParse_cutPages(t *testing.T) {
	page := pages(t)["vllm-dp2-synthetic.prom.txt"]
	p, _ := NewTables().NewParser("", 64<<10)
	var s Stat
	for i := range page {
		err := p.Parse(page[:i], &s)
		line := page[bytes.LastIndexByte(page[:i], '\n')+1 : i]
		if err == nil && len(line) > 0 && line[0] != '#' {
			t.Fatalf("page cut after %q was accepted", line)
		}
	}
}

// A picker's page reports the queue of its flow control; nothing is zero when the
// page is a picker's, and the page of an engine is none.
func TestParse_picker(t *testing.T) {
	const info = "# TYPE inference_extension_info gauge\ninference_extension_info{commit=\"c\"} 1\n"
	const of = "inference_extension_flow_control_queue_size{fairness_id=\"default\",inference_pool=\"llm\",priority=\"%P\"} "
	const saturation = "inference_extension_flow_control_pool_saturation{inference_pool=\"llm\"} 0.2\n"
	row := func(priority, n string) string { return strings.ReplaceAll(of, "%P", priority) + n + "\n" }
	for _, tt := range []struct {
		page string
		want float64
	}{
		{info, nan}, {info + saturation, 0}, {saturation, 0}, {info + row("0", "0"), 0}, {info + row("0", "7") + row("20", "3"), 10}, {row("0", "7"), 7}, {info + row("0", "NaN"), nan},
	} {
		s, err := parse(t, Picker, []byte(tt.page))
		if err != nil || s.Waiting != tt.want && !(math.IsNaN(s.Waiting) && math.IsNaN(tt.want)) {
			t.Errorf("%q: waiting %v, %v; want %v", tt.page, s.Waiting, err, tt.want)
		}
	}
	for name, want := range map[string]float64{"resting": 0, "holding": 40} {
		page, err := os.ReadFile("testdata/epp-1.5.0-" + name + ".picker.txt")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := parse(t, Picker, page); err != nil || s.Waiting != want {
			t.Errorf("a real picker, %s: waiting %v, %v; want %v", name, s.Waiting, err, want)
		}
	}
	for page, want := range map[string]float64{
		info: nan, info + saturation: 0, info + row("0", "7"): nan, info + saturation + row("0", "7"): 0,
		info + saturation + row("0", "7") + row("-10", "3") + row("-1", "2"): 5, info + saturation + row("-10", "NaN"): nan,
		// Without the label nobody says that they may wait.
		info + saturation + "inference_extension_flow_control_queue_size{inference_pool=\"llm\"} 3\n": 0,
	} {
		if s, err := parse(t, Picker, []byte(page)); err != nil || s.WaitingNegative != want && !(math.IsNaN(s.WaitingNegative) && math.IsNaN(want)) {
			t.Errorf("%q: waiting with a negative priority %v, %v; want %v", page, s.WaitingNegative, err, want)
		}
	}
	if _, err := parse(t, Picker, []byte("vllm:num_requests_waiting 3\n")); !errors.Is(err, ErrNotEngine) {
		t.Errorf("an engine's page: %v, want ErrNotEngine", err)
	}
	if _, err := parse(t, "", []byte(info)); !errors.Is(err, ErrNotEngine) {
		t.Errorf("a picker found where an engine is sought: %v", err)
	}
}

// What other exporters write beside, or before, the lines of an engine loses none of them.
func TestParse_unusualPages(t *testing.T) {
	const lines = "vllm:num_requests_running 3\nvllm:num_requests_waiting 2\n"
	for name, page := range map[string]string{
		"a byte order mark":           "\xEF\xBB\xBF" + lines,
		"a quoted name of Prometheus": "{\"http.server.duration\",code=\"200\"} 1\n" + lines + "{\"a b\"} 2\n",
		"an engine's name in a label": "x_total{engine=\"te_x\",path=\"llamacpp:\"} 1\n" + lines,
	} {
		if s, err := parse(t, "", []byte(page)); err != nil || s.Running != 3 || s.Waiting != 2 || s.Engine != "vllm" {
			t.Errorf("%s: %v running, %v waiting of %q, %v", name, s.Running, s.Waiting, s.Engine, err)
		}
	}
	_, err := parse(t, "", []byte("llm.requests-running 3\n<script>alert(1)</script> 4\n"))
	if err == nil || !strings.HasSuffix(err.Error(), "its first metrics are llm.requests-running") {
		t.Errorf("dotted names: %v", err)
	}
}
