package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// The families of an activator's page that count the requests that it holds, and one that
// every activator has.
const (
	activatorQueued = "kn_revision_request_queued"
	activatorActive = "kn_revision_request_active"
	activatorMark   = "kn_activator_"
	targetInfo      = "target_info"
)

// maxActivatorRevisions bounds the revisions of one page: OpenTelemetry keeps those of
// revisions that are gone.
const maxActivatorRevisions = 100_000

// readActivator reads what an activator holds, by revision. Revisions without a request
// are left out. A page that is not an activator's is an error.
func readActivator(page io.Reader, limit int64) (map[Key]activatorHeld, error) {
	held := map[Key]activatorHeld{}
	limited := &io.LimitedReader{R: page, N: limit + 1}
	lines := bufio.NewReaderSize(limited, 16<<10)
	isActivator := false
	for {
		line, err := lines.ReadSlice('\n')
		whole := err == nil || errors.Is(err, io.EOF)
		if whole && len(line) > 0 {
			isActivator = isActivator || bytes.HasPrefix(line, []byte(activatorMark)) || bytes.HasPrefix(line, []byte(targetInfo)) && bytes.Contains(line, []byte(`"activator"`))
			if err := addActivatorLine(held, line); err != nil {
				return nil, err
			}
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull): // no line that is read is so long
		case errors.Is(err, io.EOF) && limited.N <= 0:
			return nil, failed(causeTooLarge, "the page is larger than %d bytes", limit)
		case errors.Is(err, io.EOF):
			if !isActivator {
				return nil, failed("not_engine", "the page is not that of an activator")
			}
			return held, nil
		default:
			return nil, err
		}
	}
}

// addActivatorLine adds one line of the page.
func addActivatorLine(held map[Key]activatorHeld, line []byte) error {
	queued := bytes.HasPrefix(line, []byte(activatorQueued+"{"))
	if !queued && !bytes.HasPrefix(line, []byte(activatorActive+"{")) {
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
	if n <= 0 { // counters that began in the middle of a request may be below
		return nil
	}
	labels := string(line[bytes.IndexByte(line, '{')+1 : end])
	rev := Key{Namespace: label(labels, "k8s_namespace_name"), Name: label(labels, "kn_revision_name")}
	if rev.Namespace == "" || rev.Name == "" {
		return failed("parse", "a line without a revision: %.60q", line)
	}
	if _, known := held[rev]; !known && len(held) >= maxActivatorRevisions {
		return failed(causeTooLarge, "requests of more than %d revisions", maxActivatorRevisions)
	}
	h := held[rev]
	if queued {
		h.queued += n
	} else {
		h.active += n
	}
	held[rev] = h
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
