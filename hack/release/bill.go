package main

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// component is a module in CycloneDX.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// document is as much of CycloneDX 1.5 as a scanner of vulnerabilities reads. It has
// no time and no serial number, so that the same source gives the same bytes.
type document struct {
	Format   string `json:"bomFormat"`
	Spec     string `json:"specVersion"`
	Version  int    `json:"version"`
	Metadata struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

// bill lists what the linker wrote into a binary: Go itself and every module that is
// linked in, with its version and the hash of its source.
func bill(info *debug.BuildInfo, version string) (string, error) {
	d := document{Format: "CycloneDX", Spec: "1.5", Version: 1}
	d.Metadata.Component = component{Type: "application", Name: info.Main.Path, Version: version}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	d.Components = []component{{Type: "library", Name: "stdlib", Version: goVersion, PURL: "pkg:golang/stdlib@" + goVersion}}
	deps := slices.Clone(info.Deps)
	slices.SortFunc(deps, func(a, b *debug.Module) int { return cmp.Compare(a.Path, b.Path) })
	for _, m := range deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version}
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
		if err != nil {
			return "", fmt.Errorf("the sum %q of %s: %w", m.Sum, m.Path, err)
		}
		if len(sum) > 0 { // a module that a directory replaces has none
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum)}}
		}
		d.Components = append(d.Components, c)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return string(text) + "\n", err
}
