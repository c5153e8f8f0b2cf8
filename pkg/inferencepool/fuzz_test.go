package inferencepool

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// FuzzRead holds that any object of the API server is refused or becomes a Pool
// that can be read: a selector that selects something, a port of TCP, an engine.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"metadata": null, "spec": 3}`, `{"metadata": {"labels": [1], "annotations": {"a": 2}}, "spec": {"selector": {"matchLabels": {}}}}`,
		`{"spec": {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": {"number": 1}}}`,
		`{"spec": {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [null, [], {"number": "1"}, {"number": -9223372036854775808}, {"number": 65536}]}}`,
		`{"spec": {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 1.5}, {"number": 1e300}]}}`,
		`{"metadata": {"name": "x/../y", "namespace": "n", "creationTimestamp": "yesterday", "annotations": {"knative-inference.dev/metrics-port": "-0x1"}},
			"spec": {"selector": {"matchLabels": {"": "", "!": "\u0000"}}}}`,
		`{"metadata": {"annotations": {"knative-inference.dev/engine": "endpoint-picker"}}, "spec": {"selector": {"matchLabels": {"a": "b"}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(text, &u.Object) != nil {
			return
		}
		integers(u.Object)
		p, ok := Read(u)
		if !ok {
			return
		}
		if len(p.Selector) == 0 || p.Port < 0 || p.Port > maxPort || p.Engine == collector.PickerPage {
			t.Errorf("read %+v", p)
		}
		labels.SelectorFromSet(p.Selector).Matches(labels.Set(p.Labels))
		_ = p.knativeOnly() || p.Ours() || p.Key() == p.pickerKey()
	})
}

// integers makes of whole numbers the type that the API server's decoder makes of them.
func integers(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = integers(x[k])
		}
	case []any:
		for i := range x {
			x[i] = integers(x[i])
		}
	case float64:
		if x == float64(int64(x)) {
			return int64(x)
		}
	}
	return v
}
