// Package annotations is the one table of the annotations that users write: for each
// key where it belongs, how its value is written and read, its default, and its line of
// the documents. pkg/binding, pkg/config, pkg/webhook and pkg/inferencepool read values
// through it, and the tables of docs/annotations.md and docs/inference-gateway.md are
// written from it. An annotation is one row here, and the code that uses its value.
package annotations

import (
	"fmt"
	"slices"
	"strings"
)

// Annotation is one row of the table. Rows are shared and must not be changed.
type Annotation struct {
	Key string
	// Older are spellings that mean the same.
	Older []string
	Place Place
	// OwnClass annotations are read for revisions of our class only.
	OwnClass bool
	// Only names the metrics that the annotation is for; empty is any.
	Only Metrics
	// InConfigMap is true for keys that config-inference-gateway may have as well,
	// without their domain, for the whole cluster.
	InConfigMap bool
	// Kind is how the value is written; nil where Knative's own code reads it.
	Kind Kind
	// Default is what the absence of the annotation means, as a user would write it.
	// DefaultDoc says it in Markdown where it is no such value; both are empty for none.
	Default, DefaultDoc string
	// Doc is the effect, in Markdown; empty for what the documents explain elsewhere.
	Doc string
}

// Place is where an annotation belongs.
type Place int

// The places.
const (
	// Template is spec.template of a Knative Service; Knative copies the annotation to the
	// Revision, its PodAutoscaler and its pods.
	Template Place = iota
	// Service is the metadata of a Knative Service: a change makes no new revision.
	Service
	// Ours is what the program itself writes on a PodAutoscaler.
	Ours
)

// Metrics are metrics that an annotation is for.
type Metrics string

// The metrics that some annotations are for.
const (
	AnyMetric Metrics = ""
	SLOOnly   Metrics = "slo"
	// DemandOnly is for the metrics that the queue-proxies measure.
	DemandOnly Metrics = "concurrency and rps"
)

// All lists the annotations in the order of the documents.
func All() []Annotation { return slices.Clone(table) }

var table = slices.Concat(knative(), revision(), gateway())

// ByKey finds an annotation by its key or an older spelling.
func ByKey(key string) (a Annotation, known bool) {
	i := slices.IndexFunc(table, func(a Annotation) bool { return slices.Contains(a.Keys(), key) })
	if i < 0 {
		return Annotation{}, false
	}
	return table[i], true
}

// Where lists the annotations that a condition holds for.
func Where(holds func(Annotation) bool) []Annotation {
	return slices.DeleteFunc(All(), func(a Annotation) bool { return !holds(a) })
}

// Keys lists every spelling of some annotations.
func Keys(of []Annotation) (keys []string) {
	for _, a := range of {
		keys = append(keys, a.Keys()...)
	}
	return keys
}

// Keys lists the spellings of an annotation, the one to use first.
func (a Annotation) Keys() []string { return append([]string{a.Key}, a.Older...) }

// Domain is the part of the key before the slash.
func (a Annotation) Domain() string {
	domain, _, _ := strings.Cut(a.Key, "/")
	return domain
}

// Name is the key without its domain, which is also the key in a ConfigMap.
func (a Annotation) Name() string { return strings.TrimPrefix(a.Key, a.Domain()+"/") }

// Get returns the spelling that is given, with its value; the newest one wins.
func (a Annotation) Get(given map[string]string) (key, value string, ok bool) {
	for _, key := range a.Keys() {
		if value, ok := given[key]; ok {
			return key, value, true
		}
	}
	return "", "", false
}

// Read sets to to the value of an annotation that is given, and leaves it otherwise or
// on an error. The error names the value and what may be written, and not the key.
func Read[T any](given map[string]string, key string, to *T) error {
	v, ok := given[key]
	if !ok {
		return nil
	}
	parsed, err := Parse[T](key, v)
	if err == nil {
		*to = parsed
	}
	return err
}

// Parse reads a value as the row of its key says. A type that the row does not have is
// a fault of the program.
func Parse[T any](key, v string) (T, error) {
	a, _ := ByKey(key)
	if kind, ok := a.Kind.(parser[T]); ok {
		return kind.Parse(v)
	}
	var none T
	return none, fmt.Errorf("%q: the table of annotations has no %T for %s", v, none, key)
}

// Default is the value that the absence of an annotation means: the zero value where
// the row has none.
func Default[T any](key string) T {
	a, _ := ByKey(key)
	v, _ := Parse[T](key, a.Default) //nolint:errcheck TestTable reads every default
	return v
}

// DefaultText is the default in Markdown.
func (a Annotation) DefaultText() string {
	if a.Default != "" {
		return "`" + a.Default + "`"
	}
	return a.DefaultDoc
}

// Values says in Markdown what may be written.
func (a Annotation) Values() string {
	if a.Kind == nil {
		return ""
	}
	return a.Kind.Doc()
}

// Effect is Doc with the metrics that the annotation is for.
func (a Annotation) Effect() string {
	switch a.Only {
	case SLOOnly:
		return a.Doc + "; for the metric `slo` only"
	case DemandOnly:
		return a.Doc + "; for the metrics `concurrency` and `rps` only"
	default:
		return a.Doc
	}
}
