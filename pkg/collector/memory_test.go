package collector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// longPage returns an 8 MiB metrics page: the beginning of a vLLM page and then
// lines of the given format with a running number.
func longPage(line string) []byte {
	var b bytes.Buffer
	b.WriteString("vllm:num_requests_running 1\n")
	for i := 0; b.Len() < 8<<20-200; i++ {
		fmt.Fprintf(&b, line, i)
	}
	return b.Bytes()
}

// liveHeap returns the bytes of live objects.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// One pod with a long page visits every scratch in turn. None may keep the page.
func TestScrape_longPagesLeaveNothingBehind(t *testing.T) {
	for name, line := range map[string]string{
		"lines of a known family": `vllm:num_requests_running{engine="%d"} 1` + "\n",
		"lines that nobody reads": `python_gc_objects_collected_total{generation="%d"} 1` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			page := longPage(line)
			c, target := httpTarget(t, Options{Timeout: 10 * time.Second}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(page)
			}))
			before := liveHeap()
			for range 24 {
				scrapeOnce(c, target)
			}
			if grown := int64(liveHeap()) - int64(before); grown > 16<<20 {
				t.Errorf("after %d scrapes of a page of %d KiB, %d MiB stay in memory, want at most 16", 24, len(page)>>10, grown>>20)
			}
		})
	}
}

// slowPages answers with a page that ends only when release is closed.
type slowPages struct {
	page    []byte
	release chan struct{}
	// read gets a value for each page that was read up to its end.
	read chan struct{}
}

func (p *slowPages) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go serve(theirs, p.answer)
	return ours, nil
}

func (p *slowPages) answer(*http.Request) (*http.Response, error) {
	r := ok("text/plain", "")
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(p.page), readerFunc(func([]byte) (int, error) {
		p.read <- struct{}{}
		<-p.release
		return 0, io.EOF
	})))
	return r, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// 128 pages of the largest size at once need no more memory than the budget; those
// without a permit fail for that reason when their time is over.
func TestScrape_largePagesShareABudget(t *testing.T) {
	page := longPage("x%d 1\n")[:2<<20]
	pods := &slowPages{page: page[:bytes.LastIndexByte(page, '\n')+1], release: make(chan struct{}), read: make(chan struct{}, 128)}
	c, _ := addrTarget(Options{Dial: pods.dial, Timeout: 2 * time.Second}, "10.0.0.1:8000")
	c.SetPods(rev, ready(128))
	before := liveHeap()
	var scrapes sync.WaitGroup
	for _, p := range c.revisions[rev].pods {
		scrapes.Go(func() {
			s := &scratch{room: newRoom()}
			defer s.reset()
			c.scrape(p.targets[enginePage], s)
		})
	}
	ended := make(chan struct{})
	go func() { scrapes.Wait(); close(ended) }()
	for range 2 * c.large.permits / 3 { // what one namespace may have
		select {
		case <-pods.read:
		case <-ended: // a slow machine: not every page came within its time
		}
	}
	grown := int64(liveHeap()) - int64(before)
	close(pods.release)
	scrapes.Wait()
	if grown > 96<<20 { // 72 MiB as a rule, above 80 once on a busy machine; without the budget 256
		t.Errorf("128 pages of 2 MiB at once take %d MiB, want at most 96", grown>>20)
	}
	result := func(cause string) float64 {
		return testutil.ToFloat64(c.metrics.scrapes.WithLabelValues("engine", cause))
	}
	if n := c.large.busy; n != 0 || len(c.large.namespaces)+len(c.large.waiting) != 0 || result("budget")+result("ok")+result("timeout") != 128 {
		t.Errorf("%d permits not given back; budget %v, ok %v, timeout %v", n, result("budget"), result("ok"), result("timeout"))
	}
}

// A picker's page that grew with its clients, 1,350 fairness ids in 8 MiB, is read.
func TestScrape_pickerOfManyClients(t *testing.T) {
	body := longPage("inference_extension_flow_control_request_queue_duration_seconds_bucket{fairness_id=\"client-%d\",le=\"1\"} 3\n")
	body = append(body, "inference_extension_flow_control_queue_size{fairness_id=\"a\"} 3\ninference_extension_info 1\n"...)
	pods := newFakePods()
	pods.enginePage("10.0.0.1", string(body))
	c := New(Options{Dial: pods.dial})
	c.Watch(Spec{Key: atPicker, EngineOnly: true, Port: 9090, StableWindow: time.Minute, PanicWindow: 6 * time.Second})
	c.SetPods(atPicker, []Pod{{Name: "p1", UID: "u1", IP: "10.0.0.1", Ready: true}})
	pods.set("10.0.0.1", func(p *fakePod) { p.statPage = p.enginePage })
	s := &scratch{room: newRoom()}
	c.scrape(c.revisions[atPicker].pods["u1"].targets[pickerPage], s)
	if got := c.revisions[atPicker].waiting(time.Now()); got != 3 {
		t.Errorf("waiting = %v, want 3; problems: %+v", got, c.Problems(atPicker, time.Now()))
	}
}
