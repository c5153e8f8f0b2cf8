package collector

import (
	"bytes"
	"errors"
	"io"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

const (
	// smallBody is the size of a page in bytes up to which a scrape needs no part of the
	// budget: a page of real vLLM 0.32 has 48 to 75 KiB. All 512 scrapes of one moment with
	// pages of that size hold 64 MiB, and one namespace has at most 2/3 of the scrapes.
	smallBody = 128 << 10
	// firstBody is how much of a page of unknown length is read before there is room for all
	// of smallBody at once: a buffer that doubles has up to twice that size.
	firstBody = 32 << 10
	// maxPickerPage bounds in bytes what is read of a picker's page; few
	// lines are kept: 5,000 fairness ids of 6.1 KB each.
	maxPickerPage = 32 << 20
)

// readBody reads the page into s.body. A page beyond smallBody takes a permit,
// which reset of the room gives back.
func (c *Collector) readBody(within turn, t *target, s *scratch, body io.Reader) error {
	if t.source == pickerPage {
		return c.readPicker(within, t, s, body)
	}
	n, err := c.readSmall(s, body)
	if err != nil || n < smallBody {
		return err
	}
	if err := c.enlarge(within, t, s); err != nil {
		return err
	}
	n, err = s.body.ReadFrom(io.LimitReader(body, c.o.MaxBody+1-smallBody))
	if err == nil && n > c.o.MaxBody-smallBody {
		err = failed(causeTooLarge, "the page is larger than %d bytes", c.o.MaxBody)
	}
	return err
}

// readSmall reads the page up to smallBody and returns how much that was.
func (c *Collector) readSmall(s *scratch, body io.Reader) (int64, error) {
	if n := s.response.Length; n > 0 && n < smallBody && s.response.ContentEncoding == "" {
		s.body.Grow(int(n) + bytes.MinRead) // at once, without doubling
		return s.body.ReadFrom(io.LimitReader(body, smallBody))
	}
	first, err := s.body.ReadFrom(io.LimitReader(body, firstBody))
	if err != nil || first < firstBody {
		return first, err
	}
	s.body.Grow(smallBody - firstBody + bytes.MinRead)
	second, err := s.body.ReadFrom(io.LimitReader(body, smallBody-firstBody))
	return first + second, err
}

// enlarge takes a permit for s and makes room for a page of the largest size at
// once, because a buffer that doubles has up to twice that size.
func (c *Collector) enlarge(within turn, t *target, s *scratch) error {
	namespace := t.rev.key.Namespace
	if err := c.large.acquire(within, namespace); err != nil {
		return err
	}
	s.giveBack = func() { c.large.release(namespace) }
	s.body.Grow(int(c.o.MaxBody) + 1 - s.body.Len() + bytes.MinRead)
	return nil
}

// readPicker reads the few lines of a picker's page that are needed.
func (c *Collector) readPicker(within turn, t *target, s *scratch, body io.Reader) error {
	page := io.LimitReader(body, maxPickerPage+1)
	n, err := engine.CopyPicker(pickerLines{within, c, t, s}, page, c.o.MaxLine, within.over)
	s.passedOver = int(n) - s.body.Len()
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
	t      *target
	s      *scratch
}

func (w pickerLines) Write(line []byte) (int, error) {
	n := w.s.body.Len() + len(line)
	if int64(n) > w.c.o.MaxBody {
		return 0, failed(causeTooLarge, "the flows with waiting requests have more than %d bytes", w.c.o.MaxBody)
	}
	if n > smallBody && w.s.giveBack == nil {
		if err := w.c.enlarge(w.within, w.t, w.s); err != nil {
			return 0, err
		}
	}
	return w.s.body.Write(line)
}
