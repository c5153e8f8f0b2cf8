package engine

import (
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// Tables holds every known engine, ready for use. It is read-only after
// NewTables and may be shared by any number of parsers.
type Tables struct {
	engines []*compiled
	picker  *compiled
	// byFirst has the indices of the engines by the first byte of their prefix.
	byFirst [256][]int
	// seed is that of the identities of series and lines.
	seed maphash.Seed
}

// NewTables compiles the tables of all known engines.
func NewTables() *Tables {
	t := &Tables{picker: compile(picker()), seed: maphash.MakeSeed()}
	for _, e := range engines.All() {
		t.byFirst[e.Prefix[0]] = append(t.byFirst[e.Prefix[0]], len(t.engines))
		t.engines = append(t.engines, compile(e))
	}
	return t
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
	return nil, fmt.Errorf("engine %q is not known; known are %s", name, strings.Join(engines.Names(), ", "))
}

// compiled is an engine with its exposition names resolved.
type compiled struct {
	name string
	// ranks are the labels that name a data-parallel rank.
	ranks   []string
	prefix  []byte
	general bool
	// rows has a counter twice, with and without _total.
	rows []engines.Row
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

func compile(e engines.Engine) *compiled {
	c := &compiled{name: e.Name, prefix: []byte(e.Prefix), ranks: e.Ranks, general: e.General, names: map[string][]slot{}}
	for _, r := range e.Rows {
		if r.Kind == engines.Counter {
			c.add(r, r.Family+"_total")
		}
		c.add(r, r.Family)
	}
	return c
}

// add appends the row under one spelling of its family.
func (c *compiled) add(r engines.Row, family string) {
	i := len(c.rows)
	r.Family = family
	c.rows = append(c.rows, r)
	name := func(n string, p part) { c.names[n] = append(c.names[n], slot{i, p}) }
	switch r.Kind {
	case engines.Histogram:
		name(family+"_bucket", bucket)
		name(family+"_sum", histogramSum)
		name(family+"_count", histogramCount)
	case engines.Count:
		name(family+"_count", value)
	case engines.HistogramTotal:
		name(family+"_sum", value)
	default:
		name(family, value)
	}
}
