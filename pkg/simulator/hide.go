package simulator

import (
	"fmt"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// hideable is something that the metrics endpoint of an engine may not report.
type hideable struct {
	name, about string
	hide        func(*decider.Pod)
}

// hideables are what Config.Hide can name.
func hideables() []hideable {
	noHistogram := decider.Histogram{Count: decider.Unknown(), Sum: decider.Unknown()}
	return []hideable{
		{"running", "requests that run", func(p *decider.Pod) {
			p.Running = decider.Unknown()
			changeFullest(p, func(f *decider.FullestRank) { f.Running = decider.Unknown() })
		}},
		{"queue", "requests that wait in the engine", func(p *decider.Pod) {
			p.Waiting = decider.Unknown()
			changeFullest(p, func(f *decider.FullestRank) { f.Waiting = decider.Unknown() })
		}},
		{"kv", "usage of the KV cache", func(p *decider.Pod) { p.KVCache = decider.Unknown() }},
		{"kv-capacity", "size of the KV cache", func(p *decider.Pod) { p.Totals.KVCapacity = decider.Unknown() }},
		{"steps", "steps of the scheduler", func(p *decider.Pod) { p.Totals.Steps = decider.Unknown() }},
		{"finished", "requests that finished", func(p *decider.Pod) { p.Totals.Finished = decider.Unknown() }},
		{"preemptions", "requests that were preempted", func(p *decider.Pod) { p.Totals.Preemptions = decider.Unknown() }},
		{"prompt-tokens", "tokens of prompts", func(p *decider.Pod) {
			p.PromptTokens, p.Totals.PromptTokens = decider.Unknown(), decider.Unknown()
			p.Totals.Fullest = decider.FullestRank{}
		}},
		{"cached-tokens", "tokens that the prefix cache had", func(p *decider.Pod) { p.Totals.CachedTokens = decider.Unknown() }},
		{"generation-tokens", "tokens of answers", func(p *decider.Pod) {
			p.GenerationTokens, p.Totals.GenerationTokens = decider.Unknown(), decider.Unknown()
		}},
		{"first-tokens", "histogram of the time to the first token", func(p *decider.Pod) { p.Totals.TTFT = noHistogram }},
		{"gaps", "histogram of the time between two outputs", func(p *decider.Pod) { p.Totals.ITL = noHistogram }},
		{"end-to-end", "histogram of the time from arrival to the last token", func(p *decider.Pod) { p.Totals.E2E = noHistogram }},
		{"queue-time", "histogram of the time in the engine's queue", func(p *decider.Pod) { p.Totals.QueueTime = noHistogram }},
		{"prefill-time", "histogram of the time from the queue to the first token", func(p *decider.Pod) { p.Totals.PrefillTime = noHistogram }},
		{"prompt-lengths", "histogram of the tokens of prompts", func(p *decider.Pod) { p.Totals.PromptLengths = noHistogram }},
		{"all", "everything: there is no metrics endpoint", func(p *decider.Pod) {
			p.Running, p.Waiting, p.KVCache = decider.Unknown(), decider.Unknown(), decider.Unknown()
			p.PromptTokens, p.GenerationTokens, p.Totals = decider.Unknown(), decider.Unknown(), decider.Totals{}
		}},
	}
}

// changeFullest changes the fullest rank of a pod that has one.
func changeFullest(p *decider.Pod, change func(*decider.FullestRank)) {
	if f := &p.Totals.Fullest; *f != (decider.FullestRank{}) {
		change(f)
	}
}

// HideableNames are what Config.Hide can name.
func HideableNames() (names []string) {
	for _, h := range hideables() {
		names = append(names, h.name)
	}
	return names
}

// Hideables lists what Config.Hide can name, a line each.
func Hideables() string {
	var b strings.Builder
	for _, h := range hideables() {
		fmt.Fprintf(&b, "%-18s %s\n", h.name, h.about)
	}
	return b.String()
}

// hiding is what is hidden of every pod.
type hiding struct {
	hides []func(*decider.Pod)
	// inFlight is set when nobody can add up what runs and what waits.
	inFlight bool
}

func newHiding(names []string) (h hiding, err error) {
next:
	for _, name := range names {
		for _, one := range hideables() {
			if one.name == name {
				h.hides = append(h.hides, one.hide)
				h.inFlight = h.inFlight || name == "running" || name == "queue" || name == "all"
				continue next
			}
		}
		return h, fmt.Errorf("config: Hide names %q; it must be of %s", name, strings.Join(HideableNames(), ", "))
	}
	return h, nil
}

// of hides of a pod what is to be hidden.
func (h *hiding) of(p *decider.Pod) {
	for _, hide := range h.hides {
		hide(p)
	}
}
