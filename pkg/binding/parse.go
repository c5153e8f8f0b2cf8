package binding

import "github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"

// Parse reads the annotations of a Knative Service's metadata. The Intent is nil
// when the Service does not ask for the gateway. With a Problem that is not a
// warning the Intent must not be acted upon. Annotations under spec.template
// are for ParseTemplate.
func Parse(namespace, name string, annotations map[string]string, d Defaults) (*Intent, []Problem) {
	if annotations[inference.AIGatewayKey] != inference.Enabled && annotations[inference.ACKGatewayKey] != inference.Enabled {
		return nil, nil
	}
	in := Intent(d)
	in.Namespace, in.Service = namespace, name
	return &in, nil
}

// ParseTemplate reads the annotations under spec.template of a Knative Service,
// which are also those of its revisions. Autoscaling annotations are pkg/config's.
func ParseTemplate(annotations map[string]string) (Engine, []Problem) {
	return Engine{}, nil
}
