// Command archcheck holds the tree against its architecture:
//
//	archcheck imports   who may import whom, from the table in imports.go
//	archcheck sources   no clock, panic, global, init() or circle of files where the rules forbid it
//	archcheck doc       docs/ARCHITECTURE.md has each package with its imports; writes them
//
// It prints one line per finding: the file or package, the rule, the fix.
package main

import (
	"fmt"
	"os"
)

func main() {
	findings, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "archcheck:", err)
		os.Exit(2)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		os.Exit(1)
	}
}

func run(args []string) ([]string, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("usage: archcheck imports|sources|doc")
	}
	switch args[0] {
	case "imports":
		packages, err := listPackages()
		return append(checkImports(packages), checkUnused(packages)...), err
	case "sources":
		found, err := checkSources(os.DirFS("."))
		if err != nil {
			return found, err
		}
		circles, err := checkFiles(os.DirFS("."))
		return append(found, circles...), err
	case "doc":
		return writeDoc()
	}
	return nil, fmt.Errorf("no check %q; there are imports, sources and doc", args[0])
}
