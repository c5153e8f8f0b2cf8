package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// load is where the requests of every run come from. Each run reads them
// anew, so that none stays in memory.
type load struct {
	title    string
	requests func(seed uint64) (trace.Requests, error)
}

// newLoad is the load that the flags name, with the clients that hang up.
func newLoad(o options, stdin io.Reader) (load, error) {
	l, err := tidyLoad(o, stdin)
	return l.aborted(o.abort, o.abortWithin), err
}

// tidyLoad looks at the flags. Stdin and pipes are read whole, for they can be read only once.
func tidyLoad(o options, stdin io.Reader) (load, error) {
	named, err := columns(o.columns)
	if err != nil {
		return load{}, err
	}
	options := func(seed uint64) trace.Options {
		return trace.Options{Format: o.format, Columns: named, From: o.from, To: o.to, Scale: o.scale, Seed: seed}
	}
	multiple := ""
	if o.scale != 1 {
		multiple = fmt.Sprintf(" x%g", o.scale)
	}
	switch {
	case o.recorded != "":
		return recordedLoad(o, options), nil
	case o.synthetic != "":
		return load{"synthetic " + o.synthetic + multiple, func(seed uint64) (trace.Requests, error) {
			return trace.Synthetic(o.synthetic, options(seed))
		}}, nil
	case o.trace == "-":
		raw, err := io.ReadAll(stdin)
		return inMemory("stdin", multiple, raw, options), err
	}
	raw, err := pipe(o.trace)
	if raw != nil || err != nil {
		return inMemory(o.trace, multiple, raw, options), err
	}
	return load{o.trace + multiple, func(seed uint64) (trace.Requests, error) {
		return trace.Open(o.trace, options(seed)), nil
	}}, nil
}

// size is what a load amounts to.
type size struct {
	requests, input, output int64
	// tooLong is how many requests no engine of the fleet could hold.
	tooLong int64
	// prefixes is whether any request says what it shares with others.
	prefixes bool
	span     time.Duration
}

// measure reads a load once, for its errors and its size; tokens is what an engine has room for.
func (l load) measure(ctx context.Context, seed uint64, holds int) (s size, err error) {
	requests, err := l.requests(seed)
	if err != nil {
		return s, err
	}
	for q, err := range requests {
		if err != nil {
			return s, err
		}
		if s.requests++; s.requests%4096 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		if q.Input+q.Output > holds {
			s.tooLong++
		}
		s.prefixes = s.prefixes || len(q.Blocks) > 0
		s.input, s.output, s.span = s.input+int64(q.Input), s.output+int64(q.Output), q.Arrival
	}
	return s, nil
}

// emptyRange says where a load ends that has no request between --from and --to;
// what is wrong with the load itself goes before.
func emptyRange(ctx context.Context, o options, err error) error {
	if o.from == 0 && o.to == 0 {
		return cmp.Or(err, fmt.Errorf("--trace %s has no requests", o.trace))
	}
	if info, failed := os.Stat(o.trace); o.trace != "" && (failed != nil || !info.Mode().IsRegular()) {
		return cmp.Or(err, fmt.Errorf("--trace %s has no requests between --from and --to", o.trace)) // and cannot be read again
	}
	from, to := span(o.from), span(o.to)
	o.from, o.to = 0, 0
	whole, failed := newLoad(o, nil)
	if failed != nil {
		return cmp.Or(err, failed)
	}
	s, failed := whole.measure(ctx, o.seed, math.MaxInt)
	switch {
	case failed != nil:
		return failed
	case s.requests == 0:
		return fmt.Errorf("%s has no requests", whole.title)
	case to == 0:
		return fmt.Errorf("%s has no requests from --from %s on: its last one comes at %v", whole.title, &from, s.span.Round(time.Second))
	}
	return fmt.Errorf("%s has no requests between --from %s and --to %s: its last one comes at %v", whole.title, &from, &to, s.span.Round(time.Second))
}

// heldRequests is how many requests are kept in memory: about 250 MB.
const heldRequests = 4_000_000

// inMemory is the load with the requests of every seed in memory once they were
// read, for many runs read them.
func (l load) inMemory(of size) load {
	var guard sync.Mutex
	read := map[uint64]func() ([]trace.Request, error){}
	return load{l.title, func(seed uint64) (trace.Requests, error) {
		guard.Lock()
		once := read[seed]
		if once == nil {
			once = sync.OnceValues(func() ([]trace.Request, error) { return l.all(seed, of) })
			read[seed] = once
		}
		guard.Unlock()
		all, err := once()
		return func(yield func(trace.Request, error) bool) {
			for _, q := range all {
				if !yield(q, nil) {
					return
				}
			}
		}, err
	}}
}

// all reads the requests of a seed.
func (l load) all(seed uint64, of size) ([]trace.Request, error) {
	requests, err := l.requests(seed)
	if err != nil {
		return nil, err
	}
	all := make([]trace.Request, 0, of.requests+of.requests/50)
	for q, err := range requests {
		if err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

// watched reports the progress of a run, and ends the run with the context.
func watched(ctx context.Context, requests trace.Requests, at func(time.Duration)) trace.Requests {
	return func(yield func(trace.Request, error) bool) {
		n := 0
		for q, err := range requests {
			if n++; n%1024 == 0 {
				if at(q.Arrival); ctx.Err() != nil {
					yield(trace.Request{}, ctx.Err())
					return
				}
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// stdin is the command's; a variable of the package would be shared by tests.
func stdin() io.Reader { return os.Stdin }
