package playground

import (
	"math"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Frame is the world at one moment, as the page gets it.
type Frame struct {
	// T is simulated seconds.
	T        float64 `json:"t"`
	Demand   float64 `json:"demand"`
	Arrivals float64 `json:"arrivals"`
	Wanted   int32   `json:"wanted"`
	Ready    int32   `json:"ready"`
	Pods     int32   `json:"pods"`
	Running  int     `json:"running"`
	Waiting  int     `json:"waiting"`
	Queued   int     `json:"queued"`
	// KV is the mean share in use, 0..1, null while no pod has reported it.
	KV *float64 `json:"kv"`
	// TTFT and ITL are seconds, null while no request has finished.
	TTFT     *float64 `json:"ttft_p95"`
	ITL      *float64 `json:"itl_p95"`
	Met      int64    `json:"met"`
	Requests int64    `json:"requests"`
	Wants    []want   `json:"wants"`
	Why      string   `json:"why"`
	Live     bool     `json:"live"`
	Control  Control  `json:"control"`
	// Pages are the names of the Ready pods, whose pages are at pods/NAME/metrics.
	Pages []string `json:"pages"`
}

type want struct {
	Metric   string `json:"metric"`
	Replicas int32  `json:"replicas"`
}

// frame looks at the world now.
func (w *World) frame() (Frame, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, err := w.fleet.Point(w.fleet.Now())
	if err != nil {
		return Frame{}, err
	}
	f := Frame{
		T: p.At.Seconds(), Demand: w.load.perSecond(p.At), Arrivals: p.ArrivalsPerSecond,
		Wanted: p.Wanted, Ready: p.Ready, Pods: p.Pods, Running: p.Running, Waiting: p.Waiting, Queued: p.Queued,
		TTFT: known(p.TTFTP95), ITL: known(p.ITLP95), Met: p.Met, Requests: p.Requests,
		Why: w.want.Why, Live: w.control.Speed == 1, Control: w.control, Wants: wantsOf(w.record.Decision),
	}
	if w.policy != nil {
		f.Wants = nil
	}
	for _, p := range w.pods {
		if p.Ready {
			f.Pages = append(f.Pages, p.Name)
		}
	}
	if !math.IsNaN(p.KV) {
		f.KV = &p.KV
	}
	return f, nil
}

// known is nil for the 0 of a percentile of nothing.
func known(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	s := d.Seconds()
	return &s
}

func wantsOf(d decider.Decision) (out []want) {
	for _, x := range d.Wants {
		if x.Replicas >= 0 {
			out = append(out, want{string(x.Metric), x.Replicas})
		}
	}
	return out
}
