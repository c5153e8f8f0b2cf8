package charts

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The vendored files are those of the npm package; see uplot/README.md.
func TestVendored(t *testing.T) {
	for name, want := range map[string]string{
		"uplot/uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		"uplot/uPlot.min.css":     "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: SHA-256 %s, want %s", name, got, want)
		}
	}
}

// A page is one file without the network, and a script element ends at its end tag.
func TestOneFile(t *testing.T) {
	all := string(CSS()) + string(JS())
	for _, not := range []string{"</script", "</style", "<!--", "@import", "url(", "fetch(", "XMLHttpRequest"} {
		if strings.Contains(all, not) {
			t.Errorf("%q in the code of the charts", not)
		}
	}
	if !strings.HasPrefix(string(JS()), notice) || !strings.HasPrefix(string(CSS()), notice) {
		t.Error("uPlot's notice is missing")
	}
}
