package collector

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

const (
	// smallBody is the size of a page in bytes up to which a scrape needs no part of
	// the budget. A page of real vLLM 0.32 has 48 to 75 KiB; 128 scrapes at once hold
	// at most 2*128*128 KiB, or 32 MiB, in buffers that grow by doubling.
	smallBody = 128 << 10
	// maxPickerPage bounds in bytes what is read of a picker's page; few
	// lines are kept: 5,000 fairness ids of 6.1 KB each.
	maxPickerPage = 32 << 20
)

// largePages are the permits for pages beyond smallBody: as many as the byte budget
// has room for pages of the largest size.
type largePages chan struct{}

func newLargePages(o Options) largePages {
	return make(largePages, max(o.BodyBudget/(o.MaxBody+smallBody), 1))
}

// acquire waits for a permit until the turn is over.
func (l largePages) acquire(within turn) error {
	timer := time.NewTimer(time.Until(within.deadline))
	defer timer.Stop()
	select {
	case l <- struct{}{}:
		return nil
	case <-within.quit:
	case <-timer.C:
	}
	return failed("budget", "the page is larger than %d bytes, and %d such pages were being read", smallBody, cap(l))
}

func (l largePages) release() { <-l }

// readBody reads the page into s.body. A page beyond smallBody takes a permit,
// which reset of the room gives back.
func (c *Collector) readBody(within turn, t *target, s *scratch, body io.Reader) error {
	if t.source == pickerPage {
		return c.readPicker(within, s, body)
	}
	if n := s.response.Length; n > 0 && n < smallBody {
		s.body.Grow(int(n) + bytes.MinRead) // at once, without doubling
	}
	n, err := s.body.ReadFrom(io.LimitReader(body, smallBody))
	if err != nil || n < smallBody {
		return err
	}
	if err := c.enlarge(within, s); err != nil {
		return err
	}
	n, err = s.body.ReadFrom(io.LimitReader(body, c.o.MaxBody+1-smallBody))
	if err == nil && n > c.o.MaxBody-smallBody {
		err = failed(causeTooLarge, "the page is larger than %d bytes", c.o.MaxBody)
	}
	return err
}

// enlarge takes a permit for s and makes room for a page of the largest size at
// once, because a buffer that doubles has up to twice that size.
func (c *Collector) enlarge(within turn, s *scratch) error {
	if err := c.large.acquire(within); err != nil {
		return err
	}
	s.large = c.large
	s.body.Grow(int(c.o.MaxBody) + 1 - s.body.Len() + bytes.MinRead)
	return nil
}

// readPicker reads the few lines of a picker's page that are needed.
func (c *Collector) readPicker(within turn, s *scratch, body io.Reader) error {
	n, err := engine.CopyPicker(pickerLines{within, c, s}, io.LimitReader(body, maxPickerPage+1), c.o.MaxLine)
	if errors.Is(err, engine.ErrTooLarge) {
		return failure{cause: causeTooLarge, err: err}
	}
	if err == nil && n > maxPickerPage {
		err = failed(causeTooLarge, "the page is larger than %d bytes", maxPickerPage)
	}
	return err
}

// pickerLines writes to the body of a scratch within the limits of a page.
type pickerLines struct {
	within turn
	c      *Collector
	s      *scratch
}

func (w pickerLines) Write(line []byte) (int, error) {
	n := w.s.body.Len() + len(line)
	if int64(n) > w.c.o.MaxBody {
		return 0, failed(causeTooLarge, "the flows with waiting requests have more than %d bytes", w.c.o.MaxBody)
	}
	if n > smallBody && w.s.large == nil {
		if err := w.c.enlarge(w.within, w.s); err != nil {
			return 0, err
		}
	}
	return w.s.body.Write(line)
}
