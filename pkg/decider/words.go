package decider

import (
	"math"
	"strconv"
)

// replicas is "1 replica" or "3 replicas".
func replicas(n int32) string { return count(float64(n), "replica") }

// count is a whole number with its noun.
func count(n float64, noun string) string {
	if math.Round(n) == 1 {
		return "1 " + noun
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " " + noun + "s"
}

// number writes at most two decimals, and ? for unknown.
func number(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "?"
	case math.Abs(f) >= 1e9 || f != 0 && math.Abs(f) < 0.01:
		return strconv.FormatFloat(f, 'g', 3, 64)
	}
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}

// rate has one decimal, below 1 two significant digits, and from 100 none:
// 6.0, 0.045, 1000 requests/s.
func rate(r Reading) string {
	switch f := float64(r); {
	case f != 0 && math.Abs(f) < 1:
		return strconv.FormatFloat(f, 'g', 2, 64) + " requests/s"
	case math.Abs(f) >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64) + " requests/s"
	default:
		return strconv.FormatFloat(f, 'f', 1, 64) + " requests/s"
	}
}

// percent has one decimal and is 100 only when nothing was missed.
func percent(share Reading) string {
	tenths := math.Round(float64(share) * 1000)
	if tenths >= 1000 && share < 1 {
		tenths = 999
	}
	if tenths >= 1000 {
		return "100 %"
	}
	return strconv.FormatFloat(tenths/10, 'f', 1, 64) + " %"
}

// seconds has three significant digits: 0.067 s, 1.23 s.
func seconds(r Reading) string { return strconv.FormatFloat(float64(r), 'g', 3, 64) + " s" }
