package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
	"github.com/knative-inference/autoscaler-adapter/pkg/collector/engine"
)

// The engines that the collector reads, those that a Service may name for its
// picker, and those of both pages are the same.
func TestEngines(t *testing.T) {
	want := slices.Sorted(slices.Values(engine.NewTables().Names()))
	if got := slices.Sorted(slices.Values(binding.Engines())); !slices.Equal(got, want) {
		t.Errorf("binding.Engines() = %v, the collector reads %v", got, want)
	}
	_, section, _ := strings.Cut(read(t, "metrics.md"), "\n## Engines\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(section, -1) {
		rows = append(rows, m[1])
	}
	if slices.Sort(rows); !slices.Equal(rows, want) {
		t.Errorf("docs/metrics.md: the table of engines has %v, want %v", rows, want)
	}
	for _, line := range strings.Split(read(t, "annotations.md"), "\n") {
		if !strings.HasPrefix(line, "| `knative-inference.dev/engine` |") {
			continue
		}
		for _, name := range want {
			if !strings.Contains(line, "`"+name+"`") {
				t.Errorf("docs/annotations.md: %s lacks the engine %s", line, name)
			}
		}
		return
	}
	t.Error("docs/annotations.md: no row of knative-inference.dev/engine")
}
