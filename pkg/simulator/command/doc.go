// Package command is `ipa simulate`: flags in, a table, JSON
// and an HTML report out. It only wires; what it calls decides nothing about
// flags, and nothing here decides about replicas.
package command
