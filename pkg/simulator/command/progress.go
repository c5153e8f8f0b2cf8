package command

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// progress reports the progress of long work on stderr; work of less than a second
// says nothing. Its clock never touches a simulation.
type progress struct {
	out     io.Writer
	live    bool // a terminal: one line that changes
	begun   time.Time
	parts   []atomic.Int64 // thousandths
	written int            // thousandths in the last line
	stop    chan struct{}
	end     sync.WaitGroup
}

// newProgress watches work of a number of equal parts.
func newProgress(out io.Writer, parts int) *progress {
	p := &progress{out: out, live: isTerminal(out), begun: time.Now(), parts: make([]atomic.Int64, max(parts, 1)),
		stop: make(chan struct{})}
	p.end.Go(p.watch)
	return p
}

// at records the progress of a part, 0..1. It is safe for concurrent use.
func (p *progress) at(part int, share float64) {
	p.parts[part].Store(int64(1000 * min(max(share, 0), 1)))
}

// done ends the watch and leaves the terminal's line clean.
func (p *progress) done() {
	close(p.stop)
	p.end.Wait()
	if p.live && p.written > 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.show(time.Since(p.begun))
		}
	}
}

// show writes a line; in a log, only when a twentieth more is done.
func (p *progress) show(took time.Duration) {
	sum, whole := 0, 0
	for i := range p.parts {
		n := int(p.parts[i].Load())
		if sum += n; n == 1000 {
			whole++
		}
	}
	all := sum / len(p.parts)
	if !p.live && all < p.written+50 {
		return
	}
	p.written = max(all, 1)
	left := "?"
	if sum > 0 {
		left = (took * time.Duration(1000*len(p.parts)-sum) / time.Duration(sum)).Round(time.Second).String()
	}
	line := fmt.Sprintf("simulate: %d %%, %d of %d runs, %v gone, about %s left", all/10, whole, len(p.parts), took.Round(time.Second), left)
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
