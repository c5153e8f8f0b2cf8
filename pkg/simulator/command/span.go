package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// span is a flag's duration, 0 or more: as Go writes it, or in days.
type span time.Duration

// Set reads 90s, 1h30m or 2d.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
		if !(n >= 0 && n <= 3650) {
			err = strconv.ErrRange
		}
	}
	if err != nil || d < 0 {
		return fmt.Errorf("write a duration of 0 or more with its unit, such as 500ms, 120s, 1h30m or 2d")
	}
	*s = span(d)
	return nil
}

// String writes 2m0s as 2m, and 0 so that the help has no default.
func (s *span) String() string {
	if *s == 0 {
		return "0"
	}
	text := time.Duration(*s).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Type is the word in the help.
func (s *span) Type() string { return "duration" }
