package server

import (
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/configmap"

	"github.com/knative-inference/autoscaler-adapter/pkg/liveness"
	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// standstill is how late a loop may be before the kubelet restarts the program: a loop decides
// every 2 s, and one that waits 30 s waits for good. A reconciler that waits for the API server is
// late from its own deadline on (30 s, knative.dev/pkg's), so that a slow API server restarts nothing.
const standstill = 30 * time.Second

// loopsAlive fails while the collector or a decision loop stands still. It compares
// monotonic times, so that a step of the clock restarts nothing.
func loopsAlive(ticked func() time.Time, m *multiscaler.MultiScaler) func() error {
	return func() error {
		if last := ticked(); !last.IsZero() && time.Since(last) > standstill {
			return fmt.Errorf("the collector has stood still for %v", standstill)
		}
		if rev, stuck := m.Stuck(time.Now(), standstill); stuck {
			return fmt.Errorf("the decision loop of %s/%s has stood still for %v", rev.Namespace, rev.Name, standstill)
		}
		return nil
	}
}

// liveWatcher has a Monitor see an observer of a config map that does not return: no further
// change of any config map would be seen.
type liveWatcher struct {
	configmap.DefaultingWatcher
	alive *liveness.Monitor
}

// Watch implements configmap.Watcher.
func (w liveWatcher) Watch(name string, o ...configmap.Observer) {
	w.DefaultingWatcher.Watch(name, w.watched(o)...)
}

// WatchWithDefault implements configmap.DefaultingWatcher.
func (w liveWatcher) WatchWithDefault(cm corev1.ConfigMap, o ...configmap.Observer) {
	w.DefaultingWatcher.WatchWithDefault(cm, w.watched(o)...)
}

func (w liveWatcher) watched(observers []configmap.Observer) (all []configmap.Observer) {
	for _, observe := range observers {
		all = append(all, func(cm *corev1.ConfigMap) {
			defer w.alive.Begin("an event of the config map "+cm.Name, 0)()
			observe(cm)
		})
	}
	return all
}

// allAlive joins what the Monitor and the parts say.
func allAlive(m *liveness.Monitor, parts []part) func() error {
	return func() error {
		errs := []error{m.Check(standstill)}
		for _, p := range parts {
			if p.alive != nil {
				errs = append(errs, p.alive())
			}
		}
		return errors.Join(errs...)
	}
}
