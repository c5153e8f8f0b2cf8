package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// document has the table of packages, whose third column is written from the rules.
const document = "docs/ARCHITECTURE.md"

// packageRow is a row of that table: packages, what lives there, imports.
var packageRow = regexp.MustCompile("^\\| (`(?:pkg|cmd)/[^|]*) \\| (.*) \\|[^|]*\\|$")

// writeDoc writes the imports of every package into the document, and reports what it
// changed, so that a check fails once and the next one passes.
func writeDoc() ([]string, error) {
	text, err := os.ReadFile(document)
	if err != nil {
		return nil, err
	}
	fresh, findings := withImports(text)
	if bytes.Equal(fresh, text) {
		return findings, nil
	}
	findings = append(findings, document+": the column of imports was not that of hack/archcheck/imports.go; it was written anew, commit it")
	return findings, os.WriteFile(document, fresh, 0o644) //nolint:gosec a document that everybody may read
}

// withImports returns the document with the third column as the rules have it, and a
// finding for each package that has a rule and no row, or a row and no rule.
func withImports(text []byte) (fresh []byte, findings []string) {
	lines, seen := strings.Split(string(text), "\n"), map[string]bool{}
	for i, line := range lines {
		row := packageRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		rules, unknown := rulesOf(row[1])
		for _, r := range rules {
			seen[r.pkg] = true
		}
		if len(unknown) > 0 {
			findings = append(findings, fmt.Sprintf("%s: %s has no rule in hack/archcheck/imports.go", document, strings.Join(unknown, ", ")))
			continue
		}
		lines[i] = fmt.Sprintf("| %s | %s | %s |", row[1], row[2], importsCell(rules))
	}
	for _, r := range architecture() {
		if !seen[r.pkg] {
			findings = append(findings, fmt.Sprintf("%s: %s has no row in the table of packages", document, r.pkg))
		}
	}
	return []byte(strings.Join(lines, "\n")), findings
}

// rulesOf are the rules of the packages that a first cell names: a name that begins with
// "/" is below the first one.
func rulesOf(cell string) (rules []rule, unknown []string) {
	all, first := architecture(), ""
	for _, name := range strings.Split(cell, ", ") {
		name = strings.Trim(name, "`")
		if strings.HasPrefix(name, "/") {
			name = first + name
		} else if first == "" {
			first = name
		}
		i := slices.IndexFunc(all, func(r rule) bool { return r.pkg == name })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		rules = append(rules, all[i])
	}
	return rules, unknown
}

// importsCell is what the packages of one row import of this repository, without each other.
func importsCell(rules []rule) string {
	var names []string
	pure := true
	for _, r := range rules {
		pure = pure && r.pure
		for _, p := range r.repo {
			if slices.ContainsFunc(rules, func(r rule) bool { return r.pkg == p }) {
				continue
			}
			names = append(names, strings.TrimPrefix(p, "pkg/"))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(names) == 0 && pure:
		return "none, standard library only"
	case len(names) == 0:
		return "none"
	case pure:
		return strings.Join(names, ", ") + ", and the standard library only"
	}
	return strings.Join(names, ", ")
}
