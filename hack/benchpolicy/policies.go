package main

import (
	"fmt"
	"slices"
	"strings"
)

// The rows that need to know the trace.
const (
	staticName = "static"
	oracleName = "oracle"
)

// ours is our policy with default settings.
const ours = "ipa"

// policies of the main table: ours with default settings, each rival with default settings and
// tuned by hand, and what hindsight would have done.
func policies() []string {
	return []string{
		ours,
		"kpa", "kpa:target=20", "kpa:target=12,scale-down-delay=300s",
		"hpa:metric=kv_cache_usage_percent,target=70", "hpa:metric=kv_cache_usage_percent,target=10",
		hopeless, "hpa:metric=concurrency,target=20",
		"apa", "wva", "wva:up=0.4,down=0.25", "wva:version=1",
		staticName, oracleName,
	}
}

// hopeless grows to hundreds of replicas and takes as long; it gets one seed.
const hopeless = "hpa:metric=num_requests_waiting,target=1"

// ablations switch one part of our policy off at a time.
func ablations() []string {
	out := []string{ours}
	for _, part := range []string{"learning", "curve", "replay", "envelope", "backlog", "hold"} {
		out = append(out, "ipa:without="+part)
	}
	return out
}

// family is one policy at every setting of its knob.
type family struct {
	name     string
	settings []setting
}

// setting is a policy as simulate takes it, and what is shown of it.
type setting struct{ spec, short string }

// families are swept: ours and every rival.
func families() []family {
	kpa := append(swept("kpa:target=%s", "", "2", "4", "8", "12", "20", "28", "40", "60"),
		swept("kpa:target=%s,scale-down-delay=300s", " +300s", "1", "2", "4", "8", "12", "16", "20", "28", "40")...)
	mine := swept("ipa:margin=%s", "", "0.5", "0.6", "0.7", "0.8", "0.9", "1.1", "1.25", "1.5", "1.75", "2", "2.5", "3", "4")
	return []family{
		{"ipa margin", slices.Insert(mine, 5, setting{ours, "default"})},
		{"kpa target", append(kpa, setting{"kpa", "default"})},
		{"hpa concurrency", swept("hpa:metric=concurrency,target=%s", "", "1", "2", "4", "8", "12", "16", "20", "28", "40")},
		{"hpa kv %", swept("hpa:metric=kv_cache_usage_percent,target=%s", "", "1", "2", "5", "10", "20", "30", "50")},
		{"apa kv %", append(swept("apa:target=%s", "", "1", "2", "5", "10", "20", "30"), setting{"apa", "default"})},
		{"wva up/down", append(pairs("0.08/0.04", "0.15/0.08", "0.25/0.15", "0.3/0.2", "0.4/0.25", "0.5/0.35", "0.6/0.45", "0.7/0.55"), setting{"wva", "default"})},
	}
}

func swept(format, after string, values ...string) (all []setting) {
	for _, v := range values {
		all = append(all, setting{fmt.Sprintf(format, v), v + after})
	}
	return all
}

// pairs are wva's two thresholds.
func pairs(values ...string) (all []setting) {
	for _, v := range values {
		up, down, _ := strings.Cut(v, "/")
		all = append(all, setting{"wva:up=" + up + ",down=" + down, v})
	}
	return all
}

// settings are those of all families.
func settings() (specs []string) {
	for _, f := range families() {
		for _, s := range f.settings {
			specs = append(specs, s.spec)
		}
	}
	return specs
}

// maker is the policy's name, which is that of its source file too.
func maker(policy string) string {
	name, _, _ := strings.Cut(policy, ":")
	return name
}
