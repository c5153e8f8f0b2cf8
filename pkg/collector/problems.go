package collector

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector/httpget"
)

// Problem is one cause for which the metrics endpoints of some pods cannot be read.
type Problem struct {
	// Source is "engine", "queue_proxy" or "picker".
	Source string
	// Port and URI are where the page is asked for.
	Port int
	URI  string
	// Cause is one word: too_large, redirect, redirect_tls (to https on the pod), unauthorized, status, refused, timeout,
	// network, not_http (another protocol), malformed (HTTP that is not read),
	// tls (the port speaks only https), plain (it does not), parse,
	// not_engine (another program or an engine that is not known),
	// config (the engine's name is not known), wrong_pod, implausible, content_type,
	// budget (too many large pages at once), panic (a fault of the autoscaler), a TokenCause,
	// token_refused (the engine does not take the token), or token_withheld (the pod's
	// queue-proxy has not confirmed the address).
	Cause string
	// Pods is the number of Ready pods with the cause, of Ready pods in all.
	Pods, Of int
	// Since is when the first of the pods began to fail.
	Since time.Time
	// Pod is the name of one of the pods and Message its newest error, at most 200 bytes.
	Pod, Message string
}

// trouble is why and since when the scrapes of one target fail; guarded by the
// revision's mutex.
type trouble struct {
	since          time.Time
	cause, message string
	// rest is what is added to the interval before the next scrape.
	rest time.Duration
}

const (
	// firstRest and maxRest bound the time added to the interval of a target whose
	// page costs much and gives nothing. The time doubles with each such page.
	firstRest = time.Second
	maxRest   = 30 * time.Second
	// maxForeignRest bounds that of a target that is no engine as far as is known. An engine
	// that no annotation names looks the same while it loads its model.
	maxForeignRest = 10 * time.Second
	// maxMessage bounds an error in bytes.
	maxMessage = 200
)

// next returns the trouble after one more failure, of a target that may be no engine at all
// where foreign is true.
func (old *trouble) next(at time.Time, err error, foreign bool) *trouble {
	now := &trouble{since: at, cause: fineCause(err), message: short(err.Error())}
	rest := firstRest
	if old != nil {
		now.since = old.since
		rest = max(2*old.rest, firstRest)
	}
	now.rest = min(rest, longestRest(now.cause, foreign))
	return now
}

// longestRest is the most that is added to the interval after failures with the cause, 0 for none.
func longestRest(cause string, foreign bool) time.Duration {
	switch {
	case isCostly(cause):
		return maxRest
	case foreign && isOfAnotherProgram(cause):
		return maxForeignRest
	default:
		return 0
	}
}

// isCostly reports whether a failure with the cause took much memory or CPU.
func isCostly(cause string) bool { return cause == causeTooLarge || cause == causePanic }

// isOfAnotherProgram reports whether a failure with the cause is what a plain application answers.
func isOfAnotherProgram(cause string) bool {
	switch cause {
	case "not_engine", "content_type", "status", "redirect", "redirect_tls", "unauthorized", "not_http", "malformed":
		return true
	}
	return false
}

// short cuts a message that quotes what a pod sent.
func short(message string) string {
	if len(message) > maxMessage {
		message = message[:maxMessage-3] + "..."
	}
	return strings.ToValidUTF8(message, "?")
}

// fineCause is cause with status and network split up where the cures differ.
func fineCause(err error) string {
	var f failure
	if errors.As(err, &f) && f.kind != "" {
		return f.kind
	}
	if errors.Is(err, httpget.ErrNotHTTP) {
		return "not_http"
	}
	if errors.Is(err, httpget.ErrMalformed) {
		return "malformed"
	}
	return cause(err)
}

// Problems lists why metrics endpoints of a revision and of its pickers cannot be
// read, the cause with the most pods first. Since is by a wall clock that is at wall now.
// Pods whose last sample may still
// be used are left out. The list is empty for a revision that is not watched.
func (c *Collector) Problems(key Key, wall time.Time) []Problem {
	var found []Problem
	now := c.clock.now()
	for _, r := range c.withPickers(key) {
		found = r.problems(found, now)
	}
	for i := range found {
		found[i].Since = toWall(found[i].Since, now, wall)
	}
	slices.SortFunc(found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Pods, a.Pods), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Cause, b.Cause))
	})
	return found
}

// withPickers returns a watched revision with the pickers that hold its requests.
func (c *Collector) withPickers(key Key) (all []*revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range append([]Key{key}, c.pickersOf[key]...) {
		if r := c.revisions[k]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// problems appends the causes for which targets of the revision are unreadable.
func (r *revision) problems(found []Problem, now time.Time) []Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	ready, begin := 0, len(found)
	for _, p := range r.pods {
		if p.Draining {
			continue // it goes anyway; what it holds is unknown until its timeout
		}
		if p.Ready {
			ready++
		}
		for _, t := range p.targets {
			if t != nil && t.trouble != nil && !t.fresh(now) {
				found = addProblem(found, begin, t)
			}
		}
	}
	for i := range found[begin:] {
		found[begin+i].Of = ready
	}
	return found
}

// addProblem counts a target among the problems from begin on.
func addProblem(found []Problem, begin int, t *target) []Problem {
	i := begin + slices.IndexFunc(found[begin:], func(p Problem) bool {
		return p.Source == t.source.String() && p.Cause == t.trouble.cause
	})
	if i < begin {
		i = len(found)
		found = append(found, Problem{Source: t.source.String(), Port: t.port, URI: t.uri, Cause: t.trouble.cause,
			Since: t.trouble.since, Pod: t.podName, Message: t.trouble.message})
	}
	p := &found[i]
	p.Pods++
	if t.trouble.since.Before(p.Since) {
		p.Since = t.trouble.since
	}
	if t.podName < p.Pod {
		p.Pod, p.Message = t.podName, t.trouble.message
	}
	return found
}
