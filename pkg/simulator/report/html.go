package report

import "io"

// WriteHTML writes one file for a browser.
func (r Report) WriteHTML(w io.Writer) error { return nil }
