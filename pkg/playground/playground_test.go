package playground

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// start runs a playground on a free port until the test ends.
func start(t *testing.T, change func(*Control)) string {
	t.Helper()
	base, _ := startWorld(t, change)
	return base
}

func startWorld(t *testing.T, change func(*Control)) (string, *World) {
	t.Helper()
	c := NewControl()
	change(&c)
	w, err := NewWorld(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- w.Run(ctx) }()
	go func() { done <- w.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return "http://" + l.Addr().String(), w
}

// frames reads the page's events until one satisfies enough, at most for the given time.
func frames(t *testing.T, base string, limit time.Duration, enough func(Frame) bool) Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// A browser takes no other type for events.
	if kind, cache := resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"); kind != "text/event-stream" || cache != "no-store" {
		t.Fatalf("the events are %s, cached %s", kind, cache)
	}
	var last Frame
	for d := newEvents(resp.Body); ; {
		before := last.T
		if err := d.next(&last); err != nil {
			t.Fatalf("after %v: %v; the last frame was %+v", limit, err, last)
		}
		if last.T < before {
			t.Fatalf("the frame of %v s came after that of %v s", last.T, before)
		}
		if enough(last) {
			return last
		}
	}
}

type events struct{ r *json.Decoder }

// newEvents reads the data of server-sent events.
func newEvents(r io.Reader) events {
	pr, pw := io.Pipe()
	go func() {
		buf := make([]byte, 1<<20)
		for {
			n, err := r.Read(buf)
			_, _ = pw.Write(bytes.ReplaceAll(buf[:n], []byte("data: "), nil))
			if err != nil {
				pw.CloseWithError(err)
				return
			}
		}
	}()
	return events{json.NewDecoder(pr)}
}

func (e events) next(f *Frame) error {
	*f = Frame{}
	return e.r.Decode(f)
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func control(t *testing.T, base, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(base+"/control", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// In real time the numbers go over HTTP: pages, collector, API, decision.
func TestPlayground_realTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of real time")
	}
	base := start(t, func(c *Control) { c.Shape, c.Rate, c.Lead = "steady", 40, time.Second })
	f := frames(t, base, 60*time.Second, func(f Frame) bool { return f.Ready >= 3 && f.Requests > 0 })
	if !f.Live || !strings.Contains(f.Why, "one replica sustains ") || len(f.Wants) != 1 {
		t.Errorf("frame %+v, want a live one with the reasons of slo", f)
	}
	if len(f.Pages) != int(f.Ready) || f.Pages[0] != "pod-00000" || f.TTFT == nil || f.ITL == nil {
		t.Errorf("frame %+v, want the Ready pods' pages and latencies", f)
	}
	if code, text := get(t, base+"/pods/pod-00000/metrics"); code != 200 || !strings.Contains(text, "vllm:num_requests_running") {
		t.Errorf("a pod's page: %d %.200s", code, text)
	}
	const revision = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/revisions.serving.knative.dev/playground-00001/"
	if code, text := get(t, base+revision+"num_requests_running"); code != 200 || !strings.Contains(text, `"value"`) {
		t.Errorf("the metrics API: %d %.300s", code, text)
	}
	if code, text := get(t, base+revision+"slo_capacity_rps"); code != 200 || !strings.Contains(text, `"value"`) {
		t.Errorf("a part of the decision: %d %.300s", code, text)
	}
	if code, _ := control(t, base, `{"shape":"silence"}`); code != http.StatusNoContent {
		t.Errorf("control answered %d", code)
	}
	frames(t, base, 20*time.Second, func(f Frame) bool { return f.Control.Shape == "silence" && f.Arrivals == 0 })
}

func TestPlayground_fasterWithEveryPolicy(t *testing.T) {
	base := start(t, func(c *Control) { c.Shape, c.Speed = "steady", 60 })
	for _, policy := range Policies() {
		if code, text := control(t, base, fmt.Sprintf(`{"policy":%q}`, policy)); code != http.StatusNoContent {
			t.Errorf("%s: %d %s", policy, code, text)
		}
		f := frames(t, base, 20*time.Second, func(f Frame) bool { return f.Control.Policy == policy && f.Requests > 0 })
		if f.Live {
			t.Errorf("%s: 60 times as fast is not live", policy)
		}
	}
}

// The largest number of replicas holds for every policy, and for one that wants more than it.
func TestPlayground_max(t *testing.T) {
	base := start(t, func(c *Control) { c.Shape, c.Speed, c.Policy, c.Max = "steady", 60, "static:replicas=8", 3 })
	if f := frames(t, base, 20*time.Second, func(f Frame) bool { return f.Ready > 1 && f.T > 180 }); f.Wanted != 3 || f.Ready != 3 ||
		len(f.Pages) != 3 || f.KV == nil || f.TTFT == nil {
		t.Errorf("%+v, want 3 wanted and Ready, with pages and latencies", f)
	}
}

func TestPlayground_badControls(t *testing.T) {
	base := start(t, func(c *Control) {})
	for body, want := range map[string]string{
		`{"rate":-1}`: "rate", `{"ttft":0}`: "ttft", `{"itl":1e9}`: "itl", `{"goal":2}`: "goal", `{"shape":"x"}`: "one of day",
		`{"policy":"nonsense"}`: "policy", `{"policy":"oracle"}`: "future", `{"speed":3}`: "speed", `{"max":0}`: "max", `{"rat":1}`: "rat", `{`: "EOF",
		`{"engine":"h100-llama-3.1-8b"}`: "engine: it is a100-llama-3.1-8b from the start to the end", `{"lead_ns":1}`: "--lead 1ns",
		``: "the body is empty; write an object", `{"rate":1}{"rate":2}`: "something follows", `{"rate":"many"}`: "rate: it is a string, and must be a number",
		`{"max":1.5}`: "max: it is a number 1.5, and must be a whole number", `{"max":3e9}`: "must be a whole number", `{"policy":7}`: "policy: it is a number, and must be a string",
		`{"rate":1e999}`: "rate: it is a number 1e999", `{"rate":10001}`: "rate: 10001 must be from 0 to 10000", `{"input":0.5}`: "input", `{"output":1e6}`: "output",
		`[]`: "write an object", `{"policy":"kpa:target=-1"}`: "policy: ", `{"rate":1}` + strings.Repeat(" ", 1<<16): "too large",
	} {
		if code, text := control(t, base, body); code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%.80s: %d %q, want 400 with %q", body, code, text, want)
		}
	}
}

// A page of another site that is open in the same browser changes nothing.
func TestPlayground_otherOrigin(t *testing.T) {
	base := start(t, func(c *Control) {})
	for origin, want := range map[string]int{"http://evil.example": http.StatusForbidden, "null": http.StatusForbidden, base: http.StatusNoContent, "": http.StatusNoContent} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/control", strings.NewReader(`{"rate":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("from %q: %d, want %d", origin, resp.StatusCode, want)
		}
	}
}

// What is not known yet is null and not 0.
func TestFrame_unknown(t *testing.T) {
	w, err := NewWorld(NewControl(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.podPages.Close()
	f, err := w.frame()
	if err != nil || f.TTFT != nil || f.ITL != nil {
		t.Errorf("%+v, %v", f, err)
	}
	if b, err := json.Marshal(f); err != nil || !strings.Contains(string(b), `"ttft_p95":null,"itl_p95":null`) {
		t.Errorf("%s, %v", b, err)
	}
	if s := known(1500 * time.Millisecond); s == nil || *s != 1.5 || known(0) != nil {
		t.Errorf("%v", s)
	}
}

// Pods that are gone leave nothing behind, and no new one gets the address of one that is there.
func TestWorld_forgets(t *testing.T) {
	w := lockedWorld(t)
	seen := func(names ...string) {
		w.last.Pods = nil
		for _, n := range names {
			w.last.Pods = append(w.last.Pods, decider.Pod{Name: n, Phase: decider.Ready})
		}
		w.reported = -time.Hour // a report is due
		w.follow(time.Now())
	}
	seen("a", "b")
	seen("b", "c")
	if len(w.created) != 2 || len(w.addresses) != 2 || len(w.counted) > 2 || len(w.stats) > 2 {
		t.Errorf("kept %v, %v, %v, %v", w.created, w.addresses, w.counted, w.stats)
	}
	if w.addresses["b"] == w.addresses["c"] {
		t.Errorf("two pods at %s", w.addresses["b"])
	}
}

func TestRun_words(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, 0, "a name of ipa simulate --profiles (default"},
		{[]string{"--help"}, 0, "shape of the load: day, steady, burst, step, ramp, silence (default"},
		{[]string{"--help"}, 0, "to Ready (default 20s)"},
		{[]string{"--input", "0"}, 2, "input: 0 must be from 1 to 30000"},
		{[]string{"--output", "0"}, 2, "output: 0 must be from 1 to 4000"},
		{[]string{"--engine", "gameboy"}, 2, `there is no profile "gameboy"; ipa simulate --profiles lists`},
		{[]string{"--listen", "8089"}, 1, "write an address and a port such as 127.0.0.1:8090"},
		{[]string{"--load", "storm"}, 2, "one of day"},
		{[]string{"--lead", "-1s"}, 2, "lead: -1s must be from 0s to 1h0m0s"},
		{[]string{"--lead", "20"}, 2, `invalid argument "20" for "--lead" flag`},
		{[]string{"--max", "0"}, 2, "max: 0 must be from 1 to 500"},
		{[]string{"--rate", "NaN"}, 2, "rate: NaN must be from 0 to 10000"},
		{[]string{"--policy", "oracle"}, 2, "knows the future"},
		{[]string{"--nonsense"}, 2, "playground: unknown flag: --nonsense; see --help"},
		{[]string{"now"}, 2, `unexpected argument "now"`},
	} {
		var out, errs bytes.Buffer
		command := New()
		command.SetArgs(c.args)
		command.SetOut(&out)
		command.SetErr(&errs)
		err, code := command.ExecuteContext(t.Context()), 0
		said := out.String() // what was asked for
		if err != nil {
			said, code = err.Error(), 0
			if status := new(exit); errors.As(err, status) {
				code = status.ExitCode()
			}
		}
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, code, said)
		}
		for _, line := range strings.Split(said, "\n") {
			if len(line) > 200 {
				t.Errorf("%q: a line of %d characters", c.args, len(line))
			}
		}
	}
}

// The page itself, in a real browser: it fills its tiles and prints a decision.
// IPA_SCREENSHOT names a PNG to keep.
func TestPlayground_browser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: no chromium on this machine; apt-get install chromium to test the page in a browser")
	}
	base, world := startWorld(t, func(c *Control) { c.Shape, c.Rate, c.Lead = "step", 30, 2*time.Second })
	after, _ := strconv.ParseFloat(os.Getenv("IPA_SCREENSHOT_AFTER"), 64) // simulated seconds
	frames(t, base, 30*time.Second+seconds(after), func(f Frame) bool { return f.Requests > 0 && f.T >= after })
	page := holding(t, base, world)
	run := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, chromium, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + filepath.Join(t.TempDir(), "profile")}, append(args, page)...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		return string(out)
	}
	dom := run("--dump-dom")
	for _, want := range []string{"replicas ready / wanted", "real time:", "slo", `<option value="wva">`, `href="pods/pod-00000/metrics"`} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not show %q:\n%.3000s", want, dom)
		}
	}
	if png := os.Getenv("IPA_SCREENSHOT"); png != "" {
		run("--window-size=1240,1250", "--screenshot="+png)
		run("--window-size=500,2300", "--screenshot="+png+".narrow.png")
	}
}

// holding serves the page with an image that comes when some frames were sent,
// so that a browser's load event, which ends its run, waits for them.
func holding(t *testing.T, base string, world *World) string {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	html, err := renderPage()
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(bytes.Replace(html, []byte("</body>"), []byte(`<img src="hold" hidden></body>`), 1))
	})
	mux.HandleFunc("GET /hold", func(http.ResponseWriter, *http.Request) {
		newest := world.Now()
		frames(t, base, 30*time.Second, func(f Frame) bool { return f.T >= newest.Seconds()+3 })
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// lockedWorld is a world that nothing drives, locked until the end of the test.
func lockedWorld(t *testing.T) *World {
	t.Helper()
	w, err := NewWorld(NewControl(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.podPages.Close() })
	w.mu.Lock()
	t.Cleanup(w.mu.Unlock)
	return w
}
