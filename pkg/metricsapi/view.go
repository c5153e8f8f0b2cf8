package metricsapi

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Sample is one value with its own time and the window it covers.
type Sample struct {
	// Metric is a name out of Metrics; samples of other names are not served.
	Metric string
	// Value is in the metric's unit. NaN, infinite and negative values are taken as unknown.
	Value float64
	// Time is when the value was measured, not when it was asked for.
	Time time.Time
	// Window is the time that the value was averaged over, up to Time; 0 is an instant.
	Window time.Duration
}

// Object is one object with its known samples; unknown or stale values are absent.
// What a View returns is shared with it, so the labels and samples are only read.
type Object struct {
	Namespace, Name string
	UID             types.UID
	Labels          map[string]string
	Samples         []Sample
}

// sample finds the known value of one metric.
func (o Object) sample(metric string) (Sample, bool) {
	for _, s := range o.Samples {
		if s.Metric == metric && isKnown(s.Value) {
			return s, true
		}
	}
	return Sample{}, false
}

// Query names what a list needs. A View may leave out whatever does not match.
type Query struct {
	Resource schema.GroupResource
	// Namespace is empty for every namespace.
	Namespace string
	// Metric is the only metric that is needed; empty is all of them.
	Metric string
	// Selector is nil for every object.
	Selector labels.Selector
}

// View is what the API serves. Both methods are called concurrently and must be cheap.
type View interface {
	// Get returns one object; false when it is not known.
	Get(resource schema.GroupResource, namespace, name string) (Object, bool)
	// List returns at least the objects and samples that match, in any order.
	List(q Query) Listing
}

// Listing is what a View lists.
type Listing struct {
	Objects []Object
	// Until is how long the same question has the same answer, so that one answer may be
	// given to all who ask; zero is not at all.
	Until time.Time
}
