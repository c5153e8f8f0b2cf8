package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// The families of an activator's page that count the requests that it holds, the mean number
// of the last second, and one that every activator has.
const (
	activatorQueued      = "kn_revision_request_queued"
	activatorActive      = "kn_revision_request_active"
	activatorConcurrency = "kn_revision_request_concurrency"
	activatorMark        = "kn_activator_"
	targetInfo           = "target_info"
)

// maxActivatorRevisions bounds the revisions of one page: OpenTelemetry keeps those of
// revisions that are gone.
const maxActivatorRevisions = 100_000

// activatorPage is one reading of an activator.
type activatorPage struct {
	// held is what the counters say, without revisions of which they count no request.
	held map[Key]activatorHeld
	// reports is true where the page has concurrencies, busy the revisions whose is not 0.
	reports bool
	busy    map[Key]bool
}

// readActivator reads an activator's page. A page that is not an activator's is an error.
func readActivator(page io.Reader, limit int64) (activatorPage, error) {
	read := activatorPage{held: map[Key]activatorHeld{}, busy: map[Key]bool{}}
	limited := &io.LimitedReader{R: page, N: limit + 1}
	lines := bufio.NewReaderSize(limited, 16<<10)
	isActivator := false
	for {
		line, err := lines.ReadSlice('\n')
		whole := err == nil || errors.Is(err, io.EOF)
		if whole && len(line) > 0 {
			isActivator = isActivator || bytes.HasPrefix(line, []byte(activatorMark)) || bytes.HasPrefix(line, []byte(targetInfo)) && bytes.Contains(line, []byte(`"activator"`))
			if err := read.add(line); err != nil {
				return activatorPage{}, err
			}
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull): // no line that is read is so long
		case errors.Is(err, io.EOF) && limited.N <= 0:
			return activatorPage{}, failed(causeTooLarge, "the page is larger than %d bytes", limit)
		case errors.Is(err, io.EOF):
			if !isActivator {
				return activatorPage{}, failed("not_engine", "the page is not that of an activator")
			}
			return read, nil
		default:
			return activatorPage{}, err
		}
	}
}

// add adds one line of the page.
func (p *activatorPage) add(line []byte) error {
	family, _, _ := bytes.Cut(line, []byte("{"))
	name := string(family)
	if name != activatorQueued && name != activatorActive && name != activatorConcurrency {
		return nil
	}
	end := bytes.LastIndexByte(line, '}')
	if end < 0 {
		return failed("parse", "a line without labels: %.60q", line)
	}
	value, _, _ := strings.Cut(strings.TrimSpace(string(line[end+1:])), " ")
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !(n >= -maxRequests && n <= maxRequests) {
		return failed(causeImplausible, "the page has the value %.30q", value)
	}
	p.reports = p.reports || name == activatorConcurrency
	if n <= 0 { // counters that began in the middle of a request may be below
		return nil
	}
	labels := string(line[bytes.IndexByte(line, '{')+1 : end])
	rev := Key{Namespace: label(labels, "k8s_namespace_name"), Name: label(labels, "kn_revision_name")}
	if rev.Namespace == "" || rev.Name == "" {
		return failed("parse", "a line without a revision: %.60q", line)
	}
	if len(p.held)+len(p.busy) >= maxActivatorRevisions {
		return failed(causeTooLarge, "requests of more than %d revisions", maxActivatorRevisions)
	}
	h := p.held[rev]
	switch name {
	case activatorConcurrency:
		p.busy[rev] = true
		return nil
	case activatorQueued:
		h.queued += n
	default:
		h.active += n
	}
	p.held[rev] = h
	return nil
}

// label returns the value of a label of Prometheus' text format. Names of Kubernetes need
// no escapes.
func label(labels, name string) string {
	for rest := labels; ; {
		at := strings.Index(rest, name+`="`)
		if at < 0 {
			return ""
		}
		value, _, closed := strings.Cut(rest[at+len(name)+2:], `"`)
		if closed && (at == 0 || rest[at-1] == ',') {
			return value
		}
		rest = rest[at+len(name)+2:]
	}
}
