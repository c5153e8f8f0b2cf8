package engine

import (
	"fmt"
	"slices"
	"strings"
)

// table says how one engine's page becomes a Stat. A new engine is a new file
// with one function that returns its table.
type table struct {
	name string
	// prefix begins every family of the engine; a page is recognised by it.
	prefix string
	// path is where the engine serves its page unless the user says otherwise;
	// port, where it has one of its own, is not that of its requests.
	path string
	port int
	// general families are on the pages of other engines too: looked for anew on each page.
	general bool
	// rank is the label that tells data-parallel ranks of one pod apart, for
	// the folds that need it.
	rank string
	rows []row
}

// row maps one family to one field of Stat. When several rows name the same
// field, the first whose family has a series on the page wins: newer names
// stand before older ones. A counter is looked for with and without _total.
type row struct {
	field  field
	family string
	kind   kind
	fold   fold
	// where keeps only some series of the family.
	where filter
	// plus adds the row to what the field already holds.
	plus bool
	// fixed series are there from the start: one that is absent is unknown, not zero.
	fixed bool
	// product lists, for info, the labels whose numbers multiplied are the
	// value: the first list with all labels numeric wins.
	product [][]string
}

// kind is the shape of a family on the page.
type kind int

const (
	gauge kind = iota
	counter
	histogram
	// count is the _count series of a histogram, used as a counter.
	count
	// histogramTotal is the _sum series of a histogram, used as a counter.
	histogramTotal
	// info is a family that carries its numbers in labels.
	info
	// lora is a family whose value is a Unix time and whose labels list adapters.
	lora
	// presence is a family that is there from the start: its field is zero while no
	// row before it has a series.
	presence
)

// fold says how the series of one pod become one number. NaN in any series
// makes the result NaN: half of a pod is not the pod.
type fold int

const (
	// sum adds every series.
	sum fold = iota
	// mean averages every series.
	mean
	// largest takes the largest series.
	largest
	// sumRanks takes the largest series within a data-parallel rank (tensor- and
	// pipeline-parallel ranks report the same requests) and adds the ranks.
	sumRanks
	// meanRanks takes the largest series within a data-parallel rank and averages the ranks.
	meanRanks
)

// filter keeps a series by one label; the zero filter keeps all.
type filter struct {
	label string
	// is keeps only this value when it is not empty; not drops these values.
	is  string
	not []string
}

func (f filter) keeps(value string) bool {
	if f.is != "" {
		return value == f.is
	}
	return !slices.Contains(f.not, value)
}

// field names a field of Stat.
type field int

const (
	running field = iota
	waiting
	kvUsage
	promptTokens
	generationTokens
	steps
	preemptions
	finished
	prefixQueries
	prefixHits
	// The fields above are zero when their family is declared without a series;
	// those below are not.
	kvCapacity
	created
	awake
	// Parts of the KV cache, where an engine tells no share or no size in tokens:
	// used and all blocks, tokens in a block. kvUsed is in the unit of kvBlocks,
	// or of kvCapacity where there is no kvBlocks.
	kvUsed
	kvBlocks
	kvBlockSize
	ttft
	itl
	e2e
	adapters
	fields
)

// Tables holds every known engine, ready for use. It is read-only after
// NewTables and may be shared by any number of parsers.
type Tables struct {
	engines []*compiled
	picker  *compiled
}

// NewTables compiles the tables of all known engines.
func NewTables() *Tables {
	t := &Tables{picker: compile(picker())}
	for _, e := range []table{vllm(), sglang(), trtllmServe(), tritonTensorRTLLM(), triton(), tgi(), lmdeploy()} {
		t.engines = append(t.engines, compile(e))
	}
	return t
}

// Names lists the engines that can be named by a user.
func (t *Tables) Names() []string {
	names := make([]string, len(t.engines))
	for i, e := range t.engines {
		names[i] = e.name
	}
	return names
}

// Path returns where the named engine serves its page; "" means any engine.
func (t *Tables) Path(name string) string {
	if e, err := t.engine(name); err == nil && e != nil {
		return e.path
	}
	return "/metrics"
}

// Port returns the port on which the named engine serves its page, 0 for that of its requests.
func (t *Tables) Port(name string) int {
	if e, err := t.engine(name); err == nil && e != nil {
		return e.port
	}
	return 0
}

// engine returns nil without an error for "", which asks for detection.
func (t *Tables) engine(name string) (*compiled, error) {
	if name == "" {
		return nil, nil
	}
	if name == Picker {
		return t.picker, nil
	}
	for _, e := range t.engines {
		if e.name == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("engine %q is not known; known are %s", name, strings.Join(t.Names(), ", "))
}

// compiled is a table with its exposition names resolved.
type compiled struct {
	table
	// names maps a series name to the rows that read it.
	names map[string][]slot
}

// part says which of a row's series a name is.
type part int

const (
	value part = iota
	bucket
	histogramSum
	histogramCount
)

type slot struct {
	row  int
	part part
}

func compile(t table) *compiled {
	c := &compiled{table: t, names: map[string][]slot{}}
	c.rows = nil
	for _, r := range t.rows {
		if r.kind == counter {
			c.add(r, r.family+"_total")
		}
		c.add(r, r.family)
	}
	return c
}

// add appends the row under one spelling of its family.
func (c *compiled) add(r row, family string) {
	i := len(c.rows)
	r.family = family
	c.rows = append(c.rows, r)
	name := func(n string, p part) { c.names[n] = append(c.names[n], slot{i, p}) }
	switch r.kind {
	case histogram:
		name(family+"_bucket", bucket)
		name(family+"_sum", histogramSum)
		name(family+"_count", histogramCount)
	case count:
		name(family+"_count", value)
	case histogramTotal:
		name(family+"_sum", value)
	default:
		name(family, value)
	}
}
