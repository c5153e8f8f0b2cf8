//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// lateGateway is one whose listener lets only its own namespace in.
const lateGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: late, annotations: {networking.istio.io/service-type: ClusterIP}}
spec:
  gatewayClassName: %s
  listeners: [{name: web, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}]
`

// A Gateway that does not exist, one without the listener, one that refuses the
// namespace: each is said with its fix, and what appears is taken up.
func TestGatewayMissing(t *testing.T) {
	needIstio(t, "its second Gateway is asked at the name that Istio gives its Service")
	t.Parallel()
	needGateway(t)
	home := namespaceFor(t)
	t.Run("elsewhere", func(t *testing.T) { expectRefused(t, home, namespaceFor(t)) })
	at := map[string]string{"knative-inference.dev/gateway": home + "/late", "knative-inference.dev/listener": "web"}
	s := standIn(t, home, "early", annotations{"min-scale": "1"}).behindGateway(at).start()
	s.waitCondition("Ready", "True")
	question{host: s.host(), at: "late-istio." + home + ":8080"}.waitServed(t)
}

func expectRefused(t *testing.T, home, away string) {
	at := map[string]string{"knative-inference.dev/gateway": home + "/late", "knative-inference.dev/listener": "nowhere"}
	s := standIn(t, away, "guest", annotations{"min-scale": "1"}).behindGateway(at).start()
	s.waitCondition("RouteAccepted", "False", "GatewayNotFound", home+"/late")
	class := testbed.Setting("IPA_GATEWAY_CLASS", "istio")
	if _, err := testbed.Kubectl(t.Context(), fmt.Sprintf(lateGateway, class), "-n", home, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	s.waitCondition("RouteAccepted", "False", "ListenerNotFound", "nowhere")
	annotate(t, s, "knative-inference.dev/listener=web")
	s.waitCondition("RouteAccepted", "False", "ListenerRefusesNamespace")
	if list, err := cluster.dynamic.Resource(httpRoutes).Namespace(away).List(t.Context(), metav1.ListOptions{LabelSelector: managedByGateway}); err != nil || len(list.Items) > 0 {
		t.Errorf("routes that nothing would serve: %v %v", list.Items, err)
	}
}

func annotate(t *testing.T, s *service, pair string) {
	t.Helper()
	if _, err := testbed.Kubectl(t.Context(), "", "-n", s.namespace, "annotate", "--overwrite", "ksvc", s.name, pair); err != nil {
		t.Fatal(err)
	}
}
