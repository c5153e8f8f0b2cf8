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

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
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
	for name, list := range byName {
		byName[name] = once(list)
	}
	return byName, true
}

// once drops series that were there before: expfmt keeps each.
func once(list []series) (out []series) {
	seen := map[string]bool{}
	for _, s := range list {
		id := fmt.Sprint(s.labels, s.le)
		if !seen[id] {
			seen[id], out = true, append(out, s)
		}
	}
	return out
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
	known := map[engines.Field]bool{}
	ranks := map[engines.Field]map[string]float64{}
	parts := map[engines.Field]float64{engines.KVUsed: nan, engines.KVBlocks: nan, engines.KVBlockSize: nan}
	for _, r := range c.rows {
		if known[r.Field] && !r.Plus {
			continue
		}
		if r.Kind == engines.Histogram {
			h, found := oracleHistogram(r.Family, byName)
			if found {
				known[r.Field] = true
				*map[engines.Field]*Histogram{
					engines.TTFT: &s.TTFT, engines.ITL: &s.ITL, engines.E2E: &s.E2E,
					engines.QueueTime: &s.QueueTime, engines.PrefillTime: &s.PrefillTime, engines.PromptLengths: &s.PromptLengths,
				}[r.Field] = h
			}
			continue
		}
		name := r.Family + map[engines.Kind]string{engines.Count: "_count", engines.HistogramTotal: "_sum"}[r.Kind]
		kept := slices.DeleteFunc(slices.Clone(byName[name]), func(x series) bool {
			return r.Where.Label != "" && !r.Where.Keeps(x.labels[r.Where.Label])
		})
		if len(kept) == 0 {
			continue
		}
		known[r.Field] = true
		if _, ok := parts[r.Field]; ok {
			parts[r.Field] = oracleFold(c, r.Fold, kept)
			continue
		}
		oracleScalar(&s, c, r, kept)
		oracleByRank(ranks, c, r, kept)
	}
	s.Fullest = oracleFullest(s.Ranks, ranks)
	return oracleCache(s, parts)
}

// oracleByRank adds what each rank has of a field.
func oracleByRank(ranks map[engines.Field]map[string]float64, c *compiled, r engines.Row, kept []series) {
	folded := r.Fold == engines.SumRanks || r.Fold == engines.WeightedRanks
	byRank := map[string]float64{}
	for _, x := range kept {
		id := oracleRank(c, x)
		v, seen := byRank[id]
		switch {
		case !folded && strings.Trim(id, "|") == "":
		case !folded:
			byRank[id] = v + x.value
		case !seen || x.value > v || math.IsNaN(x.value):
			byRank[id] = x.value
		}
	}
	if ranks[r.Field] == nil {
		ranks[r.Field] = byRank
		return
	}
	for id := range ranks[r.Field] {
		if v, ok := byRank[id]; ok {
			ranks[r.Field][id] += v
		} else {
			ranks[r.Field][id] = nan
		}
	}
}

// oracleFullest is the rank with the most prompt tokens. It is unknown unless the tokens of every rank are known.
func oracleFullest(n int, ranks map[engines.Field]map[string]float64) FullestRank {
	all := []FullestRank{}
	for id, tokens := range ranks[engines.PromptTokens] {
		f := FullestRank{PromptTokens: tokens, Running: nan, Waiting: nan}
		if v, ok := ranks[engines.Running][id]; ok {
			f.Running = v
		}
		if v, ok := ranks[engines.Waiting][id]; ok {
			f.Waiting = v
		}
		all = append(all, f)
	}
	bad := func(f FullestRank) bool { return !(f.PromptTokens >= 0) }
	if n == 0 || len(all) != n || slices.ContainsFunc(all, bad) {
		return FullestRank{}
	}
	if f := slices.MaxFunc(all, FullestRank.compare); f.PromptTokens > 0 {
		return f
	}
	return FullestRank{}
}

// oracleCache works out the size and the share of the KV cache from the page.
func oracleCache(s Stat, parts map[engines.Field]float64) Stat {
	if size := parts[engines.KVBlocks] * parts[engines.KVBlockSize]; math.IsNaN(s.KVCapacity) {
		s.KVCapacity = size
	}
	whole, ok := parts[engines.KVBlocks], math.IsNaN(s.KVUsage)
	if math.IsNaN(whole) {
		whole = s.KVCapacity
	}
	if ok && whole > 0 {
		s.KVUsage = parts[engines.KVUsed] / whole
	}
	return s
}

func oracleScalar(s *Stat, c *compiled, r engines.Row, kept []series) {
	if r.Kind == engines.LoRA {
		s.LoRA = oracleLoRA(kept)
		return
	}
	if r.Kind == engines.Info {
		for i := range kept {
			kept[i].value = oracleProduct(kept[i].labels, r.Product)
		}
	}
	if r.Field == engines.Running && !r.Plus {
		s.Ranks = oracleRanks(c, r.Fold, kept)
	}
	v := oracleFold(c, r.Fold, kept)
	switch {
	case r.Field == engines.Awake:
		s.Asleep = v == 0
	case r.Plus:
		*s.scalar(r.Field) += v
	default:
		*s.scalar(r.Field) = v
	}
}

// oracleRanks counts the ranks; one is none.
func oracleRanks(c *compiled, f engines.Fold, kept []series) int {
	ranks := map[string]bool{}
	for _, x := range kept {
		if all := f == engines.SumRanks || f == engines.WeightedRanks; all || strings.Trim(oracleRank(c, x), "|") != "" {
			ranks[oracleRank(c, x)] = true
		}
	}
	n := len(ranks)
	if n < 2 {
		return 0
	}
	return n
}

// oracleRank is what all labels of ranks say of a series.
func oracleRank(c *compiled, x series) (id string) {
	for _, label := range c.ranks {
		id += strings.ReplaceAll(x.labels[label], "|", "||") + "|"
	}
	return id
}

func oracleFold(c *compiled, f engines.Fold, kept []series) float64 {
	byRank := map[string][]float64{}
	for i, x := range kept {
		key := fmt.Sprint(i)
		if f == engines.SumRanks || f == engines.WeightedRanks {
			key = oracleRank(c, x)
		}
		if f == engines.Largest {
			key = ""
		}
		byRank[key] = append(byRank[key], x.value)
	}
	var all []float64
	for _, values := range byRank {
		all = append(all, slices.Max(values))
	}
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	if f != engines.Weighted && f != engines.WeightedRanks || sum <= 0 {
		return sum
	}
	mean := 0.0
	for _, v := range all {
		if v < 0 {
			return math.NaN()
		}
		mean += v / sum * v
	}
	return mean
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

// oracleHistogram adds up, for each bound that all series have, what they report there.
func oracleHistogram(family string, byName map[string][]series) (h Histogram, found bool) {
	at, sums := map[string]int{}, map[string]float64{}
	add := func(part string, v float64) { at[part], sums[part] = at[part]+1, sums[part]+v }
	for _, part := range []string{"_count", "_sum"} {
		for _, x := range byName[family+part] {
			add(part, x.value)
		}
	}
	for _, x := range byName[family+"_bucket"] {
		le := x.le
		if math.IsNaN(le) {
			le, _ = parseFloat([]byte(x.labels["le"]))
			if x.labels["le"] == "" {
				le = math.NaN()
			}
		}
		if !math.IsNaN(le) {
			add(fmt.Sprint(le), x.value)
		}
	}
	all := slices.Max(append(slices.Collect(maps.Values(at)), 0))
	total := func(parts ...string) float64 {
		for _, part := range parts {
			if all > 0 && at[part] == all {
				return sums[part]
			}
		}
		return math.NaN()
	}
	h = Histogram{Count: total("_count", "+Inf"), Sum: total("_sum")}
	for part := range at {
		le, err := parseFloat([]byte(part))
		if err == nil && !math.IsInf(le, 1) && at[part] == all {
			h.Bounds = append(h.Bounds, le)
		}
	}
	slices.Sort(h.Bounds)
	for _, b := range h.Bounds {
		h.Counts = append(h.Counts, sums[fmt.Sprint(b)])
	}
	found = len(byName[family+"_count"])+len(byName[family+"_sum"])+len(byName[family+"_bucket"]) > 0
	return h, found
}
