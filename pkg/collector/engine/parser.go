package engine

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// ErrNotEngine says that the page carries no family of the engine: a wrong
// port, path or engine, or an engine that is not known.
var ErrNotEngine = errors.New("no metric of an inference engine")

// ErrTooLarge says that the page has more series than an engine's page can have.
var ErrTooLarge = errors.New("the page has too many series")

// ErrStopped says that the caller stopped the parser before the end of the page.
var ErrStopped = errors.New("stopped before the end of the page")

const (
	// maxSeries is the largest number of series of known families on one page. A
	// page of vLLM 0.32 has 221 of them in 48 KiB for each data-parallel rank, so
	// that the largest page that is read, 2 MiB, holds 43 ranks or 9,503 series.
	maxSeries = 10_000
	// keptSeries is the number of series up to which the set of series is kept
	// from page to page; a larger set is made anew.
	keptSeries = 2048
	// linesPerCheck is the number of lines between two questions whether to stop:
	// about 30 µs of parsing.
	linesPerCheck = 256
)

// byteOrderMark is what some programs write before UTF-8.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// quotedName begins a series whose name has other characters than the text format allows, as
// Prometheus 3 writes it: no metric of an engine has such a name.
var quotedName = []byte(`{"`)

// Parser reads pages. It reads only the families that its
// engine's table names; other lines are passed over after their name. It keeps
// its buffers from page to page, so a steady page allocates nothing. A Parser
// is not safe for concurrent use.
type Parser struct {
	tables  *Tables
	maxLine int
	// named is the engine the user named; nil asks for detection.
	named *compiled
	// current is the engine of the present page.
	current *compiled
	totals  []total
	cache   cacheParts
	sample  sample
	// seen holds the value of every series read from this page by its identity.
	seen map[uint64]float64
	r    recollection
	// last is the name of the last sample with the byte that ended it: most
	// lines repeat it. lastSlots is what it is read by.
	last      []byte
	lastSlots []slot
}

// NewParser returns a parser for pages of the named engine, or of any known
// engine when the name is "". Lines longer than maxLine bytes are an error.
func (t *Tables) NewParser(name string, maxLine int) (*Parser, error) {
	e, err := t.engine(name)
	if err != nil {
		return nil, err
	}
	return &Parser{
		tables: t, maxLine: maxLine, named: e, current: e,
		seen: map[uint64]float64{},
	}, nil
}

// Parse reads one page in the text format of Prometheus (0.0.4) or OpenMetrics
// into s, whose slices are reused. After an error s is unusable. Numbers are
// passed on as the page has them, however absurd.
func (p *Parser) Parse(page []byte, s *Stat) error {
	return p.ParseLike(nil, func() bool { return false }, page, s)
}

// ParseLike is Parse of a page that is like those that were parsed with the same layout
// before; nil is none. It ends with ErrStopped soon after stop returns true. The work is
// linear in the length of the page. The parser keeps no part of the page.
func (p *Parser) ParseLike(layout *Layout, stop func() bool, page []byte, s *Stat) error {
	defer p.dropPage()
	page = bytes.TrimPrefix(page, byteOrderMark)
	if err := p.detect(layout, page); err != nil {
		return err
	}
	p.reset()
	p.begin(layout)
	whole := page
	for n := 1; len(page) > 0; n++ {
		if n%linesPerCheck == 0 && stop() {
			return ErrStopped
		}
		if p.r.known != nil {
			known, err := p.recall(page)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			if known > 0 {
				page = page[known:]
				continue
			}
			p.r.slow++
		}
		line, rest, ended := page, []byte(nil), false
		if end := bytes.IndexByte(page, '\n'); end >= 0 {
			line, rest, ended = page[:end], page[end+1:], true
		}
		if err := p.line(line, ended); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if ended {
			p.learn(line)
		}
		page = rest
	}
	if !p.recognised() {
		return p.notEngine(whole)
	}
	p.end()
	p.fill(s)
	p.idle(s)
	return nil
}

func (p *Parser) reset() {
	if len(p.totals) != len(p.current.rows) {
		p.totals = make([]total, len(p.current.rows))
	}
	for i := range p.totals {
		p.totals[i].reset()
	}
	if len(p.seen) > keptSeries {
		p.seen = map[uint64]float64{}
	}
	clear(p.seen)
}

// dropPage gives up every slice of the page, which the parser would keep alive
// until the next page.
func (p *Parser) dropPage() {
	p.last, p.lastSlots = nil, nil
	p.r = recollection{left: p.r.left[:0], values: p.r.values[:0]}
	clear(p.sample.labels[:cap(p.sample.labels)])
}

// detect finds the engine whose page this is, when the user named none. The page of a layout
// that was learned from an engine is that engine's as long as a family of it is there; what
// pages of other pods the parser has read before is of no importance.
func (p *Parser) detect(l *Layout, page []byte) error {
	if p.named != nil {
		return nil
	}
	if e := l.engine(); e != nil && !e.general && hasFamily(page, e.prefix) {
		p.current = e
		return nil
	}
	if p.current = p.tables.detect(page); p.current == nil {
		return p.notEngine(page)
	}
	return nil
}

// notEngine says what is on the page instead of an engine's metrics.
func (p *Parser) notEngine(page []byte) error {
	if p.named != nil {
		return fmt.Errorf("%w named %s is on the page; %s", ErrNotEngine, p.named.name, firstNames(page))
	}
	return fmt.Errorf("%w is on the page; %s", ErrNotEngine, firstNames(page))
}

// recognised reports whether any family of the engine's own was on the page.
func (p *Parser) recognised() bool {
	for i := range p.totals {
		if (p.totals[i].n > 0 || p.totals[i].declared) && !p.current.rows[i].Shared {
			return true
		}
	}
	return false
}

func (p *Parser) line(line []byte, ended bool) error {
	if len(line) > p.maxLine {
		return fmt.Errorf("longer than %d bytes", p.maxLine)
	}
	line = skipBlank(bytes.TrimSuffix(line, []byte{'\r'}))
	if len(line) == 0 {
		return nil
	}
	if line[0] == '#' {
		p.declare(line)
		return nil
	}
	if !ended {
		return errors.New("the page ends within a line")
	}
	if bytes.HasPrefix(line, quotedName) {
		return nil
	}
	return p.series(line)
}

// declare notes the families that have a TYPE line.
func (p *Parser) declare(line []byte) {
	if name := typeName(line); name != nil {
		for _, s := range p.current.names[string(name)] {
			p.totals[s.row].declared = true
			p.note(use{row: int32(s.row), what: declares})
		}
	}
}

func (p *Parser) series(line []byte) error {
	if p.last == nil || !bytes.HasPrefix(line, p.last) {
		n := nameEnd(line)
		if n == 0 || n == len(line) || line[n] != '{' && line[n] != ' ' && line[n] != '\t' {
			return fmt.Errorf("expected a metric name, found %.40q", line)
		}
		p.last, p.lastSlots = line[:n+1], p.current.names[string(line[:n])]
	}
	if p.lastSlots == nil {
		return nil
	}
	if err := p.sample.lex(line[len(p.last)-1:]); err != nil {
		return err
	}
	p.list()
	if len(p.seen) == maxSeries {
		return fmt.Errorf("%w: more than %d of engine %s", ErrTooLarge, maxSeries, p.current.name)
	}
	again, agrees := p.again()
	if !agrees {
		return fmt.Errorf("duplicate series of %.80s with another value", p.last[:len(p.last)-1])
	}
	if again {
		p.r.vary = true
		return nil
	}
	for _, s := range p.lastSlots {
		if err := p.add(s); err != nil {
			return err
		}
	}
	return nil
}

// again reports whether the lexed series was on this page before, its labels in any
// order, and whether its value agrees. Folding it twice would count its requests twice.
func (p *Parser) again() (again, agrees bool) {
	id := maphash.Bytes(p.tables.seed, p.last[:len(p.last)-1])
	for _, l := range p.sample.labels {
		id += maphash.Bytes(p.tables.seed, l.name) * (maphash.Bytes(p.tables.seed, l.raw) | 1)
	}
	p.r.series = id
	value, again := p.seen[id]
	if !again {
		p.seen[id] = p.sample.value
		return false, true
	}
	return true, value == p.sample.value || math.IsNaN(value) && math.IsNaN(p.sample.value)
}

// add gives the lexed sample to one row.
func (p *Parser) add(s slot) error {
	r, t := &p.current.rows[s.row], &p.totals[s.row]
	if r.Where.Label != "" {
		if v, _ := p.sample.label(r.Where.Label); !r.Where.Keeps(string(v)) {
			return nil
		}
	}
	u := use{row: int32(s.row), what: folds}
	switch r.Kind {
	case engines.Histogram:
		var err error
		if u.what, u.number, err = p.sample.inHistogram(s.part); err != nil {
			return err
		}
	case engines.LoRA:
		p.r.vary = true
		t.addLoRA(&p.sample)
		return nil
	case engines.Info:
		u.what, u.number = foldsNumber, product(&p.sample, r.Product)
	default:
		u.rank = p.rank(r)
	}
	p.note(u)
	return p.use(u, p.sample.value)
}

// rankFactor is odd and large, so that two labels with exchanged values are another rank.
const rankFactor = 0x9E3779B97F4A7C15

// rank identifies the data-parallel rank of the lexed sample, by all labels that name one; 0 when neither the fold
// nor the field asks for the rank, or no label names one to be counted.
func (p *Parser) rank(r *engines.Row) uint64 {
	folded := r.Fold == engines.SumRanks || r.Fold == engines.WeightedRanks
	if !folded && !byRank(r.Field) {
		return 0
	}
	id, named := uint64(0), false
	for _, label := range p.current.ranks {
		rank, _ := p.sample.label(label)
		id = id*rankFactor + maphash.Bytes(p.tables.seed, rank)
		named = named || len(rank) > 0
	}
	if !folded && !named {
		return 0
	}
	return id | 1
}
