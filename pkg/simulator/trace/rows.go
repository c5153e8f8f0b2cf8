package trace

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rows reads a CSV row by row and names line and field in its errors. Plain
// rows, which are nearly all, are cut at their commas; encoding/csv, which
// shares the buffer, reads the others.
type rows struct {
	in     *bufio.Reader
	csv    *csv.Reader
	comma  byte
	header []string
	record []string
	// fields is what plain rows are cut into, plain how many there were: lines that csv does not know of.
	fields []string
	plain  int
	// last is the line on which the last row ends.
	last int
	// byPlain is true if the last row was a plain one.
	byPlain bool
	lately  lately
}

// newRows reads the header. A smaller buffer than csv's own would be read ahead of.
func newRows(in *bufio.Reader) (*rows, error) {
	first, _ := in.Peek(1 << 16) // the read below reports an error
	r := &rows{in: in, csv: csv.NewReader(in), comma: separator(first)}
	r.csv.ReuseRecord, r.csv.Comma = true, rune(r.comma)
	if err := r.nextQuoted(); err != nil {
		return nil, fmt.Errorf("line 1: no CSV header: %w", err)
	}
	r.header = trimmed(r.record)
	return r, nil
}

// column finds a column by name. Which of two columns of one name is meant is not known.
func (r *rows) column(name string) (int, error) {
	i := slices.Index(r.header, name)
	switch {
	case i < 0:
		return 0, fmt.Errorf("line 1: no column %q; the columns are %s", name, listed(r.header))
	case slices.Contains(r.header[i+1:], name):
		return 0, fmt.Errorf("line 1: two columns are named %q; rename one of them", name)
	}
	return i, nil
}

// next reads a row; io.EOF is the end.
func (r *rows) next() error {
	if r.byPlain = r.nextPlain(); r.byPlain {
		return nil
	}
	return r.nextQuoted()
}

// nextPlain reads a row that is whole in the buffer, has no quotes and as many
// fields as the header; false leaves it to encoding/csv.
func (r *rows) nextPlain() bool {
	buffered, _ := r.in.Peek(r.in.Buffered())
	end := bytes.IndexByte(buffered, '\n')
	if end < 1 || bytes.IndexByte(buffered[:end], '"') >= 0 {
		return false
	}
	line := string(bytes.TrimSuffix(buffered[:end], []byte("\r")))
	if line == "" || strings.Count(line, string(r.comma)) != len(r.header)-1 {
		return false
	}
	r.fields = r.fields[:0]
	for comma := strings.IndexByte(line, r.comma); comma >= 0; comma = strings.IndexByte(line, r.comma) {
		r.fields = append(r.fields, line[:comma])
		line = line[comma+1:]
	}
	r.fields = append(r.fields, line)
	r.in.Discard(end + 1) // cannot fail: they are in the buffer
	r.record = r.fields
	r.plain, r.last = r.plain+1, r.last+1
	return true
}

// nextQuoted reads a row by encoding/csv, which names the line in its errors.
func (r *rows) nextQuoted() (err error) {
	r.record, err = r.csv.Read()
	if wrong := new(csv.ParseError); errors.As(err, &wrong) {
		wrong.StartLine, wrong.Line = wrong.StartLine+r.plain, wrong.Line+r.plain
	}
	if err == nil {
		field := len(r.record) - 1
		r.last = r.line(field) + strings.Count(r.record[field], "\n")
	}
	return err
}

// line is where a field of the last row is.
func (r *rows) line(column int) int {
	if r.byPlain {
		return r.last
	}
	line, _ := r.csv.FieldPos(column)
	return line + r.plain
}

func (r *rows) wrong(column int, want string) error {
	return fmt.Errorf("line %d, %s: %.60q; it must be %s", r.line(column), r.header[column], r.record[column], want)
}

// maxTokens bounds a length, so that sums of them fit anywhere.
const maxTokens = 1 << 30

func (r *rows) tokens(column int) (int, error) {
	// Some writers make 12.0 of a whole number.
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(r.record[column]), ".0"))
	if err != nil || n < 0 || n > maxTokens {
		return 0, r.wrong(column, "a whole number of tokens, 0 or more")
	}
	return n, nil
}

func (r *rows) number(column int, least, most float64) (float64, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(r.record[column]), 64)
	if err != nil || !(x >= least && x <= most) { // NaN fails too
		return 0, r.wrong(column, fmt.Sprintf("a number between %g and %g", least, most))
	}
	return x, nil
}

// time reads seconds or a date.
func (r *rows) time(column int) (time.Duration, error) {
	s := strings.TrimSpace(r.record[column])
	if t, ok := r.lately.read(s); ok {
		return t, nil
	}
	if len(s) < len("2006-01-02") || s[4] != '-' { // an error costs more than a number
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			if t, err := seconds(x); err == nil {
				return t, nil
			}
		}
		return 0, r.wrong(column, wantTime+timeHint(s))
	}
	if t, ok := date(s); ok {
		r.lately.remember(s, t)
		return time.Duration(t.UnixNano()), nil
	}
	return 0, r.wrong(column, wantTime)
}

// date reads a date with or without T and zone, as databases and languages write them. Without a zone it is UTC.
func date(s string) (time.Time, bool) {
	for _, between := range []string{" ", "T"} {
		for _, zone := range []string{"", "Z07:00", "Z0700", "Z07", " UTC"} {
			if t, err := time.Parse("2006-01-02"+between+"15:04:05"+zone, s); err == nil {
				return t, t.Year() >= 1970 && t.Year() < 2200
			}
		}
	}
	return time.Time{}, false
}

const wantTime = "seconds, or a date like 2023-11-16 18:15:46.68"

// timeHint says what a time that is no number of seconds may be instead.
func timeHint(s string) string {
	x, err := strconv.ParseFloat(s, 64)
	_, comma := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	switch {
	case err == nil && x < 0:
		return "; no time is below 0"
	case err == nil && x > maxSeconds:
		return "; a number as large as this is milliseconds or less: divide it"
	case err != nil && comma == nil:
		return "; write a decimal point instead of the comma"
	}
	return ""
}
