package main

import (
	"strings"
	"testing"
)

// TestDirtyTables: the first column is the load as it is, each other one has one
// flag more, and every cell keeps its runs in files of its own.
func TestDirtyTables(t *testing.T) {
	files := map[string]bool{}
	tables := dirtyTables(first)
	for _, table := range tables {
		clean := strings.Join(table.loads[0].args, " ")
		for i, l := range table.loads {
			name := table.cell(l).name()
			if files[name] || strings.ContainsAny(name, " %/:,") {
				t.Errorf("%q is there twice, or no name of a file", name)
			}
			files[name] = true
			if args := strings.Join(l.args, " "); i > 0 && args != clean+" "+dirt()[i].flag || i == 0 && args != clean {
				t.Errorf("%s: %s", l.name, args)
			}
		}
	}
	if len(tables) != 3 || len(files) != 3*len(dirt()) {
		t.Errorf("%d tables, %d cells", len(tables), len(files))
	}
}
