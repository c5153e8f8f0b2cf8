package trace

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rows reads a CSV row by row and names line and field in its errors.
type rows struct {
	csv    *csv.Reader
	header []string
	record []string
}

func newRows(in *bufio.Reader) (*rows, error) {
	r := &rows{csv: csv.NewReader(in)}
	r.csv.ReuseRecord = true
	header, err := r.csv.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: no CSV header: %w", err)
	}
	r.header = trimmed(header)
	return r, nil
}

// column finds a column by name.
func (r *rows) column(name string) (int, error) {
	if i := slices.Index(r.header, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("line 1: no column %q; the columns are %q", name, r.header)
}

// next reads a row; io.EOF is the end.
func (r *rows) next() (err error) {
	r.record, err = r.csv.Read()
	return err // encoding/csv names the line
}

func (r *rows) wrong(column int, want string) error {
	line, _ := r.csv.FieldPos(column)
	return fmt.Errorf("line %d, %s: %q; it must be %s", line, r.header[column], r.record[column], want)
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
	if len(s) < len("2006-01-02") || s[4] != '-' { // an error costs more than a number
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			if t, err := seconds(x); err == nil {
				return t, nil
			}
		}
		return 0, r.wrong(column, wantTime)
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return time.Duration(t.UnixNano()), nil
		}
	}
	return 0, r.wrong(column, wantTime)
}

const wantTime = "seconds, or a date like 2023-11-16 18:15:46.68"

// inOrder is said where line and field are known; ordered checks the rest.
const inOrder = "no earlier than that of the row above; sort the file by time"

// readTable reads a CSV with one request a row.
func readTable(in *bufio.Reader, format string, columns map[string]string) (Requests, error) {
	t, known := tables()[format]
	if !known {
		t = table{time: columns["time"], input: columns["input"], output: columns["output"]}
		if t.time == "" || t.input == "" || t.output == "" {
			return nil, errors.New("columns: write --columns time=A,input=B,output=C")
		}
	}
	rows, err := newRows(in)
	if err != nil {
		return nil, err
	}
	var at [3]int
	for i, name := range []string{t.time, t.input, t.output} {
		if at[i], err = rows.column(name); err != nil {
			return nil, err
		}
	}
	return func(yield func(Request, error) bool) {
		var last time.Duration
		for {
			q, err := rows.request(at)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && q.Arrival < last {
				err = rows.wrong(at[0], inOrder)
			}
			last = q.Arrival
			if err == nil && q.Output == 0 && t.failedWithoutOutput {
				continue
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}, nil
}

// request reads a row's time, input and output.
func (r *rows) request(at [3]int) (q Request, err error) {
	if err = r.next(); err != nil {
		return q, err
	}
	if q.Arrival, err = r.time(at[0]); err != nil {
		return q, err
	}
	if q.Input, err = r.tokens(at[1]); err != nil {
		return q, err
	}
	q.Output, err = r.tokens(at[2])
	return q, err
}
