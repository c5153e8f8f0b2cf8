package playground

import (
	"slices"
	"time"

	asmetrics "knative.dev/serving/pkg/autoscaler/metrics"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
	"github.com/knative-inference/autoscaler-adapter/pkg/window"
)

// watch gives the collector the addresses of the metrics endpoints.
func (w *World) watch() {
	w.collector.Watch(collector.Spec{Key: revision, Engine: "vllm", Port: 8000, StableWindow: window.KnativeStable,
		PanicWindow: window.KnativePanic})
}

// follow renews the pods' pages from the last observation, and reports whether
// the set of pods is another; w.mu is held.
func (w *World) follow(now time.Time) (changed bool) {
	report := w.fleet.Now()-w.reported >= time.Duration(float64(reportEvery)*w.control.Speed)
	pods := make([]collector.Pod, 0, len(w.last.Pods))
	next := pages{byIP: map[string]page{}, byName: map[string]page{}}
	for _, p := range w.last.Pods {
		pod := w.pod(p, now)
		pods = append(pods, pod)
		if !pod.Ready {
			continue
		}
		if report {
			w.report(p)
		}
		one := page{pod: p, stat: w.stats[p.Name]}
		next.byIP[pod.IP], next.byName[pod.Name] = one, one
	}
	if report {
		w.reported = w.fleet.Now()
	}
	w.pagesMu.Lock()
	w.pages = next
	w.pagesMu.Unlock()
	changed = !slices.Equal(pods, w.pods)
	w.pods = pods
	if changed {
		w.forget()
	}
	return changed
}

// forget drops what was kept of pods that are gone; w.mu is held.
func (w *World) forget() {
	here := make(map[string]bool, len(w.pods))
	for _, p := range w.pods {
		here[p.Name] = true
	}
	for name := range w.created {
		if !here[name] {
			delete(w.created, name)
			delete(w.addresses, name)
			delete(w.counted, name)
			delete(w.stats, name)
		}
	}
}

// pod is a simulated pod as the cluster would show it.
func (w *World) pod(p decider.Pod, now time.Time) collector.Pod {
	if _, ok := w.created[p.Name]; !ok {
		w.created[p.Name] = now.Add(-time.Duration(float64(p.Age) / w.control.Speed))
		w.addresses[p.Name] = address(w.addressed)
		w.addressed++
	}
	return collector.Pod{
		Name: p.Name, UID: p.Name, IP: w.addresses[p.Name], Ready: p.Phase == decider.Ready,
		Created: w.created[p.Name], ReadyAfter: p.ReadyAfter, Unschedulable: p.Unschedulable,
	}
}

// report renews what a pod's queue-proxy says of the last second.
func (w *World) report(p decider.Pod) {
	if !p.Running.Known() || !p.Waiting.Known() {
		return // not scraped yet: the last report stands
	}
	inside := float64(p.Running) + float64(p.Waiting)
	came := inside
	if p.Totals.Known && p.Totals.Finished.Known() {
		came += float64(p.Totals.Finished)
	}
	before, known := w.counted[p.Name]
	w.counted[p.Name] = came
	if !known {
		before = came
	}
	seconds := (w.fleet.Now() - w.reported).Seconds()
	w.stats[p.Name] = asmetrics.Stat{
		PodName: p.Name, AverageConcurrentRequests: inside, RequestCount: max(came-before, 0) / max(seconds, .1),
		ProcessUptime: p.Age.Seconds(),
	}
}
