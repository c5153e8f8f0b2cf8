//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// page is what a stand-in engine's /metrics shall say; see ./engine. Its zero
// value is an idle engine.
type page struct {
	Mode           string  `json:"mode"` // ok, garbage, hang, absurd
	Running        float64 `json:"running"`
	Waiting        float64 `json:"waiting"`
	KV             float64 `json:"kv"` // 0 to 1
	PromptRate     float64 `json:"promptRate"`
	GenerationRate float64 `json:"generationRate"`
	Token          string  `json:"token,omitempty"` // that /metrics asks for; empty keeps the one of before
}

// tell sets the page of one stand-in engine, through the API server's proxy.
func (s *service) tell(pod corev1.Pod, p page) {
	s.t.Helper()
	if p.Mode == "" {
		p.Mode = "ok"
	}
	if _, err := s.post(pod, "set", p); err != nil {
		s.t.Fatalf("telling %s its page: %v", pod.Name, err)
	}
}

func (s *service) post(pod corev1.Pod, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return cluster.kube.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, port)).SubResource("proxy").Suffix(path).Body(text).DoRaw(s.t.Context())
}
