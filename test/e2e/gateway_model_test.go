//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// CCE's walk-through: two models behind one host, and a LoRA of the first,
// distinguished by the JSON body alone through the real body-based router; another model
// gets a clear 404; a canary by the model's name: another name of the same host.
//
// Sequential: it switches the router on, which every request of the Gateway's
// model hosts then passes, and off again.
func TestGatewayModels(t *testing.T) {
	needIstio(t, "the body-based router of ours is for Istio")
	needGateway(t)
	cluster.configureGateway(t, map[string]string{"body-based-router": "managed", "allowed-hostnames": "*.models.example.com"})
	t.Cleanup(func() {
		cluster.configureGateway(t, map[string]string{"body-based-router": "disabled", "allowed-hostnames": "*.{namespace}.{domain}"})
	})
	namespace := namespaceFor(t)
	const host = "inference.models.example.com"
	behind := func(name, models string) *service {
		return standIn(t, namespace, name, annotations{"min-scale": "1", "max-scale": "2"}, "-token=5ms").
			behindGateway(map[string]string{"knative-inference.dev/hostnames": host, "knative-inference.dev/model": models})
	}
	llama := behind("llama", "llama-3-8b,food-review").createWhenAllowed()
	qwen := behind("qwen", "qwen-4b").createWhenAllowed()
	llama.waitReady(settle)
	qwen.waitReady(settle)
	for _, s := range []*service{llama, qwen} {
		s.waitCondition("RouteAccepted", "True")
		s.waitCondition("Ready", "True")
	}
	if rules := list(t, destinationRules, namespace); len(rules) != 2 {
		t.Errorf("want a DestinationRule for each picker: %v", rules)
	}
	for model, s := range map[string]*service{"llama-3-8b": llama, "food-review": llama, "qwen-4b": qwen} {
		t.Run(model, func(t *testing.T) { expectModel(t, question{host: host, model: model}, s) })
	}
	t.Run("unknown model", func(t *testing.T) { expectUnknown(t, question{host: host, model: "nobody"}) })
	t.Run("canary by name", func(t *testing.T) {
		canary := behind("llama-next", "llama-3-8b-next").start()
		canary.waitCondition("Ready", "True")
		expectModel(t, question{host: host, model: "llama-3-8b-next"}, canary)
		expectModel(t, question{host: host, model: "llama-3-8b"}, llama)
	})
}

func expectModel(t *testing.T, q question, s *service) {
	q.waitPicked(t)
	for range 20 {
		a, err := q.ask(t.Context())
		if err != nil || a.status != 200 || !a.byPicked() || a.revision != s.latest() {
			t.Fatalf("model %s: want an answer of %s: %v %v", q.model, s.latest(), a, err)
		}
	}
}

func expectUnknown(t *testing.T, q question) {
	a, err := q.ask(t.Context())
	if err != nil || a.status != 404 || !strings.Contains(a.body, "model") {
		t.Errorf("want a 404 that speaks of the model: %v %v", a, err)
	}
}

// Triton's paths through the Gateway, picked by Triton's own metrics.
func TestGatewayTriton(t *testing.T) {
	onlyInFull(t)
	t.Parallel()
	needGateway(t)
	s := standIn(t, namespaceFor(t), "triton", annotations{"min-scale": "2", "max-scale": "2", "knative-inference.dev/engine": "triton", "knative-inference.dev/metrics-port": "8000"}, "-token=5ms", "-triton").
		behindGateway(map[string]string{"knative-inference.dev/model": "resnet"}).start()
	s.waitCondition("Ready", "True")
	for _, call := range []string{"infer", "generate"} {
		q := question{host: s.host(), path: fmt.Sprintf("/v2/models/resnet/%s", call)}
		q.waitServed(t)
		expectPicked(t, q)
	}
	needIstio(t, "what no route matches passes every picker of Envoy AI Gateway v1.0.0, and is answered 500")
	a, err := question{host: s.host(), path: "/v2/models/other/infer"}.ask(t.Context())
	if err != nil || a.status != 404 {
		t.Errorf("another model: %v %v", a, err)
	}
}
