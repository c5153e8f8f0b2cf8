package trace

import (
	"bufio"
	"errors"
	"io"
	"iter"
	"slices"
)

// point is a row of a rate curve.
type point struct {
	// at is seconds, rate requests per second.
	at, rate float64
	// input and output are mean tokens, 0 for those of the length distribution.
	input, output float64
	// cv is the coefficient of variation of the gaps between requests.
	cv float64
}

type curve = iter.Seq2[point, error]

// rateColumns are the names of the rate; the first that the file has counts.
func rateColumns() []string { return []string{"rate_rps", "rpm", "rpm_mid"} }

// Bounds of a curve: a rate that a run can still end with, and gaps that are not all 0.
const (
	maxRate = 1e6
	maxCV   = 20
)

// rateTable reads the rows of a curve; a column of -1 is not there.
type rateTable struct {
	*rows
	at, rate, input, output, cv int
	// unit makes requests per second of a rate.
	unit float64
}

func readRate(in *bufio.Reader) (curve, error) {
	rows, err := newRows(in)
	if err != nil {
		return nil, err
	}
	t := rateTable{rows: rows, rate: -1, unit: 1}
	if t.at, err = rows.column("t_s"); err != nil {
		return nil, err
	}
	optional := func(name string) (i int) {
		if i = -1; err == nil && slices.Contains(rows.header, name) {
			i, err = rows.column(name)
		}
		return i
	}
	for _, name := range rateColumns() {
		if i := optional(name); i >= 0 && t.rate < 0 {
			if t.rate = i; name != "rate_rps" {
				t.unit = 1. / 60
			}
		}
	}
	t.input, t.output, t.cv = optional("mean_input_tokens"), optional("mean_output_tokens"), optional("cv")
	switch {
	case err != nil:
		return nil, err
	case t.rate < 0:
		return nil, errors.New("line 1: no column rate_rps, rpm or rpm_mid; name the rate so")
	}
	return t.points, nil
}

func (t rateTable) points(yield func(point, error) bool) {
	last, rows := -1.0, 0
	for ; ; rows++ {
		p, err := t.point()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && p.at <= last {
			err = t.wrong(t.at, "later than the row above")
		}
		if last = p.at; !yield(p, err) || err != nil {
			return
		}
	}
	if rows < 2 {
		yield(point{}, errors.New("a rate curve needs two rows at least, for it is drawn between rows"))
	}
}

func (t rateTable) point() (p point, err error) {
	if err = t.next(); err != nil {
		return p, err
	}
	p.cv = 1
	for _, f := range []struct {
		column int
		most   float64
		to     *float64
	}{{t.at, longest, &p.at}, {t.rate, maxRate, &p.rate}, {t.input, maxTokens, &p.input},
		{t.output, maxTokens, &p.output}, {t.cv, maxCV, &p.cv}} {
		if f.column < 0 {
			continue
		}
		if *f.to, err = t.number(f.column, 0, f.most); err != nil {
			return p, err
		}
	}
	p.rate *= t.unit
	return p, nil
}
