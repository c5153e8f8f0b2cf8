package inferencegateway

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/engines"
)

// engineOf is what the template says of its engine, completed by what the
// container shows. Without any sign the name stays empty: the default holds.
func engineOf(given map[string]string, c *corev1.Container) annotations.Engine {
	// Problems of a template are reported where they are written, by the webhook.
	e, _ := annotations.ReadEngine(given)
	if e.Name == "" && c != nil {
		e.Name = engines.Detect(slices.Concat([]string{c.Image}, c.Command, c.Args)...)
	}
	return e
}
