package policy

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// number is an option that is a number within limits.
type number struct {
	to          *float64
	least, most float64
}

// String is the value as it would be written.
func (n number) String() string {
	if n.to == nil { // package flag asks a zero value
		return ""
	}
	return strconv.FormatFloat(*n.to, 'g', -1, 64)
}

// Set reads the value.
func (n number) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= n.least && x <= n.most) { // NaN fails too
		return fmt.Errorf("it must be a number between %g and %g", n.least, n.most)
	}
	*n.to = x
	return nil
}

// count is an option that is a whole number within limits.
type count struct {
	to          *int32
	least, most int32
}

// String is the value as it would be written.
func (c count) String() string {
	if c.to == nil {
		return ""
	}
	return strconv.Itoa(int(*c.to))
}

// Set reads the value.
func (c count) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || int32(n) < c.least || int32(n) > c.most {
		return fmt.Errorf("it must be a whole number between %d and %d", c.least, c.most)
	}
	*c.to = int32(n)
	return nil
}

// span is an option that is a duration within limits.
type span struct {
	to          *time.Duration
	least, most time.Duration
}

// String is the value as it would be written.
func (s span) String() string {
	if s.to == nil {
		return ""
	}
	return s.to.String()
}

// Set reads the value.
func (s span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < s.least || d > s.most {
		return fmt.Errorf("it must be a duration between %v and %v, like 90s", s.least, s.most)
	}
	*s.to = d
	return nil
}

// choice is an option that is one of some words.
type choice struct {
	to  *string
	all []string
}

// String is the value as it would be written.
func (c choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

// Set reads the value.
func (c choice) Set(s string) error {
	if !slices.Contains(c.all, s) {
		return fmt.Errorf("it must be one of %s", strings.Join(c.all, ", "))
	}
	*c.to = s
	return nil
}

// setOptions reads "a=1,b=2" into the options of a policy.
func setOptions(options *flag.FlagSet, text string) error {
	if text == "" {
		return nil
	}
	for item := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		switch {
		case options.Lookup(name) == nil:
			return fmt.Errorf("policy %s: no option %q; there is %s", options.Name(), name, optionNames(options))
		case !ok:
			return fmt.Errorf("policy %s: option %s has no value; write %s=%s", options.Name(), name, name, options.Lookup(name).DefValue)
		}
		if err := options.Set(name, value); err != nil {
			return fmt.Errorf("policy %s: %s=%s: %w", options.Name(), name, value, err)
		}
	}
	return nil
}

func optionNames(options *flag.FlagSet) string {
	var names []string
	options.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
