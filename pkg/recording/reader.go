package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// maxLine bounds one entry in bytes: about 10,000 pods.
const maxLine = 64 << 20

// Open reads a file's entries; see Read.
func Open(file string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer f.Close()
		for e, err := range Read(f, file) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// Read returns the entries of a recording, once. An error names the file and
// the line and is the last element. A file that ends in the middle of a line,
// because it is still being written or its writer was killed, just ends there.
func Read(r io.Reader, name string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		packed, err := gzip.NewReader(r)
		if err != nil {
			yield(Entry{}, fmt.Errorf("%s: not a recording (gzip): %w", name, err))
			return
		}
		lines := &lineReader{in: bufio.NewReaderSize(packed, 64<<10), name: name}
		if err := lines.header(); err != nil {
			yield(Entry{}, err)
			return
		}
		for {
			var e Entry
			err := lines.next(&e)
			if err == io.EOF { //nolint:errorlint a wrapped EOF is a line that ends early, an error
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

type lineReader struct {
	in   *bufio.Reader
	name string
	n    int
}

func (l *lineReader) header() error {
	var h Header
	if err := l.decode(&h, false); err == io.EOF { //nolint:errorlint a wrapped EOF is a line that ends early
		return fmt.Errorf("%s: the recording is empty", l.name)
	} else if err != nil {
		return err
	}
	if err := h.validate(); err != nil {
		return fmt.Errorf("%s:1: %w", l.name, err)
	}
	return nil
}

func (l *lineReader) next(e *Entry) error {
	if err := l.decode(e, true); err != nil {
		return err
	}
	if e.Revision == "" {
		return fmt.Errorf("%s:%d: rev is missing: this line is no decision", l.name, l.n)
	}
	return nil
}

func (l *lineReader) decode(v any, strict bool) error {
	line, err := l.read()
	if err != nil {
		return err
	}
	l.n++
	d := json.NewDecoder(bytes.NewReader(line))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s:%d: %w", l.name, l.n, err)
	}
	return nil
}

// read returns the next whole line; io.EOF also when only a part of one is left.
func (l *lineReader) read() ([]byte, error) {
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%s:%d: longer than %d bytes", l.name, l.n+1, maxLine)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("%s:%d: %w", l.name, l.n+1, err)
		}
	}
}
