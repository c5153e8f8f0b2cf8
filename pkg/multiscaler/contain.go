package multiscaler

import (
	"fmt"
	"runtime/debug"

	"github.com/knative-inference/autoscaler-adapter/pkg/collector"
)

// contain is deferred around what is done with one revision's data. A panic is logged
// with its stack, counted as where, and handed to then; the other revisions go on.
func (m *MultiScaler) contain(r collector.Key, where string, then func(why string)) {
	cause := recover()
	if cause == nil {
		return
	}
	why := fmt.Sprint(cause)
	m.Log.Error("internal error contained; please report it with this line", "namespace", r.Namespace, "revision", r.Name,
		"where", where, "panic", why, "stack", string(debug.Stack()))
	m.Metrics.Panicked(where)
	then(why)
}
