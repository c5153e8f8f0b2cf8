// Command figures measures the form of a tree of Go code and of its documents:
//
//	go run ./hack/figures            this tree
//	go run ./hack/figures DIR        another one, such as a worktree of an older commit
//
// It prints a table in Markdown: the length of files and functions, parameters, nesting, comments,
// tests by code, circles among the files of a package, and words that this project's documents
// avoid. docs/house.md has the figures of two commits and says what each is.
package main

import (
	"fmt"
	"os"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	m, err := measure(os.DirFS(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
	fmt.Print(m.table())
}
