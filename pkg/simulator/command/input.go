package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/simulator"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// inMemory is a load that was read whole.
func inMemory(name, multiple string, raw []byte, options func(uint64) trace.Options) load {
	return load{name + multiple, func(seed uint64) (trace.Requests, error) {
		return trace.Read(bytes.NewReader(raw), name, options(seed)), nil
	}}
}

// pipe reads what --trace names whole where it is no file: a shell's <(zcat FILE)
// can be read only once. Of a file it returns nil, or why no trace can be in it.
func pipe(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--trace: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("--trace %s is a folder; name a file in it", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		return io.ReadAll(f)
	}
	var magic [2]byte
	if n, _ := io.ReadFull(f, magic[:]); n == 2 && magic == [2]byte{0x1f, 0x8b} {
		return nil, fmt.Errorf("--trace %s is compressed; write zcat %s | ipa simulate --trace - ...", name, name)
	}
	return nil, nil
}

// patience is how long the reading of a load may go on without a word.
const patience = 5 * time.Second

// announced is the load with reports about the progress of reading: huge
// loads take minutes to read before the first run begins.
func (l load) announced(out *output) load {
	return load{l.title, func(seed uint64) (trace.Requests, error) {
		requests, err := l.requests(seed)
		return counted(requests, func(n int64, at time.Duration) {
			out.say("reading %s: %.1f million requests so far, up to %v", l.title, float64(n)/1e6, at.Round(time.Second))
		}), err
	}}
}

// counted calls say each time that patience is over.
func counted(requests trace.Requests, say func(n int64, at time.Duration)) trace.Requests {
	return func(yield func(trace.Request, error) bool) {
		last, n := time.Now(), int64(0)
		for q, err := range requests {
			if n++; n%65536 == 0 && time.Since(last) > patience {
				say(n, q.Arrival)
				last = time.Now()
			}
			if !yield(q, err) {
				return
			}
		}
	}
}

// maxRate is a second's number of requests beyond which a load is most likely in another unit of time.
const maxRate = 10_000

// remarks returns what a reader of the figures should know of the load.
func (c *comparison) remarks(out *output) {
	if n := c.size.tooLong; n > 0 {
		out.say("%d of %d requests are longer than the %d tokens that the KV cache of %s holds: each is refused, and a miss", n, c.size.requests, c.config.Engine.KVTokens, c.config.Engine.Name)
	}
	if (c.config.PrefixCache || c.config.Routing == simulator.PrefixAware) && !c.size.prefixes {
		out.say("the load does not say which prompts share a prefix (block hashes, as Mooncake's traces have): --prefix-cache and --routing prefix-aware change nothing")
	}
	if rate := float64(c.size.requests) / c.size.span.Seconds(); rate > maxRate && c.size.requests > maxRate/100 {
		out.say("the load has %d requests in %v: is its time in seconds?", c.size.requests, c.size.span.Round(time.Millisecond))
	}
	if l := c.config.Length; l > 0 && l < c.size.span {
		out.say("--length %v is before the last request, at %v: it changes nothing; --to %v leaves out what comes later", (*span)(&l), c.size.span.Round(time.Second), (*span)(&l))
	}
	if c.size.span < c.config.Lead {
		out.say("the load lasts %v, and a pod takes %v to start (--lead): no policy can help it", c.size.span.Round(time.Second), c.config.Lead)
	}
}
