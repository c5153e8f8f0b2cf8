package main

import "strings"

// kindDirty is a table of one load with traffic and metrics endpoints that are
// not tidy: a column per flag of simulate.
const kindDirty = "dirty"

// dirt is the flags, each at a value that was reported from the field; the first column is without.
func dirt() []struct{ name, flag string } {
	return []struct{ name, flag string }{
		{"clean", ""},
		{"3 tokens a step", "--tokens-per-step=3"},
		{"50 % hang up", "--abort=0.5"},
		{"16 prompts a request", "--prompts-per-request=16"},
		{"100 other requests/s", "--other-requests=100"},
		{"2 ranks", "--ranks=2"},
		{"endpoint takes 1.3 s", "--metrics-delay=1300ms"},
		{"no first tokens, no gaps", "--hide=first-tokens,gaps"},
	}
}

// dirtyTables are those of the loads that the issue names: a rise from 4 to 40
// requests/s, Azure's conversations and the day of our own.
func dirtyTables(engine string) (tables []table) {
	rise := load{name: "rise", file: "../cases/loads/rise.csv", run: 0.3, bound: 0.6, args: []string{"--trace", "%s/../cases/loads/rise.csv", "--warmup", "30m"}}
	bases := []load{rise}
	for _, l := range loads() {
		if l.name == "azure23 conv x8" || l.name == "diurnal" {
			bases = append(bases, l)
		}
	}
	for _, base := range bases {
		t := table{kind: kindDirty, engine: engine, lead: "2m", seeds: 1, list: dirtyPolicies()}
		for _, d := range dirt() {
			l := base
			l.name = base.name + ": " + d.name
			if d.flag != "" {
				l.args = append(l.args[:len(l.args):len(l.args)], d.flag)
			}
			t.loads = append(t.loads, l)
		}
		tables = append(tables, t)
	}
	return tables
}

// dirtyPolicies are those of the main table without the one that is hopeless and the one that takes longest.
func dirtyPolicies() (list []string) {
	for _, p := range policies() {
		if p != hopeless && p != staticName {
			list = append(list, p)
		}
	}
	return list
}

// dirtyDocument is these tables, of the loads that were run.
func dirtyDocument(tables []table, s *store) (string, error) {
	var b strings.Builder
	for _, t := range tables {
		if t.kind != kindDirty {
			continue
		}
		if err := mainTable(&b, t, s); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
