package engine

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"sync/atomic"
)

// Layout remembers how the lines of like pages begin and what each is for, so that a
// line that was seen before costs a hash and a number: about a fifth of a whole
// parsing. Pages of one revision are the same except for their values. The zero value
// knows nothing. It is safe for concurrent use by parsers of the same Tables.
//
// A layout never changes what a page means. A line is recognised by a 64-bit hash
// under a secret seed, of all of it up to its value; every other line is parsed as
// without a layout.
type Layout struct {
	known atomic.Pointer[known]
	// pages counts the pages since the last learning and misses those of them that
	// had many lines that were not known; wait is the number of pages until the
	// layout may be learned again.
	pages, misses, wait atomic.Int64
}

const (
	// maxLines is the largest number of lines of a page that is learned: a page of
	// vLLM 0.32 has 430.
	maxLines = 1024
	// maxSlow is the number of unknown lines up to which a page is like the one learned.
	maxSlow = 8
	// firstWait and longestWait bound, in pages, the time between two learnings, which
	// doubles: pages that always differ are not learned again and again.
	firstWait, longestWait = 4, 1024
)

// known is what a layout knows of one page. It is never changed.
type known struct {
	engine *compiled
	lines  []knownLine
	uses   []use
}

// knownLine is one line with what it is used for, uses[from:to].
type knownLine struct {
	hash uint64
	// series is the identity of a series that is read; 0 for other lines.
	series   uint64
	from, to uint16
	// length is that of what is hashed in bytes.
	length  uint16
	comment bool
}

// use is what one line does to one row, with all that its labels say.
type use struct {
	row  int32
	what what
	// number is the upper bound of a bucket, or the value in the labels.
	number float64
	rank   uint64
}

type what int32

const (
	declares what = iota
	folds
	foldsNumber
	addsBucket
	addsTop
	addsSum
	addsCount
	isThere
)

// engine is that of the page that was learned; nil when none was.
func (l *Layout) engine() *compiled {
	if l == nil {
		return nil
	}
	if k := l.known.Load(); k != nil {
		return k.engine
	}
	return nil
}

// learns reports whether the next page should be learned.
func (l *Layout) learns(e *compiled) bool {
	k := l.known.Load()
	if k == nil {
		return true
	}
	n := l.pages.Load()
	return n >= l.wait.Load() && (k.engine != e || 2*l.misses.Load() > n)
}

func (l *Layout) learned(k *known) {
	l.known.Store(k)
	l.pages.Store(0)
	l.misses.Store(0)
	l.wait.Store(min(max(2*l.wait.Load(), firstWait), longestWait))
}

// parsed counts a page.
func (l *Layout) parsed(missed bool) {
	if l.pages.Add(1) > 64 { // what was long ago counts less
		l.pages.Store(32)
		l.misses.Store(l.misses.Load() / 2)
	}
	if missed {
		l.misses.Add(1)
	}
}

// recollection is a parser's way through the lines of a layout, and what it learns.
type recollection struct {
	layout *Layout
	// known is nil without a layout that fits.
	known *known
	// next is the line that is expected now; the lines in left were not on the page.
	next int
	left []int
	// values are those of the lines that were recalled, by their index.
	values []float64
	// slow counts lines that had to be parsed, and listed reports whether the series of
	// the others are in the set of series that were seen.
	slow   int
	listed bool
	// draft is what is learned of this page; nil otherwise.
	draft *known
	// begun is the number of uses in the draft before the present line; series is the
	// identity of the last series that was read; vary is true if more than the value
	// of the line matters.
	begun  int
	series uint64
	vary   bool
}

// begin prepares for a page of the parser's current engine.
func (p *Parser) begin(l *Layout) {
	p.r = recollection{layout: l, left: p.r.left[:0], values: p.r.values[:0]}
	if l == nil {
		return
	}
	if l.learns(p.current) {
		p.r.draft = &known{engine: p.current}
		return
	}
	if k := l.known.Load(); k.engine == p.current {
		p.r.known = k
		p.r.values = slices.Grow(p.r.values, len(k.lines))[:len(k.lines)]
	}
}

// end keeps what was learned of a page that was parsed without an error.
func (p *Parser) end() {
	switch r := &p.r; {
	case r.draft != nil && len(r.draft.lines) > maxLines:
		r.layout.learned(&known{engine: p.current}) // nothing is known of long pages
	case r.draft != nil:
		r.draft.lines, r.draft.uses = slices.Clone(r.draft.lines), slices.Clone(r.draft.uses) // without room to grow
		r.layout.learned(r.draft)
	case r.layout != nil:
		r.layout.parsed(r.slow > maxSlow)
	}
}

// cutValue cuts a line into what identifies it and its value: all of a comment, and
// of a series all up to the last blank.
func cutValue(line []byte) (key, number []byte) {
	if len(line) == 0 || line[0] == '#' {
		return line, nil
	}
	i := len(line) - 1
	for i >= 0 && line[i] != ' ' {
		i--
	}
	return line[:i+1], line[i+1:]
}

// recall reads the first line of the page when the layout knows it, and returns its
// length with its end. The length is 0 for any other, with which nothing was done.
func (p *Parser) recall(page []byte) (int, error) {
	r := &p.r
	found := r.find(p.tables.seed, page)
	if found < 0 {
		return 0, nil
	}
	l := &r.known.lines[found]
	end := int(l.length)
	if !l.comment {
		end += bytes.IndexByte(page[end:], '\n')
	}
	if end < int(l.length) || page[end] != '\n' || end > p.maxLine {
		return 0, nil
	}
	v := 0.0
	if l.series != 0 {
		var err error
		if v, err = parseFloat(page[l.length:end]); err != nil {
			return 0, nil //nolint:nilerr the line is parsed in full instead
		}
	}
	if l.series != 0 && r.listed {
		if _, again := p.seen[l.series]; again {
			return 0, nil // what that means is not known here
		}
		p.seen[l.series] = v
	}
	r.values[found] = v
	for ; r.next < found; r.next++ {
		r.left = append(r.left, r.next)
	}
	r.next++
	for _, u := range r.known.uses[l.from:l.to] {
		if err := p.use(u, v); err != nil {
			return 0, err
		}
	}
	return end + 1, nil
}

// hashedAtOnce is the length in bytes up to which what a known line hashes is hashed without
// a look for the end of the page's line: 130 is usual, and a search for every line would
// cost 6 % of a page's time.
const hashedAtOnce = 512

// find returns the index of the expected line or the one after, -1 when the page begins
// with neither. It reads no more of the page than the page's first line, or hashedAtOnce
// bytes: short lines where long ones are expected cost no more than others.
func (r *recollection) find(seed maphash.Seed, page []byte) int {
	for i := r.next; i < min(r.next+2, len(r.known.lines)); i++ {
		l := &r.known.lines[i]
		n := int(l.length)
		if n >= len(page) || n > hashedAtOnce && bytes.IndexByte(page[:n], '\n') >= 0 {
			continue
		}
		if maphash.Bytes(seed, page[:n]) == l.hash {
			return i
		}
	}
	return -1
}

// use does what a known line with the value v is for.
func (p *Parser) use(u use, v float64) error {
	t := &p.totals[u.row]
	switch u.what {
	case declares:
		t.declared = true
		return nil
	case foldsNumber:
		v = u.number
		fallthrough
	case folds:
		return t.add(p.current.rows[u.row].Fold, u.rank, v)
	default:
	}
	t.n++
	switch u.what {
	case addsBucket:
		return t.hist.addBucket(u.number, v)
	case addsTop:
		t.hist.inf, t.hist.topped = t.hist.inf+v, t.hist.topped+1
	case addsSum:
		t.hist.sum, t.hist.summed = t.hist.sum+v, t.hist.summed+1
	case addsCount:
		t.hist.count, t.hist.counted = t.hist.count+v, t.hist.counted+1
	default: // of a histogram, and none of its parts
	}
	return nil
}

// list adds the series of all lines that were recalled to those seen, before the first
// series that is not known is compared with them.
func (p *Parser) list() {
	r := &p.r
	if r.known == nil || r.listed {
		return
	}
	r.listed = true
	left := r.left
	for i, l := range r.known.lines[:r.next] {
		if len(left) > 0 && left[0] == i {
			left = left[1:]
		} else if l.series != 0 {
			p.seen[l.series] = r.values[i]
		}
	}
}

// note adds a use of the present line to the draft.
func (p *Parser) note(u use) {
	if d := p.r.draft; d != nil {
		d.uses = append(d.uses, u)
	}
}

// learn ends a line of the draft; read reports whether it is a series that is read.
func (p *Parser) learn(line []byte) {
	r := &p.r
	d := r.draft
	if d == nil {
		return
	}
	key, number := cutValue(line)
	// A number that is not the last token, or does not stand behind a blank, makes the
	// line one that is always parsed.
	odd := r.series != 0 && (p.sample.after > 0 || len(number) != p.sample.length) ||
		len(key) == 0 || len(key) > math.MaxUint16 || line[0] != '#' && isComment(line)
	if odd || r.vary || len(d.lines) > maxLines {
		d.uses = d.uses[:r.begun]
	} else {
		d.lines = append(d.lines, knownLine{
			hash: maphash.Bytes(p.tables.seed, key), series: r.series, length: uint16(len(key)), comment: line[0] == '#',
			from: uint16(r.begun), to: uint16(len(d.uses)),
		})
	}
	r.begun, r.series, r.vary = len(d.uses), 0, false
}

// isComment reports whether a line is one, blanks before it aside.
func isComment(line []byte) bool { return bytes.HasPrefix(skipBlank(line), []byte{'#'}) }
