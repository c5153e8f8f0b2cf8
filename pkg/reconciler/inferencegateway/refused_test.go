package inferencegateway

import (
	"testing"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// A rollout goes on while annotations are refused: the pods of the new revision
// join the pool that there is, and those of the old one leave it.
func TestReconcile_refusedAnnotationsKeepThePoolFilled(t *testing.T) {
	for _, tt := range []struct {
		name, pool  string
		annotations map[string]string
		want        map[string]string
	}{
		{"own pool", "", nil, map[string]string{inference.RoutedKey: "true"}},
		{"shared pool", "gpus", nil, map[string]string{inference.RoutedKey: "true", inference.PoolKey: "gpus"}},
		{"foreign pool", "theirs", nil, map[string]string{inference.RoutedKey: "true", inference.PoolKey: "theirs", "team": "llm"}},
		{"a pool for each revision", "", map[string]string{inference.PoolModeKey: "revision"}, map[string]string{inference.RoutedKey: ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.create(pools, `{apiVersion: inference.networking.k8s.io/v1, kind: InferencePool, metadata: {namespace: default, name: theirs},
					spec: {selector: {matchLabels: {team: llm}}, targetPorts: [{number: 8012}]}}`)
				annotations := merged(with(nil), tt.annotations)
				if tt.pool != "" {
					annotations[inference.PoolKey] = tt.pool
				}
				svc := c.service("qwen", annotations)
				c.pod("qwen", "qwen-00001", "old", nil)
				for range 3 {
					c.reconcile("qwen")
					c.ready()
				}
				c.annotate(svc, merged(annotations, map[string]string{inference.FailureModeKey: "Sometimes"}))
				c.revision("qwen", "qwen-00002")
				c.pod("qwen", "qwen-00002", "new", nil)
				c.reconcile("qwen")
				if got := c.podLabel("new", inference.RoutedKey); got != "" {
					t.Errorf("routed %q before it has traffic", got)
				}
				c.traffic("qwen", map[string]int{"qwen-00001": 0, "qwen-00002": 100})
				c.reconcile("qwen")
				for key, want := range tt.want {
					if got := c.podLabel("new", key); got != want {
						t.Errorf("%s of the new pod is %q, want %q", key, got, want)
					}
					if got := c.podLabel("old", key); want != "" && got != "" {
						t.Errorf("%s of the old pod is %q still", key, got)
					}
				}
			})
		})
	}
}
