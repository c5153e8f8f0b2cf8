package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// progress prints one line per stage with the seconds since the start.
type progress struct {
	mu    sync.Mutex
	start time.Time
}

func newProgress() *progress { return &progress{start: time.Now()} }

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(os.Stderr, "[%6.1fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// during calls what every 15 s until the returned function is called, so that a long stage
// is never silent.
func (p *progress) during(what func() string) (stop func()) {
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(15 * time.Second)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				p.say("  ... %s", what())
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}

// parallel runs every function and returns the first error that came.
func parallel(fs ...func() error) error {
	errs := make(chan error, len(fs))
	for _, f := range fs {
		go func() { errs <- f() }()
	}
	for range fs {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}
