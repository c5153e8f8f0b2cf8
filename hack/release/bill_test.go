package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// The bill names every module of go.mod that is linked in, with the hash of its source.
func TestBill(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.10", Main: debug.Module{Path: "github.com/knative-inference/autoscaler-adapter"},
		Deps: []*debug.Module{
			{Path: "k8s.io/api", Version: "v0.35.7", Sum: "h1:AQID"},
			{Path: "golang.org/x/net", Version: "v0.1.0", Sum: "h1:AAAA", Replace: &debug.Module{Path: "example.com/net", Version: "v0.62.0", Sum: "h1:BAUG"}},
		},
	}
	text, err := bill(info, "v1")
	if err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range got.Components {
		line := c.PURL
		for _, h := range c.Hashes {
			line += " " + h.Content
		}
		all = append(all, line)
	}
	want := "pkg:golang/stdlib@1.26.10, pkg:golang/example.com/net@v0.62.0 040506, pkg:golang/k8s.io/api@v0.35.7 010203"
	if strings.Join(all, ", ") != want || got.Metadata.Component.Version != "v1" {
		t.Errorf("components %v of %v, want %s", all, got.Metadata.Component, want)
	}
	info.Deps[0].Sum = "h1:not base64!"
	if _, err := bill(info, "v1"); err == nil {
		t.Error("a broken sum is no error")
	}
}

// A real binary, this test, has a bill.
func TestOutput_bill(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := output("", "v1", "", program)
	if err != nil || !strings.Contains(text, `"bomFormat": "CycloneDX"`) || !strings.Contains(text, "pkg:golang/stdlib@") {
		t.Errorf("bill of %s: %v\n%s", program, err, text)
	}
	if _, err := output("", "v1", "", "bill.go"); err == nil {
		t.Error("a bill of something that is no binary")
	}
}
