package inferencegateway

import (
	"strings"
	"testing"
	"time"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Envoy Gateway takes no patch unless its configuration allows them, and says what it takes in a policy's status
// only: priorities and shares count as applied when it says so of the present generation.
func TestPatchPolicies_count_when_programmed(t *testing.T) {
	condition := func(kind, status, message string) map[string]any {
		return map[string]any{"type": kind, "status": status, "reason": "R", "message": message, "observedGeneration": int64(0),
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
	}
	inCluster(t, func(c *cluster) {
		c.delete(gatewayClasses, "", "istio")
		c.create(gatewayClasses, `{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: istio}, spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}}`)
		c.service("qwen", map[string]string{inference.AIGatewayKey: "inference", inference.PriorityKey: "3", inference.PoolModeKey: "revision"})
		c.revision("qwen", "qwen-00002")
		c.traffic("qwen", map[string]int{"qwen-00001": 90, "qwen-00002": 10})
		for range 3 {
			c.reconcile("qwen")
			c.ready()
		}
		says := func(conditions ...any) string {
			for _, u := range c.list(patchPolicies) {
				c.set(patchPolicies, u.GetName(), func(o map[string]any) {
					o["status"] = map[string]any{"ancestors": []any{map[string]any{
						"ancestorRef": map[string]any{"name": "knative-gateway"}, "controllerName": "eg", "conditions": conditions}}}
				})
			}
			c.pass(2 * settling)
			c.reconcile("qwen")
			var all []string
			for _, cond := range c.status("qwen").Conditions {
				if cond.Type == inference.ConditionObjectiveApplied || cond.Type == inference.ConditionTrafficSplit {
					all = append(all, cond.Type+" "+string(cond.Status)+" "+cond.Reason+" "+cond.Message)
				}
			}
			return strings.Join(all, "\n")
		}
		if n := len(c.list(patchPolicies)); n != 2 {
			t.Fatalf("%d policies, want one of the Gateway and one of the Service", n)
		}
		for _, tc := range []struct {
			name       string
			conditions []any
			want       []string
		}{
			{"nothing", nil, []string{"ObjectiveApplied Unknown", "TrafficSplit Unknown"}},
			{"refused", []any{condition("Accepted", "True", ""), condition("Programmed", "False", "no jsonPointers were found")},
				[]string{"ObjectiveApplied False PatchNotApplied", "no jsonPointers were found", "TrafficSplit False PatchNotApplied", "The revision with the largest share gets all requests."}},
			{"taken", []any{condition("Accepted", "True", ""), condition("Programmed", "True", "")},
				[]string{"ObjectiveApplied True Applied", "TrafficSplit True TrafficSplitExact"}},
		} {
			got := says(tc.conditions...)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s: conditions\n%s\nwant %q", tc.name, got, want)
				}
			}
		}
	})
}
