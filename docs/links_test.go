package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Relative links in every document lead to a file, and to a heading in it.
func TestLinks(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files", "-co", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Skipf("not a git clone: %v", err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for file := range strings.FieldsSeq(string(out)) {
		file = filepath.Join("..", file)
		text, err := os.ReadFile(file)
		if err != nil {
			continue // deleted, not committed yet
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			checkLink(t, file, m[1])
		}
	}
}

func checkLink(t *testing.T, file, to string) {
	t.Helper()
	if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
		return
	}
	path, anchor, _ := strings.Cut(to, "#")
	target := file
	if path != "" {
		target = filepath.Join(filepath.Dir(file), path)
	}
	text, err := os.ReadFile(target)
	if st, statErr := os.Stat(target); statErr == nil && st.IsDir() {
		return
	}
	if err != nil {
		t.Errorf("%s: the link %s leads nowhere", file, to)
		return
	}
	if anchor != "" && !anchors(string(text))[anchor] {
		t.Errorf("%s: the link %s: no such heading", file, to)
	}
}

// anchors are the headings as a forge writes them in links.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(m[1], ""))
		found[strings.ReplaceAll(strings.TrimSpace(name), " ", "-")] = true
	}
	return found
}
