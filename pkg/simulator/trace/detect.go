package trace

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// table is a CSV format with one request a row.
type table struct {
	time, input, output string
	// failedWithoutOutput leaves out rows with 0 output tokens.
	failedWithoutOutput bool
}

func tables() map[string]table {
	return map[string]table{
		"azure":    {time: "TIMESTAMP", input: "ContextTokens", output: "GeneratedTokens"},
		"burstgpt": {time: "Timestamp", input: "Request tokens", output: "Response tokens", failedWithoutOutput: true},
		"vidur":    {time: "arrived_at", input: "num_prefill_tokens", output: "num_decode_tokens"},
	}
}

// detect returns the format by the first line, without consuming it.
func detect(in *bufio.Reader, o Options) (string, error) {
	if bom, _ := in.Peek(3); string(bom) == ByteOrderMark {
		in.Discard(3) // cannot fail: they are in the buffer
	}
	if err := packed(in); err != nil {
		return "", err
	}
	first, err := in.Peek(1 << 16)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := lineEnds(first); err != nil {
		return "", err
	}
	known := []string{"azure", "burstgpt", "vidur", "mooncake", "rate", "csv"}
	switch {
	case slices.Contains(known, o.Format):
		return o.Format, nil
	case o.Format != "" && o.Format != "auto":
		return "", fmt.Errorf("format %q; it must be auto or one of %s", o.Format, strings.Join(known, ", "))
	case len(o.Columns) > 0:
		return "csv", nil
	}
	line, _, _ := bytes.Cut(first, []byte("\n"))
	switch begin := bytes.TrimSpace(line); {
	case bytes.HasPrefix(begin, []byte("{")):
		return "mooncake", nil
	case bytes.HasPrefix(begin, []byte("[")):
		return "", errors.New("line 1: a JSON array; write one object a line: jq -c '.[]' FILE | ipa simulate --trace -")
	}
	head := csv.NewReader(bytes.NewReader(line))
	head.Comma = rune(separator(line))
	header, err := head.Read()
	if err != nil {
		return "", errors.New("line 1: neither JSON nor a CSV header; name the format, or name the columns")
	}
	return detectTable(trimmed(header))
}

// lineEnds is an error of a file without lines.
func lineEnds(first []byte) error {
	switch {
	case len(first) == 0:
		return errors.New("it is empty")
	case bytes.Count(first, []byte("\r")) > 1 && !bytes.Contains(first, []byte("\n")):
		return errors.New(`its lines end with CR alone; convert them: tr '\r' '\n' < FILE | ipa simulate --trace -`)
	}
	return nil
}

// packed is an error that says how to unpack what is no text.
func packed(in *bufio.Reader) error {
	for _, p := range []struct{ magic, fix string }{
		{"\x1f\x8b", "gzip; unpack it: zcat FILE | ipa simulate --trace -"},
		{"\x28\xb5\x2f\xfd", "zstd; unpack it: zstdcat FILE | ipa simulate --trace -"},
		{"PK\x03\x04", "a zip archive, or a spreadsheet; unpack it, or save the sheet as CSV"},
		{"PAR1", "Parquet; write it as CSV"},
		{"\xff\xfe", "UTF-16; save it as UTF-8"}, {"\xfe\xff", "UTF-16; save it as UTF-8"},
	} {
		if begin, _ := in.Peek(len(p.magic)); string(begin) == p.magic {
			return errors.New("this is " + p.fix)
		}
	}
	return nil
}

func detectTable(header []string) (string, error) {
	has := func(column string) bool { return slices.Contains(header, column) }
	for format, t := range tables() {
		if has(t.time) && has(t.input) && has(t.output) {
			return format, nil
		}
	}
	if has("t_s") && slices.ContainsFunc(rateColumns(), has) {
		return "rate", nil
	}
	if !slices.ContainsFunc(header, func(s string) bool { _, err := strconv.ParseFloat(s, 64); return err != nil }) {
		return "", fmt.Errorf("line 1: %s are no names of columns; write a line with names above, and name them with "+
			"--columns time=A,input=B,output=C", listed(header))
	}
	return "", fmt.Errorf("line 1: columns %s belong to no known format; name them with --columns time=A,input=B,output=C",
		listed(header))
}

// listed is a header for people: no more of it than a screen shows.
func listed(header []string) string {
	const names, letters = 20, 60
	short := slices.Clone(header[:min(len(header), names)])
	for i, s := range short {
		if len(s) > letters {
			short[i] = s[:letters] + "..."
		}
	}
	text := fmt.Sprintf("%q", short)
	if more := len(header) - len(short); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// separator is what stands between the fields of a table that begins so: commas,
// or, as spreadsheets write them, semicolons or tabs, whichever its first line has
// most of outside of quotes.
func separator(begin []byte) byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(begin, "\r\n"), []byte("\n"))
	best, most := byte(','), 0
	for _, c := range []byte{',', ';', '\t'} {
		n, quoted := 0, false
		for _, b := range line {
			switch {
			case b == '"':
				quoted = !quoted
			case b == c && !quoted:
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	return best
}

// trimmed is a header without the blanks that people write after commas.
func trimmed(header []string) []string {
	header = slices.Clone(header)
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	return header
}
