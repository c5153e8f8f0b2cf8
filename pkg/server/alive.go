package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/multiscaler"
)

// standstill is how long a loop may take for one round before the kubelet restarts the
// program: a loop decides every 2 s, and one that waits 30 s waits for good.
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

// allAlive joins what the parts say.
func allAlive(parts []part) func() error {
	return func() error {
		var errs []error
		for _, p := range parts {
			if p.alive != nil {
				errs = append(errs, p.alive())
			}
		}
		return errors.Join(errs...)
	}
}
