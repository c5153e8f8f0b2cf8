package engine

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// series is one sample as expfmt reads it. le is NaN when it is no bucket of a
// typed histogram.
type series struct {
	labels map[string]string
	le     float64
	value  float64
}

// readByExpfmt parses a page with Prometheus' own parser and flattens it to
// series by name. ok is false when expfmt refuses the page or gives a family a
// type under which it cannot be compared.
func readByExpfmt(page []byte, c *compiled) (byName map[string][]series, ok bool) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return nil, false
	}
	byName = map[string][]series{}
	for name, f := range families {
		switch f.GetType() {
		case dto.MetricType_HISTOGRAM, dto.MetricType_GAUGE_HISTOGRAM:
			if bareSample(page, name) || !flattenHistogram(byName, name, f) {
				return nil, false
			}
		case dto.MetricType_SUMMARY:
			for _, n := range []string{name, name + "_sum", name + "_count"} {
				if c.names[n] != nil {
					return nil, false
				}
			}
		default:
			for _, m := range f.Metric {
				v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
				byName[name] = append(byName[name], series{labelsOf(m), math.NaN(), v})
			}
		}
	}
	return byName, true
}

// bareSample reports whether a series is named as a histogram itself, which
// expfmt takes for a bucket when it has a label le and drops otherwise.
func bareSample(page []byte, name string) bool {
	return regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(name) + `[ \t{]`).Match(page)
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func flattenHistogram(byName map[string][]series, name string, f *dto.MetricFamily) bool {
	add := func(suffix string, s series) { byName[name+suffix] = append(byName[name+suffix], s) }
	for _, m := range f.Metric {
		h, labels := m.GetHistogram(), labelsOf(m)
		for _, b := range h.GetBucket() {
			v := float64(b.GetCumulativeCount())
			if b.CumulativeCountFloat != nil {
				v = b.GetCumulativeCountFloat()
			}
			add("_bucket", series{labels, b.GetUpperBound(), v})
		}
		if h.SampleSum != nil {
			add("_sum", series{labels, math.NaN(), h.GetSampleSum()})
		}
		switch {
		case h.SampleCount != nil:
			add("_count", series{labels, math.NaN(), float64(h.GetSampleCount())})
		case h.GetSampleCountFloat() != 0:
			add("_count", series{labels, math.NaN(), h.GetSampleCountFloat()})
		case h.SampleCountFloat != nil:
			return false // expfmt writes 0 here when the page has no count at all
		}
	}
	return true
}

// oracle folds the flattened page the slow way: maps, no state machine.
func oracle(c *compiled, byName map[string][]series) Stat {
	s := NewStat(c.name)
	known := map[field]bool{}
	parts := map[field]float64{kvUsed: nan, kvBlocks: nan, kvBlockSize: nan}
	for _, r := range c.rows {
		if known[r.field] && !r.plus {
			continue
		}
		if r.kind == histogram {
			h, found := oracleHistogram(r.family, byName)
			if found {
				known[r.field] = true
				*map[field]*Histogram{ttft: &s.TTFT, itl: &s.ITL, e2e: &s.E2E}[r.field] = h
			}
			continue
		}
		name := r.family + map[kind]string{count: "_count", histogramTotal: "_sum"}[r.kind]
		kept := slices.DeleteFunc(slices.Clone(byName[name]), func(x series) bool {
			return r.where.label != "" && !r.where.keeps(x.labels[r.where.label])
		})
		if len(kept) == 0 {
			continue
		}
		known[r.field] = true
		if _, ok := parts[r.field]; ok {
			parts[r.field] = oracleFold(c, r.fold, kept)
			continue
		}
		oracleScalar(&s, c, r, kept)
	}
	return oracleCache(s, parts)
}

// oracleCache works out the size and the share of the KV cache from what the page told.
func oracleCache(s Stat, parts map[field]float64) Stat {
	if size := parts[kvBlocks] * parts[kvBlockSize]; math.IsNaN(s.KVCapacity) {
		s.KVCapacity = size
	}
	whole, ok := parts[kvBlocks], math.IsNaN(s.KVUsage)
	if math.IsNaN(whole) {
		whole = s.KVCapacity
	}
	if ok && whole > 0 {
		s.KVUsage = parts[kvUsed] / whole
	}
	return s
}

func oracleScalar(s *Stat, c *compiled, r row, kept []series) {
	if r.kind == lora {
		s.LoRA = oracleLoRA(kept)
		return
	}
	if r.kind == info {
		for i := range kept {
			kept[i].value = oracleProduct(kept[i].labels, r.product)
		}
	}
	v := oracleFold(c, r.fold, kept)
	switch {
	case r.field == awake:
		s.Asleep = v == 0
	case r.plus:
		*s.scalar(r.field) += v
	default:
		*s.scalar(r.field) = v
	}
}

func oracleFold(c *compiled, f fold, kept []series) float64 {
	byRank := map[string][]float64{}
	for i, x := range kept {
		key := fmt.Sprint(i)
		if f == sumRanks || f == meanRanks {
			key = x.labels[c.rank]
		}
		if f == largest {
			key = ""
		}
		byRank[key] = append(byRank[key], x.value)
	}
	v := 0.0
	for _, values := range byRank {
		largest := values[0]
		for _, x := range values {
			largest = math.Max(largest, x)
		}
		v += largest
	}
	if f == mean || f == meanRanks {
		v /= float64(len(byRank))
	}
	return v
}

func oracleProduct(labels map[string]string, lists [][]string) float64 {
	for _, list := range lists {
		v := 1.0
		for _, name := range list {
			x, err := parseFloat([]byte(labels[name]))
			if err != nil || strings.IndexAny(labels[name], "0123456789") != 0 {
				x = math.NaN()
			}
			v *= x
		}
		if !math.IsNaN(v) {
			return v
		}
	}
	return math.NaN()
}

func oracleLoRA(kept []series) []string {
	newest := kept[0]
	for _, x := range kept[1:] {
		if x.value > newest.value {
			newest = x
		}
	}
	var names []string
	for _, l := range []string{"running_lora_adapters", "waiting_lora_adapters"} {
		for name := range strings.SplitSeq(newest.labels[l], ",") {
			if name = string(bytes.TrimSpace([]byte(name))); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func oracleHistogram(family string, byName map[string][]series) (h Histogram, found bool) {
	h = Histogram{Count: math.NaN(), Sum: math.NaN()}
	for _, x := range byName[family+"_count"] {
		accumulate(&h.Count, x.value)
	}
	for _, x := range byName[family+"_sum"] {
		accumulate(&h.Sum, x.value)
	}
	counts := map[float64]float64{}
	for _, x := range byName[family+"_bucket"] {
		le := x.le
		if math.IsNaN(le) {
			le, _ = parseFloat([]byte(x.labels["le"]))
			if x.labels["le"] == "" {
				le = math.NaN()
			}
		}
		if !math.IsNaN(le) && !math.IsInf(le, 1) {
			counts[le] += x.value
		}
	}
	h.Bounds = slices.Sorted(maps.Keys(counts))
	for _, b := range h.Bounds {
		h.Counts = append(h.Counts, counts[b])
	}
	found = len(byName[family+"_count"])+len(byName[family+"_sum"])+len(byName[family+"_bucket"]) > 0
	return h, found
}
