package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The table stands between these lines of the document.
const (
	begin = "<!-- table: written by hack/knativetable, do not edit -->"
	end   = "<!-- end of the table -->"
)

// row is one test with its outcomes by column.
type row struct {
	pkg, test string
	group     int // index
	by        map[string]result
}

// rows are the tests that ran, and the tests of groups.txt that never did, in the order of
// the groups.
func (b book) rows() []row {
	var all []row
	find := func(pkg, test string, group int) row {
		i := slices.IndexFunc(all, func(r row) bool { return r.pkg == pkg && r.test == test })
		if i < 0 {
			all = append(all, row{pkg, test, group, map[string]result{}})
			i = len(all) - 1
		}
		return all[i]
	}
	ran := map[string]bool{}
	for _, x := range b.results {
		find(x.Package, x.Test, b.groupOf(x)).by[x.As] = x
		ran[x.Package+" "+x.top()] = true
	}
	for i, g := range b.groups {
		for _, test := range g.tests {
			if !ran[g.pkg+" "+test] {
				find(g.pkg, test, i)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.test, b.test))
	})
	return all
}

// render returns the table with its summary.
func (b book) render() string {
	var out strings.Builder
	rows := b.rows()
	out.WriteString(summary(rows) + "\n\n")
	out.WriteString("| test | kpa | ours, `concurrency` | ours, `slo` | why not | run at |\n|---|---|---|---|---|---|\n")
	group := -1
	for _, r := range rows {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&out, "| **%s** (test/%s) | | | | | |\n", b.groups[group].name, b.groups[group].pkg)
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", r.test, r.cell(as[0]), r.cell(as[1]), r.cell(as[2]), b.why(r), r.when())
	}
	return out.String()
}

// summary counts, of the tests that kpa passes, those that ours passes.
func summary(rows []row) string {
	kpa, all, ours, ran := 0, 0, map[string]int{}, map[string]int{}
	for _, r := range rows {
		if o := r.by[as[0]].Outcome; o == passed || o == failed {
			all++
		}
		if r.by[as[0]].Outcome != passed {
			continue
		}
		kpa++
		for _, c := range as[1:] {
			if r.by[c].Outcome != "" {
				ran[c]++
			}
			if r.by[c].Outcome == passed {
				ours[c]++
			}
		}
	}
	return fmt.Sprintf("Knative's class passes %d of %d that were run. Of these, ours passes %d of %d that were run with `concurrency`, and %d of %d with `slo`.",
		kpa, all, ours[as[1]], ran[as[1]], ours[as[2]], ran[as[2]])
}

func (r row) cell(column string) string {
	x, ok := r.by[column]
	switch {
	case !ok:
		return "not run"
	case x.Outcome == failed:
		return fmt.Sprintf("**fail** %d s", x.Seconds)
	case x.Outcome == skipped:
		return "skip"
	}
	return fmt.Sprintf("pass %d s", x.Seconds)
}

// why joins the reasons of a row's failures.
func (b book) why(r row) string {
	var texts []string
	for _, reason := range b.reasons {
		for _, c := range as {
			if reason.explains(r.by[c]) && !slices.Contains(texts, reason.text) {
				texts = append(texts, reason.text)
			}
		}
	}
	return strings.ReplaceAll(strings.Join(texts, " "), "|", "\\|")
}

// when says at which commit and day a row was run; of columns that differ, each.
func (r row) when() string {
	var stamps []string
	for _, c := range as {
		x, ok := r.by[c]
		if !ok {
			continue
		}
		if s := x.Date + " `" + x.Commit + "`"; !slices.Contains(stamps, s) {
			stamps = append(stamps, s)
		}
	}
	if len(stamps) < 2 {
		return strings.Join(stamps, "")
	}
	stamps = nil
	for _, c := range as {
		if x, ok := r.by[c]; ok {
			stamps = append(stamps, c+" "+x.Date+" `"+x.Commit+"`")
		}
	}
	return strings.Join(stamps, "; ")
}

// splice returns the document with the table between its two lines replaced.
func splice(doc, table string) (string, error) {
	before, rest, ok := strings.Cut(doc, begin+"\n")
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("the document lacks the line %q or %q", begin, end)
	}
	return before + begin + "\n\n" + table + "\n" + end + after, nil
}

func (b book) write(doc string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	out, err := splice(string(text), b.render())
	if err != nil {
		return err
	}
	return os.WriteFile(doc, []byte(out), 0o644)
}

// compare says whether the document has another table than the results make.
func (b book) compare(doc string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	want, err := splice(string(text), b.render())
	if err == nil && want != string(text) {
		err = fmt.Errorf("%s is not what the results make; run: go run ./hack/knativetable", doc)
	}
	return err
}
