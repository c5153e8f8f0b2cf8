package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// variants is the number of different pages; pod i has page i modulo variants.
const variants = 8

// pageFile is what a real vLLM 0.32.0 reported under load.
const pageFile = "pkg/collector/engine/testdata/vllm-0.32.0-loaded.prom.txt"

// response is one page as it goes over the wire, uncompressed as the adapter asks for it.
type response []byte

// pageSet is the pages of one second: of resting pods and of pods with a burst.
type pageSet struct{ steady, burst [variants]response }

// template is a page whose values are replaced.
type template struct{ lines []templateLine }

type templateLine struct {
	text string
	// value is that of the file; rendering adds to a counter what the file's
	// value grows by in a minute.
	value            float64
	counter          bool
	running, waiting bool
}

var counterName = regexp.MustCompile(`^[a-z_:]+(_total|_count|_sum|_bucket)(\{| )`)

func readTemplate(root string) (*template, error) {
	b, err := os.ReadFile(root + "/" + pageFile)
	if err != nil {
		return nil, fmt.Errorf("reading a real page (run this in the repository): %w", err)
	}
	t := &template{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if strings.HasPrefix(line, "#") || at < 0 || err != nil {
			t.lines = append(t.lines, templateLine{text: line})
			continue
		}
		t.lines = append(t.lines, templateLine{
			text: line[:at+1], value: v, counter: counterName.MatchString(line),
			running: strings.HasPrefix(line, "vllm:num_requests_running{"), waiting: strings.HasPrefix(line, "vllm:num_requests_waiting{"),
		})
	}
	return t, nil
}

// Requests in the engine of a resting pod and of a pod with a burst.
const (
	steadyRunning = 3
	burstRunning  = 90
)

// render makes the pages of a time since the start.
func (t *template) render(since time.Duration) *pageSet {
	set := &pageSet{}
	for v := range variants {
		for running, to := range map[float64]*response{steadyRunning: &set.steady[v], burstRunning: &set.burst[v]} {
			page := t.page(since.Minutes()*(1+float64(v)/variants), running)
			*to = overHTTP("text/plain; version=0.0.4; charset=utf-8", page)
		}
	}
	return set
}

// page renders one page after that many minutes.
func (t *template) page(minutes, running float64) []byte {
	b := make([]byte, 0, 64<<10)
	for _, l := range t.lines {
		b = append(b, l.text...)
		switch {
		case l.running:
			b = strconv.AppendFloat(b, running, 'g', -1, 64)
		case l.waiting:
			b = append(b, '0')
		case l.counter:
			b = strconv.AppendFloat(b, float64(int64(l.value*(1+minutes))), 'g', -1, 64)
		case l.text != "" && strings.HasSuffix(l.text, " "):
			b = strconv.AppendFloat(b, l.value, 'g', -1, 64)
		}
		b = append(b, '\n')
	}
	return b
}

func overHTTP(kind string, body []byte) []byte {
	return append(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", kind, len(body)), body...)
}
