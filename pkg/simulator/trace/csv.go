package trace

import (
	"bufio"
	"errors"
	"io"
	"time"
)

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
