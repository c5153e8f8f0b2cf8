// Package engines knows each inference engine by name: how it is recognised, where
// its metrics endpoint is, what its metrics mean, and what an endpoint picker can use
// of them. The collector, the gateway and the documents read it; nothing else names an
// engine. An engine is one file of this package:
//
//	var _ = register(Engine{Name: "my-engine", Prefix: "my_engine_", Rows: []Row{...}})
//
// with a page that its metrics endpoint served in ../collector/engine/testdata. The
// house rule against registration is bent here so that a new engine touches no list:
// the variable is set before main begins, and no engine can be added later.
package engines

import (
	"cmp"
	"slices"
	"strings"
)

// Engine is all that this program knows of one inference engine. Values are shared
// and must not be changed.
type Engine struct {
	// Name is what users write in knative-inference.dev/engine.
	Name string
	// Also lists other names of the engine, in lower case. A message that refuses one of them suggests Name.
	Also []string
	// Prefix begins the names of the engine's metrics; the engine is recognised by it.
	Prefix string
	// General engines have metric names that other programs use too: pages are compared
	// with them last, and each page anew.
	General bool
	// Signs recognise the engine by its container: all words of one sign occur in
	// image, command or arguments. The longest sign of all engines counts.
	Signs []Sign
	// Path is where the metrics endpoint is, "" for /metrics.
	Path string
	// Port serves the metrics endpoint, 0 for the port of the requests.
	Port int
	// Ranks are the labels that distinguish data-parallel ranks of one pod, for the folds that
	// need them: series that differ in one of them are of two ranks.
	Ranks []string
	// Rows say how the metrics become the fields of a sample.
	Rows []Row
	// Protocol is what requests look like.
	Protocol Protocol
	Picker   Picker
	Doc      Doc
}

// Sign is words that occur together.
type Sign []string

// Protocol is what the requests of an engine look like.
type Protocol int

const (
	// OpenAI has JSON bodies and paths under /v1.
	OpenAI Protocol = iota
	// KServeV2 is Triton's own: the path names the model, the body is not OpenAI's.
	KServeV2
)

// Picker is what an endpoint picker can use of an engine. The picker gets
// these names when it does not know the engine itself; "" is a metric that is not there.
type Picker struct {
	// Scorers are plugins of the picker whose input the engine has.
	Scorers []string
	// Waiting, Running and KVUsage name gauges.
	Waiting, Running, KVUsage string
}

// The picker's plugins that score pods.
const (
	QueueScorer       = "queue-scorer"
	KVCacheScorer     = "kv-cache-utilization-scorer"
	PrefixCacheScorer = "prefix-cache-scorer"
	LoRAScorer        = "lora-affinity-scorer"
)

// Doc is what docs/metrics.md says besides what the rows show.
type Doc struct {
	// Needs says what must be set on the engine, such as "with `--metrics`".
	Needs string
	// Remarks replace the table's "yes" or "unknown" in the column of a field.
	Remarks map[Field]string
}

// DefaultPath is where most engines have their metrics endpoint.
const DefaultPath = "/metrics"

// MetricsPath is where the engine's metrics endpoint is.
func (e Engine) MetricsPath() string { return cmp.Or(e.Path, DefaultPath) }

// Endpoint is where the metrics endpoint of a pod is: the port and path that the user named (0 and ""
// for none), else the engine's own, else the port that serves requests, and the usual path. Every part
// of the program asks here.
func (e Engine) Endpoint(namedPort int, namedPath string, requestPort int) (port int, path string) {
	return cmp.Or(namedPort, e.Port, requestPort), cmp.Or(namedPath, e.MetricsPath())
}

// Has reports whether a field can be read from the engine's metrics.
func (e Engine) Has(f Field) bool {
	return slices.ContainsFunc(e.Rows, func(r Row) bool { return r.Field == f })
}

// registered has every engine in the order in which pages are compared with them.
var registered []Engine

// register adds an engine. It is called while the program's variables are set.
func register(e Engine) Engine { //nolint:unparam a package variable needs a value
	registered = append(registered, e)
	slices.SortFunc(registered, func(a, b Engine) int {
		return cmp.Or(compareBool(a.General, b.General), cmp.Compare(a.Name, b.Name))
	})
	return e
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// All lists the engines in the order in which a page is compared with them.
func All() []Engine { return slices.Clone(registered) }

// Names lists the names of all engines, sorted.
func Names() []string {
	names := make([]string, 0, len(registered))
	for _, e := range registered {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// Meant returns the name of the engine that has another name (Also), or "" if there is none.
func Meant(word string) string {
	for _, e := range registered {
		if slices.Contains(e.Also, strings.ToLower(word)) {
			return e.Name
		}
	}
	return ""
}

// ByName finds an engine. Of one that is not known it returns the zero value, whose
// metrics endpoint is where most engines have theirs.
func ByName(name string) (e Engine, known bool) {
	i := slices.IndexFunc(registered, func(e Engine) bool { return e.Name == name })
	if i < 0 {
		return Engine{}, false
	}
	return registered[i], true
}

// Detect returns the name of the engine whose longest sign occurs in the words of a
// container: its image, command and arguments. It returns "" without any sign.
func Detect(words ...string) string {
	text := strings.Join(words, " ")
	name, longest := "", 0
	for _, e := range registered {
		for _, s := range e.Signs {
			if n := s.length(); n > longest && s.occurs(text) {
				name, longest = e.Name, n
			}
		}
	}
	return name
}

func (s Sign) length() (n int) {
	for _, word := range s {
		n += len(word)
	}
	return n
}

func (s Sign) occurs(text string) bool {
	return !slices.ContainsFunc(s, func(word string) bool { return !strings.Contains(text, word) })
}
