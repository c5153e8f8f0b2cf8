package annotations

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is how a value is written.
type Kind interface {
	// Doc says it in Markdown.
	Doc() string
}

// parser is a Kind whose values the table reads. The error names the value and what
// may be written.
type parser[T any] interface {
	Parse(v string) (T, error)
}

// Duration is a duration from Min to Max, both included.
type Duration struct {
	Min, Max time.Duration
	// Millis allows whole milliseconds only.
	Millis bool
	// Example is a value of the usual size, Why what an extreme value means.
	Example, Why string
}

// Parse reads a duration as Go writes it.
func (k Duration) Parse(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < k.Min || d > k.Max {
		text := fmt.Sprintf("%q is not a duration from %s to %s, such as %q", v, short(k.Min), short(k.Max), k.Example)
		if k.Why != "" {
			text += " (" + k.Why + ")"
		}
		return 0, errors.New(text)
	}
	if k.Millis && d%time.Millisecond != 0 {
		return 0, fmt.Errorf("%q is finer than a millisecond; use whole milliseconds", v)
	}
	return d, nil
}

// Doc is the range.
func (k Duration) Doc() string { return fmt.Sprintf("`%s` to `%s`", short(k.Min), short(k.Max)) }

// short writes a duration without units that are 0: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Number is a number from Min to Max, both included.
type Number struct {
	Min, Max float64
	// What the number is, and a value of the usual size.
	What, Example string
}

// Parse reads a number; NaN is none.
func (k Number) Parse(v string) (float64, error) {
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= k.Min && n <= k.Max) {
		return 0, fmt.Errorf("%q is not %s in [%v, %v], such as %q", v, k.What, k.Min, k.Max, k.Example)
	}
	return n, nil
}

// Doc is what the number is, with its range.
func (k Number) Doc() string { return fmt.Sprintf("%s, %v to %v", k.What, k.Min, k.Max) }

// Whole is a whole number from Min to Max, both included.
type Whole struct{ Min, Max int32 }

// Parse reads a whole number.
func (k Whole) Parse(v string) (int32, error) {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || int32(n) < k.Min || int32(n) > k.Max {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, k.Min, k.Max)
	}
	return int32(n), nil
}

// Doc is the range.
func (k Whole) Doc() string { return fmt.Sprintf("%d to %d", k.Min, k.Max) }

// Words is one of some words.
type Words struct {
	// List lists them.
	List func() []string
	// Empty allows the empty value, which means the default.
	Empty bool
	// Meant returns the word of the list that a user means by another word, or ""; nil suggests by spelling only.
	Meant func(string) string
	// Fix is what else can be done about a wrong word.
	Fix string
}

func words(list ...string) Words { return Words{List: func() []string { return list }} }

// Parse returns the word.
func (k Words) Parse(v string) (string, error) {
	if list := k.List(); !slices.Contains(list, v) && (v != "" || !k.Empty) {
		return "", fmt.Errorf("%q is not one of %s%s%s", v, quoted(list, ", "), k.suggested(v), k.Fix)
	}
	return v, nil
}

// Doc lists the words.
func (k Words) Doc() string { return "`" + strings.Join(k.List(), "`, `") + "`" }

// Bool is true or false.
type Bool struct{}

// Parse reads nothing but the two words.
func (Bool) Parse(v string) (bool, error) {
	word, err := words("true", "false").Parse(v)
	return word == "true", err
}

// Doc lists the words.
func (Bool) Doc() string { return words("true", "false").Doc() }

// Text is a value that the package which uses it parses itself, into a type of its own. Form
// says how it is written, in Markdown.
type Text struct{ Form string }

// Doc is the form.
func (k Text) Doc() string { return k.Form }

func quoted(list []string, separator string) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = strconv.Quote(w)
	}
	return strings.Join(out, separator)
}

// suggested names the word that was probably meant.
func (k Words) suggested(v string) string {
	best := closest(v, k.List())
	if k.Meant != nil {
		best = cmp.Or(k.Meant(v), best)
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
