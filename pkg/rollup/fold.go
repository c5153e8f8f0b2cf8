package rollup

import (
	"cmp"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// fold adds the snapshots of one Service's revisions up.
type fold map[decider.Metric]*folded

type folded struct {
	sum, weight float64
	sample      collector.Sample
}

// add takes one revision in. A mean weighs as many pods as it was made of.
func (f fold) add(s collector.Snapshot) {
	for m, v := range s.Values {
		if !v.Value.Known() {
			continue
		}
		d, _ := m.Describe()
		weight := 1.0
		if d.Over == decider.Mean {
			weight = float64(podsWith(s, m))
		}
		if f[m] == nil {
			f[m] = &folded{sample: v}
		}
		if d.Over == decider.Merged {
			f[m].sum = max(f[m].sum, float64(v.Value)) // percentiles do not add up: the worst of the revisions
		} else {
			f[m].sum += float64(v.Value) * weight
		}
		f[m].weight += weight
		f[m].sample.Window = max(f[m].sample.Window, v.Window)
		if v.Time.Before(f[m].sample.Time) {
			f[m].sample.Time = v.Time // a sum is as old as its oldest part
		}
	}
}

func podsWith(s collector.Snapshot, m decider.Metric) (n int) {
	for _, p := range s.Pods {
		if _, ok := p.Values[m]; ok {
			n++
		}
	}
	return n
}

func (f fold) values() map[decider.Metric]collector.Sample {
	out := map[decider.Metric]collector.Sample{}
	for m, v := range f {
		s := v.sample
		s.Value = decider.Reading(v.sum)
		if d, _ := m.Describe(); d.Over == decider.Mean {
			s.Value = decider.Reading(v.sum / v.weight) // 0/0 is unknown
		}
		out[m] = s
	}
	return out
}

func cmpStrings(a, b, c, d string) int { return cmp.Or(cmp.Compare(a, b), cmp.Compare(c, d)) }
