package command

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/engine"
)

// call runs the command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// parsed are the options of arguments, as the command reads them.
func parsed(args []string) (options, error) {
	o := options{config: simulator.NewConfig()}
	c := o.command()
	if err := c.ParseFlags(args); err != nil {
		return o, err
	}
	o.changed = c.Flags().Changed
	return o, o.validate()
}

// figures runs the command with --json - and returns the runs.
func figures(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	code, stdout, stderr := call(t, append(args, "--json", "-")...)
	if code != 0 {
		t.Fatalf("%v: exit %d, %s", args, code, stderr)
	}
	var r struct {
		Runs []map[string]any `json:"runs"`
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return r.Runs
}

// TestRun_contract: outside checks call these names.
func TestRun_contract(t *testing.T) {
	runs := figures(t, "--synthetic", "step", "--to", "10m", "--policy", "ipa,kpa,kpa:target=20,window=30s,hpa,apa,wva,static,oracle", "--seeds", "2",
		"--lead", "60s", "--slo-ttft", "2s", "--slo-itl", "100ms", "--scale", "2", "--engine", "h100-llama-3.1-8b", "--from", "1m")
	var order []string
	for _, r := range runs {
		order = append(order, r["policy"].(string))
		for _, key := range []string{
			"seed", "slo", "gpu_hours", "oracle_gpu_hours", "wasted_gpu_hours", "scale_operations", "reversals",
			"p99_ttft_s", "p99_itl_s", "recovery_s", "requests", "cpu_seconds",
		} {
			x, ok := r[key].(float64)
			if !ok || math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
				t.Errorf("%s: %s is %v", r["policy"], key, r[key])
			}
		}
		if slo := r["slo"].(float64); slo > 1 || r["gpu_hours"].(float64) <= 0 || r["oracle_gpu_hours"].(float64) <= 0 || r["requests"].(float64) < 1000 {
			t.Errorf("%v", r)
		}
	}
	want := "ipa ipa kpa kpa kpa:target=20,window=30s kpa:target=20,window=30s hpa hpa apa apa wva wva static static oracle oracle"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("runs of %s, want %s", got, want)
	}
	if runs[0]["seed"] != 1.0 || runs[1]["seed"] != 2.0 {
		t.Errorf("seeds %v, %v", runs[0]["seed"], runs[1]["seed"])
	}
}

// TestRun_sweep: every setting that was tried is a run of its own, whose name
// --policy takes and gives the same figures for.
func TestRun_sweep(t *testing.T) {
	load := []string{"--synthetic", "step", "--from", "15m", "--to", "20m", "--scale", "0.3", "--warmup", "1m"}
	runs := figures(t, append(load, "--policy", "ipa,kpa,kpa:target=20", "--sweep")...)
	var swept []string
	byPolicy := map[string]map[string]any{}
	for _, r := range runs {
		policy := r["policy"].(string)
		if byPolicy[policy] != nil {
			t.Errorf("%s is there twice", policy)
		}
		if byPolicy[policy] = r; r["knob"] != nil {
			swept = append(swept, policy)
		}
	}
	for _, want := range []string{"ipa:margin=2", "kpa:target=8", "kpa:target=20"} {
		if byPolicy[want] == nil {
			t.Errorf("no run of %s among %q", want, swept)
		}
	}
	if len(swept) < 10 || byPolicy["kpa:target=8"]["sweep_of"] != "kpa" {
		t.Errorf("%d settings, kpa:target=8 of %v", len(swept), byPolicy["kpa:target=8"]["sweep_of"])
	}
	for _, r := range figures(t, append(load, "--policy", strings.Join(swept, ","))...) {
		if first := byPolicy[r["policy"].(string)]; r["gpu_hours"] != first["gpu_hours"] || r["slo"] != first["slo"] {
			t.Errorf("%s: %v GPU-hours, within the sweep %v", r["policy"], r["gpu_hours"], first["gpu_hours"])
		}
	}
}

// TestRun_repeatable: the order in which cores finish does not show.
func TestRun_repeatable(t *testing.T) {
	args := []string{"--synthetic", "step", "--from", "15m", "--to", "25m", "--policy", "ipa,static", "--seeds", "3"}
	without := func(parallel string) string {
		runs := figures(t, append(args, "--parallel", parallel)...)
		for _, r := range runs {
			delete(r, "cpu_seconds")
		}
		text, _ := json.Marshal(runs)
		return string(text)
	}
	if one, four := without("1"), without("4"); one != four {
		t.Errorf("alone\n%s\nfour at a time\n%s", one, four)
	}
}

func TestRun_refuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	synthetic := func(args ...string) []string { return append([]string{"--synthetic", "step", "--to", "1m"}, args...) }
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "give --trace FILE or --synthetic NAME"},
		{[]string{"burst"}, `unexpected argument "burst"`},
		{[]string{"--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"--polcy", "kpa"}, "unknown flag: --polcy; did you mean --policy?"},
		{[]string{"--trace", filepath.Join(dir, "none.csv")}, "none.csv: no such file"},
		{[]string{"--trace", "a", "--synthetic", "step"}, "--trace and --synthetic do not go together"},
		{[]string{"--synthetic", "storm"}, `"storm"; it must be one of diurnal`},
		{[]string{"--synthetic", "step", "--from", "2h"}, "synthetic step has no requests from --from 2h on: its last one comes at 59m59s"},
		{[]string{"--synthetic", "step", "--from", "2h", "--to", "3h"}, "no requests between --from 2h and --to 3h: its last one"},
		{[]string{"--trace", file("few.csv", "t,i,o\n0,9,9\n90,9,9\n"), "--columns", "time=t,input=i,output=o", "--from", "5m"}, "few.csv has no requests from --from 5m on: its last one comes at 1m30s"},
		{[]string{"--trace", file("hollow.csv", "t,i,o\n"), "--columns", "time=t,input=i,output=o"}, "hollow.csv: no requests"},
		{[]string{"--trace", file("hollow.csv", "t,i,o\n"), "--columns", "time=t,input=i,output=o", "--from", "1m"}, "hollow.csv: no requests"},
		{[]string{"--trace", file("a.csv", "x,y\n1,2\n")}, "name them with --columns time=A,input=B,output=C"},
		{[]string{"--trace", file("b.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,9,9\n2023-11-16 18:15:47,many,9\n")}, "b.csv: line 3, ContextTokens"},
		{[]string{"--trace", "a", "--columns", "time=x"}, "time, input and output are all needed"},
		{[]string{"--trace", "a", "--columns", "when=x"}, "write time=A,input=B,output=C"},
		{synthetic("--policy", "magic"), `policy "magic"`},
		{synthetic("--policy", "target=3"), "an option without a policy"},
		{synthetic("--policy", ","), "name one at least"},
		{synthetic("--policy", "kpa,kpa"), "kpa is there twice"},
		{synthetic("--policy", "kpa:targt=3"), `no option "targt"`},
		{synthetic("--engine", "gameboy"), `engine profile "gameboy": no such name`},
		{synthetic("--engine", "gameboy"), `--profiles lists the 32 there are; or name a file`},
		{synthetic("--engine", "a100-tiny"), `known of a100 are a100-llama-3.1-8b`},
		{[]string{"--trace", dir}, "is a folder; name a file in it"},
		{[]string{"--trace", file("a.csv.gz", "\x1f\x8b\x08")}, "is compressed; write zcat"},
		{synthetic("--seeds", "1.5"), `--seeds "1.5"; it must be a number, such as 1`},
		{synthetic("--goal", "99%"), `--goal "99%"; it must be a number, such as 0.99`},
		{synthetic("--goal", "99"), "it is a share: write 0.99 for 99 %"},
		{synthetic("--policy", "ipa", "--policy", "ipa"), "ipa is there twice"},
		{synthetic("--engine", file("e.json", `{"a_us": 5, "b": 3}`)), `unknown field "b"; leave it out`},
		{synthetic("--engine", file("list.json", `[]`)), "the list of profiles is empty"},
		{synthetic("--engine", filepath.Join(dir, "not.json")), "no such file or directory; name a profile of --profiles, or a file that --fit wrote"},
		{synthetic("--engine", file("empty.json", " ")), "empty.json: the file is empty; --fit SOURCE --out FILE writes one"},
		{synthetic("--engine", file("cut.json", "{\n\"a_us\": 5,")), "cut.json: line 2 is no JSON: unexpected end of JSON input; --fit"},
		{synthetic("--engine", file("comma.json", "{\n\"a_us\": 5,\n}")), "comma.json: line 3 is no JSON: invalid character '}'"},
		{synthetic("--engine", file("text.json", `{"a_us": "five"}`)), "text.json: field a_us is a string; it must be a number of at most 1e7"},
		{synthetic("--engine", file("part.json", `{"max_num_seqs": 1.5}`)), "field max_num_seqs is a number 1.5; it must be a whole number"},
		{synthetic("--engine", file("name.json", `{"name": 5}`)), "name.json: field name is a number; it must be a text in quotes"},
		{synthetic("--engine", file("huge.json", `{"a_us": 1e400}`)), "huge.json: field a_us is a number 1e400; it must be a number of at most 1e7"},
		{synthetic("--engine", file("null.json", `null`)), "null.json: null is no profile; it must be an object"},
		{synthetic("--engine", file("two.json", `[{"a_us": -1}, {"a_us": 1}]`)), `two.json: profile 1 of the list: profile "": a_us is -1; it must be between`},
		{synthetic("--lead", "120"), `invalid argument "120" for "--lead"`},
		{synthetic("--slo-ttft", "0s"), "--slo-ttft and --slo-itl must be above 0"},
		{synthetic("--goal", "100"), "--goal 100; it must be between"},
		{synthetic("--scale", "NaN"), "--scale NaN"},
		{synthetic("--seeds", "0"), "--seeds 0"},
		{synthetic("--min", "5", "--max", "2"), "--min 5 is above --max 2"},
		{synthetic("--initial", "20", "--max", "5"), "--initial 20 is above --max 5"},
		{synthetic("--min", "4", "--gpus", "2"), "--min 4 is above --gpus 2"},
		{synthetic("--initial", "4", "--gpus", "2"), "--initial 4 is above --gpus 2"},
		{synthetic("--length", "100d"), "--length 2400h; it must be at most 2160h"},
		{synthetic("--lead", "25h"), "--lead 25h; it must be at most 24h"},
		{synthetic("--slo-ttft-per-token", "2s"), "--slo-ttft-per-token 2s; it must be at most 1s"},
		{synthetic("--revision", "a/b"), "--revision belongs to --recorded FILE"},
		{synthetic("--columns", "time=a,input=b,output=c"), "--columns and --format belong to --trace FILE"},
		{[]string{"--trace", file("year.csv", "t,i,o\n0,9,9\n31536000,9,9\n"), "--columns", "time=t,input=i,output=o"}, "the load lasts 365 days, and a run at most 90: take a part of it with --from and --to, or is its time in seconds?"},
		{synthetic("--policy", "ipa:metric=kv_cache_usage_percent=0.7"), "the target of kv_cache_usage_percent must be between 2 and 100 percent"},
		{synthetic("--min", "-1"), "--min -1; it must be between 0 and 1e+06"},
		{synthetic("--min", "NaN"), `--min "NaN"; it must be a number, such as 1`},
		{synthetic("--min", "0.5"), `--min "0.5"; it must be a number, such as 1`},
		{synthetic("--min", "0", "--max", "0"), "--max 0; it must be between 1 and"},
		{synthetic("--length", "NaN"), `invalid argument "NaN" for "--length"`},
		{synthetic("--length", "NaNd"), `invalid argument "NaNd" for "--length"`},
		{synthetic("--length", "-1h"), `invalid argument "-1h" for "--length"`},
		{synthetic("--length", "99999d"), `invalid argument "99999d" for "--length"`},
		{synthetic("--queue-timeout", "NaN"), `invalid argument "NaN" for "--queue-timeout"`},
		{synthetic("--queue-timeout", "-5s"), `invalid argument "-5s" for "--queue-timeout"`},
		{synthetic("--lead", "NaN"), `invalid argument "NaN" for "--lead"`},
		{synthetic("--min", "0", "--policy", "kpa:retention=NaN"), "policy kpa: retention=NaN: it must be a duration between 0s and 1h0m0s"},
		{synthetic("--min", "0", "--policy", "ipa:grace=-30s"), "policy ipa: grace=-30s: it must be a duration between 6s and"},
		{synthetic("--min", "0", "--policy", "keda:polling=0s"), "policy keda: polling=0s: it must be a duration between 1s and"},
		{[]string{"--synthetic", "model21"}, "or model1 to model20"},
		{synthetic("--from", "2m"), "--to 1m0s is not after --from 2m0s"},
		{synthetic("--routing", "random"), `--routing "random"`},
		{synthetic("--json", filepath.Join(dir, "none", "a.json")), "there is no folder"},
		{synthetic("--json", dir), "is a folder; name a file in it"},
		{synthetic("--html", dir), "is a folder; name a file in it"},
		{[]string{"--fit", dir, "--out", dir}, "is a folder; name a file in it"},
		{synthetic("--json", "-", "--html", "-"), "both want stdout"},
		{synthetic("--out", "p.json"), "--out belongs to --fit"},
		{[]string{"--recorded", filepath.Join(dir, "a.csv")}, "--recorded: "},
		{[]string{"--recorded", file("recording", "")}, "recording: the file is empty; the adapter writes it with --record FILE"},
		{[]string{"--recorded", nothingRecorded(t)}, "it holds no decision; record while a revision"},
		{[]string{"--fidelity", dir}, "no real_*.jsonl"},
		{[]string{"--fit", dir}, "no real_*.jsonl"},
	} {
		code, stdout, stderr := call(t, c.args...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit %d, %q; want 2 and %q", c.args, code, stderr, c.want)
		}
		if stdout != "" {
			t.Errorf("%q: wrote %q", c.args, stdout)
		}
	}
}

// nothingRecorded is a recording that ended before the first decision.
func nothingRecorded(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "recording")
	w, err := recording.Create(file, "test", 1<<30)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestWritable: what cannot be written is found before the run, and looking leaves no trace.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old.json"), filepath.Join(dir, "fresh.json")
	if err := os.WriteFile(old, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "-", old, fresh} {
		if err := writable(file); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("looking made a file")
	}
	// A program that runs cannot be written, not even by root.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := writable(self); err == nil || !strings.Contains(err.Error(), "name a file that can be written") {
		t.Errorf("%v", err)
	}
}

func TestRun_help(t *testing.T) {
	for _, flag := range []string{"--help", "-h"} {
		code, stdout, stderr := call(t, flag)
		if code != 0 || stderr != "" {
			t.Fatalf("exit %d, %q", code, stderr)
		}
		for _, want := range []string{"Examples:", "  simulate --trace mine.csv", "--trace FILE", "--slo-ttft", "--fidelity DIR", "tenants", "wva", "scale-down-delay"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("the help lacks %q", want)
			}
		}
	}
}

// TestRun_shortTrace: a warm-up that would eat the trace is shortened, and said.
func TestRun_shortTrace(t *testing.T) {
	code, stdout, stderr := call(t, "--synthetic", "step", "--to", "3m", "--policy", "static")
	if code != 0 || !strings.Contains(stderr, "instead of 10m0s (--warmup)") || !strings.Contains(stdout, "warm-up 29s") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, "--synthetic", "step", "--to", "3m", "--policy", "static", "--warmup", "2m")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "warm-up 2m") {
		t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
	}
	file := filepath.Join(t.TempDir(), "one.csv")
	if err := os.WriteFile(file, []byte("t,i,o\n5,100,10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range figures(t, "--trace", file, "--columns", "time=t,input=i,output=o") {
		if r["requests"] != 1.0 || r["slo"] != 1.0 {
			t.Errorf("a single request: %v", r)
		}
	}
}

// TestRun_html: one file that fetches nothing.
func TestRun_html(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if code, _, stderr := call(t, "--synthetic", "burst", "--to", "30m", "--policy", "ipa,oracle", "--html", file); code != 0 {
		t.Fatal(stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, comment := range []string{"MIT licence: https://", "/*! https://"} { // uPlot's licence wants to be named
		page = bytes.ReplaceAll(page, []byte(comment), nil)
	}
	for _, never := range []string{"src=", "href=", "@import", "https://", "ZgotmplZ"} {
		if bytes.Contains(page, []byte(never)) {
			t.Errorf("the page has %s", never)
		}
	}
	for _, want := range []string{"synthetic burst", "in hindsight", `"policies":[{"name":"ipa"`, "TTFT"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestRun_profiles: every engine, those of one GPU and model together, with
// where its coefficients come from.
func TestRun_profiles(t *testing.T) {
	code, stdout, _ := call(t, "--profiles")
	table, _, _ := strings.Cut(stdout, "\n\n")
	rows := strings.Split(table, "\n")[1:]
	if code != 0 || len(rows) != len(engine.Profiles()) || !strings.HasPrefix(rows[0], "a100-codellama-34b-tp2 ") {
		t.Fatalf("exit %d, %d rows\n%s", code, len(rows), stdout)
	}
	for name, from := range map[string]string{"rtx4090-llama-3.1-8b": "kernels", "h100-qwen3-14b": "BLIS", "a40-llama-2-7b": "Vidur", "a100-llama-3.1-8b": "Vidur"} {
		if !slices.ContainsFunc(rows, func(r string) bool { return strings.HasPrefix(r, name+" ") && strings.HasSuffix(r, " "+from) }) {
			t.Errorf("%s is not from %s\n%s", name, from, table)
		}
	}
	if strings.Contains(table, " other") {
		t.Errorf("a source without a word of its own\n%s", table)
	}
}

// TestRun_fitThenFidelity: a learned profile serves --engine of both modes.
func TestRun_fitThenFidelity(t *testing.T) {
	const dir = "../../../../shared/traces/vllm_ground_truth"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("NOT TESTED: the recorded vLLM runs are not here: %v", err)
	}
	profile := filepath.Join(t.TempDir(), "profile.json")
	if code, stdout, stderr := call(t, "--fit", dir+"/real_RTX4090_Llama-3.1-8B.jsonl", "--out", profile); code != 0 || !strings.Contains(stdout, "step time = max(") {
		t.Fatalf("exit %d, %s %s", code, stdout, stderr)
	}
	figures(t, "--synthetic", "step", "--to", "5m", "--engine", profile, "--policy", "static", "--scale", "0.1")
	for _, r := range figures(t, "--fidelity", dir, "--engine", profile) {
		if r["run"] == "RTX4090_Llama-3.1-8B" && !(math.Abs(r["error"].(float64)) < .02) {
			t.Errorf("%v", r)
		}
	}
	for _, r := range figures(t, "--fidelity", dir) {
		if !(math.Abs(r["error"].(float64)) < .06) || r["measured_s"].(float64) <= 0 || r["simulated_s"].(float64) <= 0 {
			t.Errorf("%v", r)
		}
	}
	if _, _, stderr := call(t, "--fidelity", dir, "--engine", "h100-llama-3.1-8b"); !strings.Contains(stderr, "used all the same") {
		t.Errorf("no word about another GPU's profile: %s", stderr)
	}
}

// TestRun_unknownEngine: a run whose meta file says nothing takes what it is
// given, without a word too many or an error.
func TestRun_unknownEngine(t *testing.T) {
	dir := t.TempDir()
	line := func(at float64) string {
		b, _ := json.Marshal(map[string]float64{"input_toks": 100, "output_toks": 20, "arrival_time": at, "queued_ts": at, "first_token_ts": at + .1, "last_token_ts": at + .5})
		return string(b) + "\n"
	}
	var lines strings.Builder
	for i := range 40 {
		lines.WriteString(line(float64(i) / 3))
	}
	for name, content := range map[string]string{
		"real_a.jsonl": lines.String() + "\n", "real_b.jsonl": lines.String(),
		"real_b.meta.json": `{"model": null, "engine_kwargs": {"max_num_seqs": null}, "kv_cache": {"num_kv_tokens": null}, "resolved_config": {"cache_config": null}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := call(t, "--fidelity", dir); code != exitUsage || !strings.Contains(stderr, "give one with --engine NAME or FILE.json, or learn one with --fit") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if runs := figures(t, "--fidelity", dir, "--engine", "l40s-llama-3.1-8b"); len(runs) != 6 {
		t.Errorf("%d rows, want 3 of each run", len(runs))
	}
	profile := filepath.Join(dir, "p.json")
	if code, stdout, stderr := call(t, "--fit", dir, "--out", profile); code != 0 || strings.Count(stdout, "on what it has not seen") != 6 {
		t.Fatalf("exit %d, %s %s", code, stdout, stderr)
	}
	for _, r := range figures(t, "--fidelity", dir, "--engine", profile) {
		if !(math.Abs(r["error"].(float64)) < .06) {
			t.Errorf("%v", r)
		}
	}
}
