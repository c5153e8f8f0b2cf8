package annotations

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pods is a number of pods, or a share of them such as "25%", as Kubernetes writes both;
// the zero value is no limit.
type Pods string

// PodCount is a number of pods from 0, or a percentage from 0% to 100%.
type PodCount struct{}

// Parse reads the number or the percentage, and writes it without a sign or leading zeros.
func (PodCount) Parse(v string) (Pods, error) {
	digits, percent := strings.CutSuffix(v, "%")
	limit, unit := math.MaxInt32, ""
	if percent {
		limit, unit = 100, "%"
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n > uint64(limit) {
		return "", fmt.Errorf("%q is not a number of pods or a percentage from 0%% to 100%%, such as \"1\" or \"25%%\"", v)
	}
	return Pods(strconv.FormatUint(n, 10) + unit), nil
}

// Doc is the form.
func (PodCount) Doc() string { return "a number of pods, or `0%` to `100%`" }
