package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun_remarks: what makes figures worth less is said before them.
func TestRun_remarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "long.csv")
	if err := os.WriteFile(file, []byte("t,i,o\n0,100,10\n30,900000,10\n60,100,10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "--trace", file, "--columns", "time=t,input=i,output=o", "--policy", "ipa", "--json", filepath.Join(t.TempDir(), "f.json"))
	for _, want := range []string{
		"1 of 3 requests are longer than the 420000 tokens that the KV cache of a100-llama-3.1-8b holds: each is refused, and a miss",
		"the load lasts 1m0s, and a pod takes 2m0s to start (--lead): no policy can help it", "wrote ",
	} {
		if code != 0 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, %q lacks %q", code, stderr, want)
		}
	}
}

// A load in another unit of time, or a length that ends before it, gives figures of something else.
func TestRun_remarksOnTime(t *testing.T) {
	days := "t,i,o\n" // a second in days
	for i := range 200 {
		days += fmt.Sprintf("%.9f,10,1\n", 45000+float64(i)/200/86400)
	}
	file := filepath.Join(t.TempDir(), "days.csv")
	if err := os.WriteFile(file, []byte(days), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"200 requests in 0s: is its time in seconds?":                                       {"--trace", file, "--columns", "time=t,input=i,output=o"},
		"--length 1m is before the last request, at 5m0s: it changes nothing; --to 1m leav": {"--synthetic", "step", "--to", "5m", "--length", "1m"},
	} {
		if code, _, stderr := call(t, append(args, "--policy", "static:replicas=1")...); code != 0 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, %q lacks %q", code, stderr, want)
		}
	}
}

// TestRun_settings: what changes the fleet stands above the figures.
func TestRun_settings(t *testing.T) {
	code, stdout, stderr := call(t, "--synthetic", "step", "--to", "5m", "--policy", "static:replicas=3", "--min", "2", "--max", "9",
		"--container-concurrency", "20", "--scrape-loss", "0.1", "--prefix-cache", "--gpus", "8", "--failures", "1h")
	for _, want := range []string{"replicas that have GPUs 8", "a pod fails every 1h", "at least 2 replicas", "at most 9 replicas", "requests that a pod lets in 20", "scrapes lost 10 %", "prefix cache on"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d: %q is not said in\n%s", code, want, stdout)
		}
	}
	if !strings.Contains(stderr, "does not say which prompts share a prefix") {
		t.Errorf("%q", stderr)
	}
}

// TestRun_containerConcurrency: the oracle and the fixed fleet know what a pod lets in.
func TestRun_containerConcurrency(t *testing.T) {
	load := []string{"--synthetic", "step", "--to", "18m", "--policy", "static,oracle", "--warmup", "1m"}
	free, bounded := figures(t, load...), figures(t, append(load, "--container-concurrency", "2")...)
	if least, most := free[0]["oracle_gpu_hours"].(float64), bounded[0]["oracle_gpu_hours"].(float64); most < 4*least {
		t.Errorf("the bound is %v GPU-hours with 2 requests a pod, %v without a limit", most, least)
	}
	for _, r := range bounded {
		if r["slo"].(float64) < .99 {
			t.Errorf("%s holds %v with 2 requests a pod", r["policy"], r["slo"])
		}
	}
}

// TestRun_pipe: a pipe, as of a shell's <(zcat FILE), is read once and replayed for every run.
func TestRun_pipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	_, _ = w.WriteString("t,i,o\n0,100,10\n60,100,10\n")
	w.Close()
	defer r.Close()
	for _, run := range figures(t, "--trace", name, "--columns", "time=t,input=i,output=o", "--policy", "ipa,kpa", "--lead", "5s") {
		if run["requests"].(float64) < 1 {
			t.Errorf("%v", run)
		}
	}
}

// TestRun_pipeEmptyRange: a pipe that has nothing in the range is not read again, which would wait for ever.
func TestRun_pipeEmptyRange(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Skipf("NOT TESTED: mkfifo: %v", err)
	}
	go func() {
		_ = os.WriteFile(fifo, []byte("t,i,o\n0,100,10\n60,100,10\n"), 0o600)
	}()
	const want = "no requests"
	if code, _, stderr := call(t, "--trace", fifo, "--columns", "time=t,input=i,output=o", "--from", "240h"); code == 0 || !strings.Contains(stderr, want) {
		t.Errorf("exit %d, %q; want %q", code, stderr, want)
	}
}

// TestUsage_policies: the list of policies in the help is one that --policy takes,
// and two flags are as one with a comma.
func TestUsage_policies(t *testing.T) {
	const list = "kpa:target=20,window=60s,hpa:metric=kv_cache_usage_percent,target=50"
	if !strings.Contains(usage(New()), list) {
		t.Fatalf("the help lacks %s", list)
	}
	o, err := parsed([]string{"--synthetic", "step", "--policy", list, "--policy", "ipa"})
	if err != nil || o.policies != list+",ipa" {
		t.Fatalf("%q, %v", o.policies, err)
	}
	specs, err := policies(o.policies)
	if err != nil || len(specs) != 3 {
		t.Fatalf("%q, %v", specs, err)
	}
	if _, err := candidates(specs); err != nil {
		t.Error(err)
	}
}
