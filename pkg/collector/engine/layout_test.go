package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// never does not stop a parser.
func never() bool { return false }

// like parses a page with a layout that was learned from another one.
func like(t testing.TB, tables *Tables, learned, page []byte) (Stat, int, error) {
	t.Helper()
	p, err := tables.NewParser("", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var layout Layout
	var s Stat
	_ = p.ParseLike(&layout, never, learned, &s)
	slow := 0
	err = p.ParseLike(&layout, func() bool { slow = p.r.slow; return false }, page, &s)
	return s, slow, err
}

// checkLike holds that a layout changes neither values nor errors.
func checkLike(t *testing.T, learned, page []byte) {
	t.Helper()
	tables := NewTables()
	p, err := tables.NewParser("", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var want Stat
	_ = p.Parse(learned, &want) // an engine that was detected is looked for first
	werr := p.Parse(page, &want)
	got, _, err := like(t, tables, learned, page)
	if fmt.Sprint(err) != fmt.Sprint(werr) {
		t.Fatalf("error %v, without a layout %v\nlearned:\n%.500q\npage:\n%.500q", err, werr, learned, page)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-without +with a layout:\n%s\nlearned:\n%.500q\npage:\n%.500q", diff, learned, page)
	}
}

// Whatever page was learned, every page means what it means.
func TestLayout_changesNoMeaning(t *testing.T) {
	var all [][]byte
	for _, page := range pages(t) {
		all = append(all, page, bytes.ReplaceAll(page, []byte(" 1\n"), []byte(" 7\n")), bytes.ReplaceAll(page, []byte("\n"), []byte("\r\n")))
		half := bytes.SplitAfter(page, []byte("\n"))
		all = append(all, bytes.Join(half[len(half)/2:], nil), bytes.Join(append(half[:len(half)/3:len(half)/3], half[len(half)/2:]...), nil), append(page[:len(page):len(page)], page...))
	}
	for _, page := range oddPages {
		all = append(all, []byte(page))
	}
	for _, page := range []string{ // learned as one thing, and then another
		"vllm:num_requests_running 5 5\n", "vllm:num_requests_running 5 6\n", "vllm:num_requests_running 6\t1\n",
		"  # TYPE vllm:num_requests_running\n  # TYPE inf\n", "  # TYPE inf\nvllm:num_requests_waiting 1\n",
		"vllm:num_requests_running{a=\"b c\"}5\n", "vllm:num_requests_running{a=\"b c\"}6\n", "vllm:num_requests_running{a=\"b d\"}6\n",
		"vllm:num_requests_running x\n", "vllm:num_requests_running\n", "vllm:num_requests_running 1 # {} 2\n",
		"vllm:num_requests_running{a=\"1\"} 1\nvllm:num_requests_running{a=\"2\"} 2\nvllm:num_requests_running{a=\"1\"} 3\n",
		"vllm:num_requests_running{a=\"1\"} 1\nvllm:num_requests_running{a=\"2\"} 2\nvllm:num_requests_running{a=\"3\"} 3\n",
		"vllm:num_requests_running{a=\"2\"} 1\nvllm:num_requests_running{a=\"1\"} 2\nvllm:num_requests_running{a=\"2\"} 3\n",
		"vllm:num_requests_running{a=\"4\"} 1\nvllm:num_requests_running{a=\"3\"} 2\nvllm:num_requests_running{a=\"3\"} 2\n",
	} {
		all = append(all, []byte(page))
	}
	for i, learned := range all {
		for j, page := range all {
			if i == j || len(page)+len(learned) < 1000 || i%17 == j%17 {
				checkLike(t, learned, page)
			}
		}
	}
}

// A page that differs from the learned one in its values, and in a line here and there,
// is not parsed anew.
func TestLayout_recalls(t *testing.T) {
	page := string(pages(t)["vllm-0.32.0-loaded.prom.txt"])
	lines := strings.SplitAfter(page, "\n")
	without := append(append([]string{}, lines[:200]...), lines[201:]...)
	with := append(append(append([]string{}, lines[:200]...), "another_family 1\nvllm:num_requests_running{engine=\"7\"} 1\n"), lines[200:]...)
	tests := []struct {
		name, page string
		slow       int
	}{
		{"the same", page, 0},
		{"other values", strings.ReplaceAll(page, ".0\n", "1.0\n"), 0},
		{"a line less", strings.Join(without, ""), 0},
		{"two lines more", strings.Join(with, ""), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tables := NewTables()
			_, slow, err := like(t, tables, []byte(page), []byte(tt.page))
			// The lines that list adapters are always parsed.
			if lora := strings.Count(tt.page, "\nvllm:lora_requests_info"); err != nil || slow > tt.slow+lora {
				t.Errorf("%d lines parsed, want %d and %d of adapters; %v", slow, tt.slow, lora, err)
			}
			checkLike(t, []byte(page), []byte(tt.page))
		})
	}
}

// Pages that always differ are learned less and less often.
func TestLayout_learnsSeldom(t *testing.T) {
	p, err := NewTables().NewParser("vllm", 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	var layout Layout
	var s Stat
	learned := 0
	for i := range 4000 {
		before := layout.known.Load()
		page := linesOf(40*50, fmt.Sprintf("vllm:num_requests_running{a=\"%d\",b=\"%%d\"} 1\n", i))
		if err := p.ParseLike(&layout, never, page, &s); err != nil {
			t.Fatal(err)
		}
		if layout.known.Load() != before {
			learned++
		}
	}
	if learned < 5 || learned > 15 {
		t.Errorf("learned %d times of 4000 pages, want 5 to 15", learned)
	}
}

// FuzzParseLike holds that no layout changes what a page means.
func FuzzParseLike(f *testing.F) {
	for _, page := range oddPages {
		f.Add([]byte(page), []byte(strings.ReplaceAll(page, "1", "2")))
	}
	for _, page := range pages(f) {
		if len(page) < 4000 {
			f.Add(page, bytes.ReplaceAll(page, []byte("0"), []byte("1")))
		}
	}
	f.Fuzz(func(t *testing.T, learned, page []byte) { checkLike(t, learned, page) })
}
