package trace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
)

// Request is one request of a trace.
type Request struct {
	// Arrival is the time since the trace began; it never decreases.
	Arrival time.Duration
	// Input and Output are tokens, 0 or more.
	Input, Output int
	// Tenant numbers the sender, 0 where it is not known.
	Tenant int32
	// HangsUp is true if the client leaves after Output tokens, before its answer is whole (see Aborted).
	HangsUp bool
	// Blocks are the hashes of the prompt's blocks of BlockTokens tokens each;
	// equal leading hashes are an equal prefix. Nil where they are not known.
	Blocks      []int64
	BlockTokens int
}

// Requests is a sequence of requests in the order of arrival. An error is
// its last element.
type Requests = iter.Seq2[Request, error]

// Options say how a trace is read. The zero value detects the format and
// takes everything.
type Options struct {
	// Format is a name of the package's table; empty or auto detects it.
	Format string
	// Columns names a CSV's columns by their role: time (seconds or a date), input and output.
	Columns map[string]string
	// From and To cut out a part, which then begins at 0; To 0 is the end.
	From, To time.Duration
	// Scale multiplies the requests: of a rate curve the rate, of other traces
	// each request, whose copies follow within 2 s. 0 is 1.
	Scale float64
	// Seed fixes what is drawn: the requests of a rate curve, and copies.
	Seed uint64
}

func (o Options) validate() error {
	switch {
	case o.From < 0 || o.To != 0 && o.To <= o.From:
		return fmt.Errorf("from %v, to %v; from must be at least 0 and before to", o.From, o.To)
	case !(o.Scale >= 0 && o.Scale <= 1e4): // NaN fails too
		return fmt.Errorf("scale %v; it must be above 0 and at most 10000", o.Scale)
	}
	for role := range o.Columns {
		if role != "time" && role != "input" && role != "output" {
			return fmt.Errorf("columns: unknown role %q; write time=A,input=B,output=C", role)
		}
	}
	return nil
}

// Open returns the requests of a file, which is read during iteration.
func Open(file string, o Options) Requests {
	return func(yield func(Request, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(Request{}, err)
			return
		}
		defer f.Close()
		Read(f, file, o)(yield)
	}
}

// Read returns the requests of an open file, once. Its name is for errors,
// which name the line, the field and the fix.
func Read(r io.Reader, name string, o Options) Requests {
	return func(yield func(Request, error) bool) {
		requests, err := read(r, o)
		if err != nil {
			yield(Request{}, fmt.Errorf("%s: %w", name, err))
			return
		}
		empty := true
		for q, err := range requests {
			if empty = false; err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
		if empty {
			yield(Request{}, fmt.Errorf("%s: %w", name, errEmpty))
		}
	}
}

var errEmpty = errors.New("no requests; look at the file, and at from and to")

func read(r io.Reader, o Options) (Requests, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	in := bufio.NewReaderSize(r, 1<<16)
	format, err := detect(in, o)
	if err != nil {
		return nil, err
	}
	requests, err := readFormat(in, format, o)
	if err != nil {
		return nil, err
	}
	return cut(requests, o.From, o.To), nil
}

func readFormat(in *bufio.Reader, format string, o Options) (requests Requests, err error) {
	switch format {
	case "rate":
		points, err := readRate(in)
		if err != nil {
			return nil, err
		}
		return generate(points, chatLengths(), o.Scale, o.Seed), nil
	case "mooncake":
		requests = readLines(in)
	default:
		if requests, err = readTable(in, format, o.Columns); err != nil {
			return nil, err
		}
	}
	return multiply(ordered(requests), o.Scale, Stream(o.Seed, "copies")), nil
}

// longest is the last arrival that is taken: 10 years.
const longest = 10 * 365 * 24 * 3600.0

// maxSeconds is the largest time, in 2255, which fits into a Duration since 1970.
const maxSeconds = 9e9

// seconds turns a time in seconds into a Duration.
func seconds(s float64) (time.Duration, error) {
	if !(s >= 0 && s <= maxSeconds) {
		return 0, errors.New("it must be a time in seconds, 0 or more")
	}
	return time.Duration(s * float64(time.Second)), nil
}
