package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// removals lists the headers that the filters and the routes of a plan take off.
func removals(t *testing.T, p Plan) string {
	t.Helper()
	text := []byte{}
	for _, o := range p.Objects {
		if !slices.Contains([]string{"EnvoyFilter", "EnvoyPatchPolicy", "HTTPRoute"}, o.GetKind()) {
			continue
		}
		more, err := json.Marshal(o.Object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	var out []string
	for _, h := range slices.Concat([]string{destinationHeader}, fairnessHeaders, objectiveHeaders) {
		if strings.Contains(string(text), `"remove":"`+h+`"`) || strings.Contains(string(text), `"remove":[`) && strings.Contains(string(text), `"`+h+`"`) {
			out = append(out, h)
		}
	}
	return strings.Join(out, " ")
}

// On every gateway a client cannot name the address that its request goes to: the
// header is removed before anybody reads it, or nobody goes by it for the pool fails
// closed. The same holds for the client's flow where the gateway can remove it.
func TestClientsHeaders(t *testing.T) {
	const destination, flow, objective = destinationHeader, "x-gateway-inference-fairness-id x-llm-d-inference-fairness-id", "x-gateway-inference-objective x-llm-d-inference-objective"
	const istio, agent, nginx = "istio.io/gateway-controller", "agentgateway.dev/agentgateway", "gateway.nginx.org/nginx-gateway-controller"
	for _, tc := range []struct {
		name, controller string
		pairs            []string
		change           func(*World)
		removed          string
		failure          string
	}{
		{"istio", istio, nil, nil, destination + " " + flow + " " + objective, "FailOpen"},
		{"istio, the objective is the client's", istio, []string{"objective-header", "none"}, nil, destination + " " + flow, "FailOpen"},
		{"istio, the flow is the client's", istio, []string{"fairness-id", "client"}, nil, destination + " " + objective, "FailOpen"},
		{"istio without EnvoyFilter", istio, nil, func(w *World) { w.Served.EnvoyFilter = false }, "", "FailClose"},
		{"agentgateway", agent, nil, nil, destination + " " + flow + " " + objective, "FailOpen"},
		{"agentgateway, the objective is the client's", agent, []string{"objective-header", "none"}, nil, destination + " " + flow, "FailOpen"},
		{"agentgateway, the flow is the client's", agent, []string{"fairness-id", "client"}, nil, destination + " " + objective, "FailOpen"},
		{"nginx", nginx, nil, nil, destination + " " + flow, "FailOpen"},
		{"nginx, told to fail closed", nginx, []string{"failure-mode", "FailClose"}, nil, destination + " " + flow, "FailClose"},
		{"envoy gateway", "gateway.envoyproxy.io/gatewayclass-controller", nil, nil, "", "FailClose"},
		{"envoy gateway, a priority", "gateway.envoyproxy.io/gatewayclass-controller", []string{"priority", "3"}, func(w *World) { w.Served.EnvoyPatchPolicy = true }, destination + " " + flow, "FailClose"},
		{"gke", "networking.gke.io/gateway", []string{"objective-header", "none"}, nil, "", "FailClose"},
		{"unknown", "example.com/new", nil, nil, "", "FailClose"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := usual()
			w.Gateway.Controller, w.Gateway.Class = tc.controller, "class"
			if tc.change != nil {
				tc.change(&w)
			}
			p := Build(asking(t, "qwen", tc.pairs...), w)
			if got := removals(t, p); got != tc.removed {
				t.Errorf("removes %q, want %q", got, tc.removed)
			}
			i := slices.IndexFunc(p.Objects, func(o Object) bool { return o.GetKind() == "InferencePool" })
			ref := p.Objects[i].Object["spec"].(fields)["endpointPickerRef"].(fields)
			if ref["failureMode"] != tc.failure {
				t.Errorf("failureMode %v, want %s", ref["failureMode"], tc.failure)
			}
			if asked := slices.Contains(tc.pairs, "FailClose"); found(p, inference.ReasonFailsClosed) != (tc.failure == "FailClose" && !asked) {
				t.Errorf("findings %v", p.Findings)
			}
		})
	}
}
