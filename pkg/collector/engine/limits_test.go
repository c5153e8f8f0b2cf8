package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// linesOf returns a page of about size bytes that repeats a line with a running number.
func linesOf(size int, format string) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.Bytes()
}

// A page has at most maxSeries series of known families; of others it may have any number.
func TestParse_boundsSeries(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
		line string
		want error
	}{
		{"as many as allowed", maxSeries, "vllm:num_requests_running{engine=\"%d\"} 1\n", nil},
		{"one more", maxSeries + 1, "vllm:num_requests_running{engine=\"%d\"} 1\n", ErrTooLarge},
		{"of families that nobody reads", 2 * maxSeries, "vllm:other{engine=\"%d\"} 1\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page := []byte("# TYPE vllm:num_requests_running gauge\n")
			for i := range tt.n {
				page = fmt.Appendf(page, tt.line, i)
			}
			if _, err := parse(t, "vllm", page); !errors.Is(err, tt.want) {
				t.Errorf("err = %v, want %v", err, tt.want)
			}
		})
	}
}

// Sixteen times the ranks or adapters in sixteen times the bytes may not cost much
// more than sixteen times the time: a page of 1,024 ranks took 0.98 s when a rank was
// looked up in a list.
func TestParse_isLinear(t *testing.T) {
	adapters := func(n int) []byte {
		names := string(linesOf(n, "%d,"))
		return []byte("vllm:lora_requests_info{running_lora_adapters=\"" + names + "\",waiting_lora_adapters=\"\"} 1\n")
	}
	ranks := func(n int) (page []byte) {
		for i := range n {
			page = fmt.Appendf(page, "sglang:num_running_reqs{dp_rank=\"%d\",tp_rank=\"%d\"} 1\n", i%maxRanks, i/maxRanks)
		}
		return page
	}
	for name, tt := range map[string]struct{ small, large []byte }{
		"ranks":    {ranks(512), ranks(16 * 512)},
		"adapters": {adapters(3 << 10), adapters(48 << 10)},
	} {
		t.Run(name, func(t *testing.T) {
			small, large := fastest(t, tt.small), fastest(t, tt.large)
			perByte := (large.Seconds() / float64(len(tt.large))) / (small.Seconds() / float64(len(tt.small)))
			if perByte > 5 {
				t.Errorf("%d bytes take %v and %d bytes %v: %.1f times as long per byte", len(tt.small), small, len(tt.large), large, perByte)
			}
		})
	}
}

// Where a layout expects lines of 60 KB, a page of empty lines would have each of them hash
// 120 KB: a page of 100 KB took seconds.
func TestParseLike_shortLinesForLongOnes(t *testing.T) {
	series := "vllm:num_requests_running 1\n"
	long := "# HELP x " + strings.Repeat("y", 60_000) + "\n"
	short := []byte(strings.Repeat("\n", 100_000) + series)
	p, err := NewTables().NewParser("", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	took := func(l *Layout, page []byte) time.Duration {
		best := time.Hour
		for range 5 {
			start := time.Now()
			if err := p.ParseLike(l, never, page, new(Stat)); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	var l Layout
	took(&l, []byte(long+long+series))
	if with, without := took(&l, short), took(nil, short); with > 10*without {
		t.Errorf("%v with a layout, %v without", with, without)
	}
}

// fastest is the shortest of several times to parse a page, which other programs disturb least.
func fastest(t *testing.T, page []byte) time.Duration {
	t.Helper()
	best := time.Hour
	for range 15 {
		p, err := NewTables().NewParser("", 64<<10)
		if err != nil {
			t.Fatal(err)
		}
		var s Stat
		start := time.Now()
		if err := p.Parse(page, &s); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	return best
}

func TestParse_stops(t *testing.T) {
	p, _ := NewTables().NewParser("vllm", 64<<10)
	var s Stat
	asked := 0
	err := p.ParseLike(nil, func() bool { asked++; return asked == 3 }, linesOf(1<<20, "vllm:other{a=\"%d\"} 1\n"), &s)
	if !errors.Is(err, ErrStopped) || asked != 3 {
		t.Errorf("err = %v after %d questions, want ErrStopped at the third", err, asked)
	}
}

// No error quotes more than a few words of the page: 60,033 bytes went to the log.
func TestParse_errorsAreShort(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for _, line := range []string{
		"vllm:num_requests_running{" + long, "vllm:num_requests_running{" + long + "=1", "vllm:num_requests_running{" + long + "=\"",
		"vllm:num_requests_running{" + long + "=\"\" ", "vllm:num_requests_running " + long, "vllm:num_requests_running 1 " + long,
		"vllm:num_requests_running 1 1 " + long, long, "<" + long,
		"vllm:num_requests_running{a=\"" + long + "\"} 1\nvllm:num_requests_running{a=\"" + long + "\"} 2",
	} {
		if _, err := parse(t, "vllm", []byte(line+"\n")); err == nil || len(err.Error()) > 250 {
			t.Errorf("the error on %.60q... has %d bytes: %.300v", line, len(fmt.Sprint(err)), err)
		}
	}
}

// After a page nothing of it stays alive in the parser.
func TestParse_keepsNothingOfThePage(t *testing.T) {
	p, _ := NewTables().NewParser("vllm", 64<<10)
	var s Stat
	freed := make(chan bool, 1)
	func() {
		page := bytes.Clone([]byte("vllm:num_requests_running{engine=\"0\"} 1\nvllm:lora_requests_info{running_lora_adapters=\"a\"} 1\n"))
		runtime.AddCleanup(&page[0], func(c chan bool) { c <- true }, freed)
		if err := p.Parse(page, &s); err != nil {
			t.Fatal(err)
		}
	}()
	for range 50 {
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(p)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("the parser keeps the page alive")
	runtime.KeepAlive(p)
}

// A picker's page of ten thousand fairness ids is read as the page of one: the
// lines of an id whose requests wait are kept, in all a few hundred bytes each.
func TestCopyPicker(t *testing.T) {
	one, err := os.ReadFile("testdata/epp-1.5.0-holding.picker.txt")
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	for i := range 10_000 {
		id := []byte(fmt.Sprintf("fairness_id=\"client-%d\"", i))
		lines := bytes.ReplaceAll(one, []byte(`fairness_id="default-flow"`), id)
		if i >= 100 { // the requests of those clients have ended
			lines = bytes.ReplaceAll(lines, []byte("} 40\n"), []byte("} 0\n"))
		}
		for line := range bytes.Lines(lines) {
			if i == 0 || bytes.Contains(line, id) {
				page.Write(line)
			}
		}
	}
	var kept bytes.Buffer
	n, err := CopyPicker(&kept, &page, 64<<10, never)
	if err != nil || kept.Len() > 32<<10 {
		t.Fatalf("%d of %d bytes kept, %v; want at most 32 KiB", kept.Len(), n, err)
	}
	s, err := parse(t, Picker, kept.Bytes())
	if err != nil || s.Waiting != 4000 {
		t.Errorf("waiting = %v, %v, want 4000", s.Waiting, err)
	}
}

// 32 MiB of empty lines are 33 KB with gzip, and a second of CPU time when all are read.
func TestCopyPicker_bounds(t *testing.T) {
	empty := bytes.Repeat([]byte("\n"), 32<<20)
	n, err := CopyPicker(io.Discard, bytes.NewReader(empty), 64<<10, never)
	if !errors.Is(err, ErrTooLarge) || n > 2*maxPickerLines {
		t.Errorf("%v after %d bytes, want ErrTooLarge after %d lines", err, n, maxPickerLines)
	}
	n, err = CopyPicker(io.Discard, bytes.NewReader(empty), 64<<10, func() bool { return true })
	if !errors.Is(err, ErrStopped) || n > 64<<10 {
		t.Errorf("%v after %d bytes, want ErrStopped at once", err, n)
	}
}

func TestCopyPicker_longLine(t *testing.T) {
	var kept bytes.Buffer
	if _, err := CopyPicker(&kept, bytes.NewReader(linesOf(1<<20, strings.Repeat("x", 70<<10)+"%d")), 64<<10, never); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

// Every row of the table picker is among what is copied.
func TestCopyPicker_keepsWhatTheTableReads(t *testing.T) {
	for _, r := range picker().Rows {
		if !pickerReads([]byte(r.Family + " 1\n")) {
			t.Errorf("%s is not copied", r.Family)
		}
	}
}
