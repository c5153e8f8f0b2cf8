package collector

// Key names what the collector reads: the pods of a Revision, those of an InferencePool
// that are not Knative's, or those of an InferencePool's endpoint picker.
type Key struct {
	Kind            Kind `json:",omitzero"`
	Namespace, Name string
}

// Kind is the kind of object that a Key names; the zero Kind is Revision.
type Kind uint8

const (
	// Revision is a Knative Revision, which has the name of its PodAutoscaler.
	Revision Kind = iota
	// Pool is an InferencePool.
	Pool
	// Picker is the endpoint picker of the InferencePool that the Key names.
	Picker
)

// String returns the word for logs and metrics.
func (k Kind) String() string { return [...]string{"revision", "pool", "picker"}[k] }

// MarshalText is for logs.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
