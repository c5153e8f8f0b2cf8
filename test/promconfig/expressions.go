package promconfig

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// Expression is one PromQL expression that users get from us.
type Expression struct {
	File  string
	Line  int // where its block or YAML document begins
	Name  string
	Text  string
	Alert bool // returns nothing while all is well
}

// String returns FILE:LINE: TEXT.
func (e Expression) String() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// places are the folders and files that users read or install, below the root.
var places = []string{"README.md", "KNOWN_ISSUES.md", "docs", "config", "examples"}

// Expressions finds all of them: fenced blocks of promql, in which an empty line ends an
// expression; expr and query in YAML, in files and in fenced blocks; expr in JSON dashboards.
// PromQL about our metrics elsewhere in a document is an error.
func Expressions(root string) ([]Expression, error) {
	var all []Expression
	for _, place := range places {
		err := filepath.WalkDir(filepath.Join(root, place), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			found, err := inFile(rel, string(text))
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func inFile(name, text string) ([]Expression, error) {
	switch filepath.Ext(name) {
	case ".md":
		return inDocument(name, text)
	case ".yaml":
		return inYAML(name, text, 1)
	case ".json":
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return inValue(Expression{File: name, Line: 1}, v), nil
	}
	return nil, nil
}

// block is a fenced block of a document; line is that of its first line.
type block struct {
	language, text string
	line           int
}

func blocks(document string) (all []block) {
	var open *block
	for i, line := range strings.Split(document, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{language: strings.TrimSpace(fence), line: i + 2}
		case isFence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

// strayQuery is a function of PromQL on a metric of ours, an engine's or a picker's.
var strayQuery = regexp.MustCompile(`\b(rate|increase|sum|max|min|avg|absent|histogram_quantile)\b[^|.;]*\(\s*(ipa_|vllm:|inference_)`)

func inDocument(name, text string) ([]Expression, error) {
	var all []Expression
	outside := text
	for _, b := range blocks(text) {
		switch b.language {
		case "promql":
			all = append(all, inPromQL(name, b)...)
		case "yaml":
			found, err := inYAML(name, b.text, b.line)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		default:
			continue
		}
		outside = strings.Replace(outside, b.text, "", 1)
	}
	if stray := strayQuery.FindString(outside); stray != "" {
		return nil, fmt.Errorf("%s: %q is PromQL outside of a promql or yaml block, where no test sees it", name, stray)
	}
	return all, nil
}

// inPromQL reads a block in which comments name the expressions below them.
func inPromQL(file string, b block) (all []Expression) {
	for _, part := range strings.Split(b.text, "\n\n") {
		e := Expression{File: file, Line: b.line}
		for _, line := range strings.Split(part, "\n") {
			if comment, ok := strings.CutPrefix(line, "#"); ok {
				e.Name = strings.TrimSpace(e.Name + comment)
				continue
			}
			e.Text = strings.TrimSpace(e.Text + " " + strings.TrimSpace(line))
		}
		if e.Text != "" {
			all = append(all, e)
		}
	}
	return all
}

func inYAML(file, text string, line int) (all []Expression, err error) {
	for _, doc := range strings.Split(text, "\n---\n") {
		var v any
		if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		all = append(all, inValue(Expression{File: file, Line: line}, v)...)
		line += strings.Count(doc, "\n") + 2
	}
	return all, nil
}

// inValue looks for the keys expr and query in decoded YAML or JSON.
func inValue(at Expression, v any) (all []Expression) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			all = append(all, inValue(at, item)...)
		}
	case map[string]any:
		for _, key := range []string{"expr", "query"} {
			text, ok := v[key].(string)
			if !ok {
				continue
			}
			e := at
			e.Text = strings.TrimSpace(text)
			e.Name, e.Alert = v["alert"].(string)
			all = append(all, e)
		}
		for _, item := range v {
			all = append(all, inValue(at, item)...)
		}
	}
	return all
}
