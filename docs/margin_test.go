package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of slo-margin in annotations.md is made of the table "One setting
// for everything" in benchmarks.md.
func TestMargin(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| ipa margin \| ([^|]+) \| (\d+) \| \d+ \| \d+ \| ([\d.]+) \| [\d.]+ \| ([\d.]+) \|$`)
	var table strings.Builder
	table.WriteString("\n| `slo-margin` | loads of 30 with 99 % | requests within the latencies, mean | GPU-hours, times the bound |\n|---|---|---|---|\n")
	found := 0
	for _, m := range row.FindAllStringSubmatch(read(t, "benchmarks.md"), -1) {
		margin := strings.Replace(m[1], "default", "1", 1)
		if slices.Contains([]string{"0.9", "1", "1.5", "2", "3", "4"}, margin) {
			found++
			table.WriteString("| `" + margin + "` | " + m[2] + " | " + m[3] + " % | " + m[4] + " |\n")
		}
	}
	if found != 6 {
		t.Fatalf("%d of 6 rows of ipa margin in benchmarks.md", found)
	}
	table.WriteString("\n")
	generated(t, "annotations.md", "margin", table.String())
}
