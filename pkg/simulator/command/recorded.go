package command

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"github.com/knative-inference/autoscaler-adapter/pkg/recording"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/report"
	"github.com/knative-inference/autoscaler-adapter/pkg/simulator/trace"
)

// replayRecorded makes every recorded decision again, and says how many came out the same.
func replayRecorded(o options, out *output) (*report.Recorded, error) {
	if o.recorded == "" {
		return nil, nil
	}
	r, err := recording.Replay(recording.Open(o.recorded))
	switch info, missing := os.Stat(o.recorded); {
	case missing == nil && info.Size() == 0:
		return nil, fmt.Errorf("--recorded %s: the file is empty; the adapter writes it with --record FILE", o.recorded)
	case err != nil:
		return nil, fmt.Errorf("--recorded: %w", err)
	case r.Decisions == 0:
		return nil, fmt.Errorf("--recorded %s: it holds no decision; record while a revision of the adapter's class is there", o.recorded)
	}
	arrivals, err := arrivalsOf(o, o.seed)
	if err != nil {
		return nil, err
	}
	recorded := &report.Recorded{
		File: o.recorded, Revisions: r.Revisions, Decisions: r.Decisions, Identical: r.Identical, First: r.First,
		Counted: arrivals.Counted, Finished: arrivals.Finished, Unknown: arrivals.Gaps.Seconds(),
		Span: arrivals.Span.Seconds(),
	}
	if !arrivals.Lengths {
		out.say("%s: no engine reported how many tokens it computed; every request is taken for 512 tokens in and 128 out", o.recorded)
	}
	return recorded, nil
}

func arrivalsOf(o options, seed uint64) (recording.Arrivals, error) {
	a, err := recording.ArrivalsOf(recording.Open(o.recorded), o.revision, trace.Stream(seed, "recorded"))
	switch {
	case err != nil:
		return a, fmt.Errorf("--recorded %s: %w (--revision NAMESPACE/NAME)", o.recorded, err)
	case len(a.Requests) == 0:
		return a, fmt.Errorf("--recorded %s: no request came in the %v that it holds", o.recorded, a.Span)
	}
	return a, nil
}

// recordedLoad is the load of one revision of a recording. It goes through the
// reader of CSV files, for the parts and multiples that --from, --to and
// --scale take of every trace.
func recordedLoad(o options, options func(uint64) trace.Options) load {
	var guard sync.Mutex
	written := map[uint64][]byte{}
	return load{"recorded " + o.recorded, func(seed uint64) (trace.Requests, error) {
		guard.Lock()
		defer guard.Unlock()
		if written[seed] == nil {
			a, err := arrivalsOf(o, seed)
			if err != nil {
				return nil, err
			}
			written[seed] = table(a.Requests)
		}
		t := options(seed)
		t.Format, t.Columns = "csv", map[string]string{"time": "time", "input": "input", "output": "output"}
		return trace.Read(bytes.NewReader(written[seed]), o.recorded, t), nil
	}}
}

// table writes requests as a CSV.
func table(requests []trace.Request) []byte {
	var b bytes.Buffer
	b.WriteString("time,input,output\n")
	for _, q := range requests {
		fmt.Fprintf(&b, "%.6f,%d,%d\n", q.Arrival.Seconds(), q.Input, q.Output)
	}
	return b.Bytes()
}
