package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// audit counts the adapter's requests to the API server, from its audit log.
type audit struct {
	path   string
	offset int64
}

// calls are the requests of a phase.
type calls struct {
	Total int
	// Peak is the most within one second.
	Peak int
	// ByKind counts by verb and resource, for example "list pods"; Top is its largest.
	ByKind map[string]int
}

// next counts what the log has that no earlier call counted.
func (a *audit) next() (c calls) {
	c.ByKind = map[string]int{}
	f, err := os.Open(a.path)
	if err != nil {
		return c
	}
	defer f.Close()
	if _, err := f.Seek(a.offset, io.SeekStart); err != nil {
		return c
	}
	perSecond := map[int64]int{}
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return c // a line that is not whole is read the next time
		}
		a.offset += int64(len(line))
		var e struct {
			Verb, Stage              string
			RequestURI               string
			RequestReceivedTimestamp time.Time
			ObjectRef                struct{ Resource, Subresource string }
		}
		if json.Unmarshal(line, &e) != nil || e.Verb == "watch" && e.Stage == "ResponseComplete" {
			continue
		}
		kind := e.Verb + " " + cmp.Or(e.ObjectRef.Resource, "other")
		if e.ObjectRef.Subresource != "" {
			kind += "/" + e.ObjectRef.Subresource
		}
		c.Total++
		c.ByKind[kind]++
		perSecond[e.RequestReceivedTimestamp.Unix()]++
		c.Peak = max(c.Peak, perSecond[e.RequestReceivedTimestamp.Unix()])
	}
}

// top are the most frequent kinds.
func (c calls) top(n int) []string {
	kinds := slices.SortedFunc(maps.Keys(c.ByKind),
		func(a, b string) int { return cmp.Or(c.ByKind[b]-c.ByKind[a], cmp.Compare(a, b)) })
	return kinds[:min(n, len(kinds))]
}
