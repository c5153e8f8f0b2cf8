package engines

import (
	"slices"
	"strings"
)

// Row maps one metric to one field of a sample. When several rows name the same
// field, the first whose metric has a series on the page wins: newer names
// come before older ones. A counter may have the suffix _total or not.
type Row struct {
	Field Field
	// Family is the metric's name on the page.
	Family string
	Kind   Kind
	Fold   Fold
	// Where keeps only some series of the family.
	Where Filter
	// Plus adds the row to what the field already holds.
	Plus bool
	// Fixed series are there from the start: one that is absent is unknown, not zero.
	Fixed bool
	// Shared families are on the pages of other programs too: a page with nothing
	// else is not the engine's.
	Shared bool
	// Product lists, for Info, the labels whose numbers multiplied are the
	// value: the first list with all labels numeric wins.
	Product [][]string
}

// processStart is of the Python client, and so on the page of many a program.
const processStart = "process_start_time_seconds"

// Kind is the shape of a family on the page.
type Kind int

// The kinds.
const (
	Gauge Kind = iota
	Counter
	Histogram
	// Count is the _count series of a histogram, used as a counter.
	Count
	// HistogramTotal is the _sum series of a histogram, used as a counter.
	HistogramTotal
	// Info is a family that carries its numbers in labels.
	Info
	// LoRA is a family whose value is a Unix time and whose labels list adapters.
	LoRA
	// Presence is a family that is there from the start: its field is zero while no
	// row before it has a series.
	Presence
)

// Fold says how the series of one pod become one number. NaN in any series
// makes the result NaN: half of a pod is not the pod.
type Fold int

// The folds.
const (
	// Sum adds every series.
	Sum Fold = iota
	// Weighted averages every series, each weighted by its own value: how full a KV cache is
	// for the requests that are in it. Caches at 95 and 5 % are 90.5 %, equal ones what each is.
	Weighted
	// Largest takes the largest series.
	Largest
	// SumRanks takes the largest series within a data-parallel rank (tensor- and
	// pipeline-parallel ranks report the same requests) and adds the ranks.
	SumRanks
	// WeightedRanks takes the largest series within a data-parallel rank and averages the ranks as Weighted does.
	WeightedRanks
)

// Filter keeps a series by one label; the zero Filter keeps all.
type Filter struct {
	Label string
	// Is keeps only this value when it is not empty, Prefix only values that begin with it;
	// Not drops these values.
	Is, Prefix string
	Not        []string
}

// Keeps reports whether a series whose label has the value is kept.
func (f Filter) Keeps(value string) bool {
	if f.Is != "" {
		return value == f.Is
	}
	return strings.HasPrefix(value, f.Prefix) && !slices.Contains(f.Not, value)
}

// Field names what a row gives of an engine. The fields of a sample are documented
// where they are used, in pkg/collector/engine.
type Field int

// The fields.
const (
	Running Field = iota
	Waiting
	KVUsage
	PromptTokens
	GenerationTokens
	Steps
	Preemptions
	Finished
	PrefixQueries
	PrefixHits
	// WaitingNegative is of endpoint pickers only.
	WaitingNegative
	// Deferred is those of Waiting that wait for something else than capacity.
	Deferred
	// The fields above are zero when their family is declared without a series;
	// those below are not.
	KVCapacity
	Created
	Awake
	// Parts of the KV cache, where an engine reports no share or no size in tokens:
	// used and all blocks, tokens in a block. KVUsed is in the unit of KVBlocks,
	// or of KVCapacity where there is no KVBlocks.
	KVUsed
	KVBlocks
	KVBlockSize
	TTFT
	ITL
	E2E
	QueueTime
	PrefillTime
	PromptLengths
	Adapters
	// Fields is the number of fields.
	Fields
)
