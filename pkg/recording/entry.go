package recording

import (
	"fmt"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/decider"
)

// Format and Version are those of the files that this package writes.
const (
	Format  = "ipa-recording"
	Version = 1
)

// Header is the first line of a file.
type Header struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Adapter string    `json:"adapter"`
	Began   time.Time `json:"began"`
}

func (h Header) validate() error {
	if h.Format != Format {
		return fmt.Errorf("format is %q instead of %q: this is no recording of autoscaler-adapter --record", h.Format, Format)
	}
	if h.Version != Version {
		return fmt.Errorf("version is %d, this program reads %d: replay it with the adapter that wrote it (%s)", h.Version, Version, h.Adapter)
	}
	return nil
}

// Entry is one decision on one revision.
type Entry struct {
	// Revision is namespace/name.
	Revision string `json:"rev"`
	// Spec is nil when it is that of the entry before.
	Spec *decider.Spec `json:"spec,omitempty"`
	// State is what the decision began with; nil when it is what the entry before left.
	State       *decider.State      `json:"state,omitempty"`
	Observation decider.Observation `json:"obs"`
	// Replicas and Reason are what Decide answered.
	Replicas int32          `json:"replicas"`
	Reason   decider.Reason `json:"reason"`
	// Discarded is true if the answer was not used: between two ticks a count
	// may only rise. The state of before then goes on.
	Discarded bool `json:"discarded,omitempty"`
}
