package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// sample is one line of a page cut into its parts. The slices point into the
// page and are valid until the next line is lexed.
type sample struct {
	labels []label
	value  float64
	// length is that of the value's text, and after the number of bytes behind it.
	length, after int
}

// maxLabels is the largest number of labels of one series; vllm:cache_config_info of
// vLLM 0.32 has 37, and other series at most 8.
const maxLabels = 256

type label struct {
	name, raw []byte
	escaped   bool
}

// text returns the label's value without escapes.
func (l label) text() []byte {
	if !l.escaped {
		return l.raw
	}
	out := make([]byte, 0, len(l.raw))
	for i := 0; i < len(l.raw); i++ {
		c := l.raw[i]
		if c == '\\' && i+1 < len(l.raw) {
			i++
			if c = l.raw[i]; c == 'n' {
				c = '\n'
			}
		}
		out = append(out, c)
	}
	return out
}

// label returns the value of the named label; the last one wins, as in expfmt.
func (s *sample) label(name string) ([]byte, bool) {
	for i := len(s.labels) - 1; i >= 0; i-- {
		if string(s.labels[i].name) == name {
			return s.labels[i].text(), true
		}
	}
	return nil, false
}

// lex reads what follows the name: labels, value, and a timestamp or an
// OpenMetrics exemplar, both of which are dropped.
func (s *sample) lex(b []byte) error {
	s.labels = s.labels[:0]
	b = skipBlank(b)
	if len(b) > 0 && b[0] == '{' {
		rest, err := s.lexLabels(b[1:])
		if err != nil {
			return err
		}
		b = skipBlank(rest)
	}
	token, rest := cutToken(b)
	v, err := parseFloat(token)
	if err != nil {
		return fmt.Errorf("expected a number as value, found %.40q", token)
	}
	s.value, s.length, s.after = v, len(token), len(rest)
	return checkTail(skipBlank(rest))
}

// checkTail accepts nothing, a timestamp, an exemplar, or a timestamp with an exemplar.
func checkTail(b []byte) error {
	if len(b) == 0 || b[0] == '#' {
		return nil
	}
	token, rest := cutToken(b)
	if _, err := parseFloat(token); err != nil {
		return fmt.Errorf("expected a timestamp, found %.40q", token)
	}
	if rest = skipBlank(rest); len(rest) > 0 && rest[0] != '#' {
		return fmt.Errorf("unexpected %.40q after the timestamp", rest)
	}
	return nil
}

// lexLabels reads label pairs up to and including the closing brace.
func (s *sample) lexLabels(b []byte) ([]byte, error) {
	for {
		b = skipBlank(b)
		if len(b) > 0 && b[0] == '}' {
			return b[1:], nil
		}
		n := labelNameEnd(b)
		if n == 0 {
			return nil, fmt.Errorf("expected a label name, found %.40q", b)
		}
		l := label{name: b[:n]}
		b = skipBlank(b[n:])
		if len(b) == 0 || b[0] != '=' {
			return nil, fmt.Errorf("expected '=' after label %.40s", l.name)
		}
		b = skipBlank(b[1:])
		if len(b) == 0 || b[0] != '"' {
			return nil, fmt.Errorf("expected '\"' at the value of label %.40s", l.name)
		}
		end, escaped, err := quotedEnd(b[1:])
		if err != nil {
			return nil, fmt.Errorf("label %.40s: %w", l.name, err)
		}
		l.raw, l.escaped = b[1:1+end], escaped
		if len(s.labels) == maxLabels {
			return nil, errLabels
		}
		s.labels = append(s.labels, l)
		b = skipBlank(b[end+2:])
		switch {
		case len(b) > 0 && b[0] == ',':
			b = b[1:]
		case len(b) > 0 && b[0] == '}':
			return b[1:], nil
		default:
			return nil, fmt.Errorf("expected ',' or '}' after label %.40s", l.name)
		}
	}
}

var (
	errOpenQuote = errors.New("the value's closing quote is missing")
	errLabels    = fmt.Errorf("a series has more than %d labels", maxLabels)
	errEscape    = errors.New(`only \\, \" and \n may follow a backslash`)
)

// quotedEnd returns the length of a quoted value whose opening quote was read.
func quotedEnd(b []byte) (end int, escaped bool, err error) {
	end = bytes.IndexByte(b, '"')
	if end < 0 {
		return 0, false, errOpenQuote
	}
	first := bytes.IndexByte(b[:end], '\\')
	if first < 0 {
		return end, false, nil
	}
	for i := first; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, true, nil
		case '\\':
			if i++; i == len(b) || b[i] != '\\' && b[i] != '"' && b[i] != 'n' {
				return 0, true, errEscape
			}
		}
	}
	return 0, true, errOpenQuote
}

// parseFloat reads what expfmt reads: Go's floats without hexadecimal
// exponents and underscores. The conversion to string does not allocate.
func parseFloat(b []byte) (float64, error) {
	if v, ok := parseInteger(b); ok {
		return v, nil
	}
	if bytes.ContainsAny(b, "pP_") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(string(b), 64)
}

// parseInteger reads what most values are, digits with perhaps ".0" behind
// them, exactly: 15 digits fit a float64.
func parseInteger(b []byte) (float64, bool) {
	b = bytes.TrimSuffix(b, []byte(".0"))
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	v := int64(0)
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		v = 10*v + int64(c-'0')
	}
	return float64(v), true
}

func cutToken(b []byte) (token, rest []byte) {
	for i, c := range b {
		if c == ' ' || c == '\t' {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

func skipBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// nameEnd returns the length of the metric name at the start of b.
func nameEnd(b []byte) int {
	for i, c := range b {
		if !isLetter(c) && c != ':' && (i == 0 || !isDigit(c)) {
			return i
		}
	}
	return len(b)
}

func labelNameEnd(b []byte) int {
	for i, c := range b {
		if !isLetter(c) && (i == 0 || !isDigit(c)) {
			return i
		}
	}
	return len(b)
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || c == '_' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// typeLine begins a line that declares the type of a family.
var typeLine = []byte("# TYPE ")

// typeName returns the family that a "# TYPE name type" line declares, or nil.
func typeName(line []byte) []byte {
	rest, ok := bytes.CutPrefix(line, typeLine)
	if !ok {
		return nil
	}
	rest = skipBlank(rest)
	return rest[:nameEnd(rest)]
}
