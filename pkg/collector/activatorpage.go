package collector

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
)

// The families of an activator's page that are read: queued and active requests, their mean number in the last
// second, the start time of the process, and two by which an activator is recognised.
const (
	activatorFamilies    = "kn_revision_request_"
	activatorQueued      = activatorFamilies + "queued"
	activatorActive      = activatorFamilies + "active"
	activatorConcurrency = activatorFamilies + "concurrency"
	activatorStarted     = "process_start_time_seconds "
	activatorMark        = "kn_activator_"
	targetInfo           = "target_info"
)

// maxActivatorRevisions bounds the revisions of one page: OpenTelemetry keeps those of
// revisions that are gone.
const maxActivatorRevisions = 100_000

// activatorPage is one reading of an activator.
type activatorPage struct {
	// held has the counters of each revision that has a request.
	held map[Key]activatorHeld
	// concurrency is the mean number of requests in the last second, of each revision that has had a request.
	concurrency map[Key]float64
	// started is the page's line with the start time of the activator; "" if the page has none.
	started string
}

// readActivator reads an activator's page. A page that is not an activator's is an error.
func readActivator(page io.Reader, limit int64) (activatorPage, error) {
	read := activatorPage{held: map[Key]activatorHeld{}, concurrency: map[Key]float64{}}
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
	if bytes.HasPrefix(line, []byte(activatorStarted)) {
		p.started = string(bytes.TrimSpace(line))
	}
	if !bytes.HasPrefix(line, []byte(activatorFamilies)) {
		return nil
	}
	family, _, _ := strings.Cut(string(line), "{")
	if family != activatorQueued && family != activatorActive && family != activatorConcurrency {
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
	labels := string(line[bytes.IndexByte(line, '{')+1 : end])
	rev := Key{Namespace: label(labels, "k8s_namespace_name"), Name: label(labels, "kn_revision_name")}
	if family == activatorConcurrency {
		return p.addConcurrency(rev, n)
	}
	return p.addHeld(family, rev, n)
}

// addConcurrency adds a concurrency. That of no revision, which OpenTelemetry writes for those above
// its limit, says nothing.
func (p *activatorPage) addConcurrency(rev Key, n float64) error {
	if _, known := p.concurrency[rev]; !known && len(p.concurrency) >= maxActivatorRevisions {
		return failed(causeTooLarge, "requests of more than %d revisions", maxActivatorRevisions)
	}
	if rev.Namespace != "" && rev.Name != "" {
		p.concurrency[rev] += n
	}
	return nil
}

// addHeld adds a number of requests that are held.
func (p *activatorPage) addHeld(family string, rev Key, n float64) error {
	switch {
	case n <= 0: // counters that began in the middle of a request may be below
		return nil
	case rev.Namespace == "" || rev.Name == "":
		return failed("parse", "a line of %s without a revision", family)
	}
	h, known := p.held[rev]
	if !known && len(p.held) >= maxActivatorRevisions {
		return failed(causeTooLarge, "requests of more than %d revisions", maxActivatorRevisions)
	}
	if family == activatorQueued {
		h.queued += n
	} else {
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
