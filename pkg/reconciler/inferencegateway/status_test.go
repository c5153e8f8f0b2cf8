package inferencegateway

import (
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
	"github.com/knative-inference/autoscaler-adapter/pkg/binding"
)

// A message that the CRD would refuse is cut: the status is written all the same.
func TestDated_messageFitsTheCRD(t *testing.T) {
	inCluster(t, func(c *cluster) {
		b := bound{svc: c.service("qwen", asked)}
		long := []metav1.Condition{{Type: "Ready", Message: "x" + strings.Repeat("é", maxMessage)}}
		got := c.r.dated(b, nil, long)[0].Message
		if len(got) < maxMessage-utf8.UTFMax || len(got) > maxMessage || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
		}
	})
}

// Before the first route, and while only the body-based router is away, EndpointPickerReady says so.
func TestReconcile_whatWaitsForADeployment(t *testing.T) {
	inCluster(t, func(c *cluster) {
		d, err := binding.ParseDefaults(map[string]string{"body-based-router": "managed"})
		if err != nil {
			t.Fatal(err)
		}
		c.r.defaults = func() *binding.Defaults { return &d }
		c.service("qwen", with(map[string]string{inference.ModelKey: "qwen"}))
		expect := func(want string) {
			t.Helper()
			c.reconcile("qwen")
			if got := c.condition("qwen", inference.ConditionEndpointPickerReady).Message; !strings.Contains(got, want) || strings.Contains(got, "FailOpen") {
				t.Errorf("EndpointPickerReady: %s; want %q", got, want)
			}
		}
		expect("The route waits for it.")
		c.settle("qwen")
		for _, o := range c.list(deployments) {
			if strings.HasSuffix(o.GetName(), "-bbr") {
				c.set(deployments, o.GetName(), func(o map[string]any) { delete(o, "status") })
			}
		}
		expect("routed by model with an error")
	})
}

// While no picker answers, EndpointPickerReady says what clients see.
func TestReconcile_whatClientsSeeWithoutAPicker(t *testing.T) {
	for mode, want := range map[string]string{
		annotations.FailOpen:  "requests go on to any Ready pod",
		annotations.FailClose: "answers inference requests with an error",
	} {
		inCluster(t, func(c *cluster) {
			c.service("qwen", with(map[string]string{inference.FailureModeKey: mode}))
			c.settle("qwen")
			c.set(deployments, "qwen-epp", func(o map[string]any) { delete(o, "status") })
			c.reconcile("qwen")
			got := c.condition("qwen", inference.ConditionEndpointPickerReady)
			if got.Status != metav1.ConditionUnknown || !strings.Contains(got.Message, want) || !strings.Contains(got.Message, mode) {
				t.Errorf("%s: EndpointPickerReady %s: %s; want %q", mode, got.Status, got.Message, want)
			}
		})
	}
}
