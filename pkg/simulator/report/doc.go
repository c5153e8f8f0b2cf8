// Package report turns the results of runs into what people and programs
// read: figures, a table, JSON, and one HTML file. Every figure it gives is
// finite. It reads no clock and no file.
package report
