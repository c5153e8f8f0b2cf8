package trace

import (
	"strings"
	"time"
)

// lately is the last date but for its seconds, as text and as a time: the next
// row mostly differs in the seconds only, and time.Parse is slow.
type lately struct {
	minute, zone string
	at           time.Duration
}

// remember takes a date that time.Parse has read.
func (l *lately) remember(s string, t time.Time) {
	const minute, second = len("2006-01-02 15:04:"), len("2006-01-02 15:04:05")
	if len(s) < second || s[minute-4] != ':' || s[minute-1] != ':' {
		return
	}
	zone := strings.TrimLeft(s[second:], ".0123456789")
	if strings.HasPrefix(zone, ",") { // decimals after a comma
		return
	}
	l.minute, l.zone = strings.Clone(s[:minute]), strings.Clone(zone)
	l.at = time.Duration(t.UnixNano()) - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond())
}

// read reads a date of the same minute and zone, with up to nine decimals of
// seconds; false leaves it to time.Parse.
func (l *lately) read(s string) (time.Duration, bool) {
	s, same := strings.CutPrefix(s, l.minute)
	s, zone := strings.CutSuffix(s, l.zone)
	decimals := len(s) - len("05.")
	if !same || !zone || l.minute == "" || decimals < -1 || decimals == 0 || decimals > 9 || decimals > 0 && s[2] != '.' {
		return 0, false
	}
	since, unit := time.Duration(0), 10*time.Second
	for i := range len(s) {
		if i == 2 {
			continue
		}
		digit := s[i] - '0'
		if digit > 9 {
			return 0, false
		}
		since += time.Duration(digit) * unit
		unit /= 10
	}
	return l.at + since, since < time.Minute
}
