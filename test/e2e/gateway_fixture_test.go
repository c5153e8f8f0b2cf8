//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/retry"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// Kinds of Gateway API and its inference extension, and our own.
var (
	gatewayClasses = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gatewayclasses"}
	gateways       = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	httpRoutes     = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	inferencePools = schema.GroupVersionResource{Group: "inference.networking.k8s.io", Version: "v1", Resource: "inferencepools"}
	objectives     = schema.GroupVersionResource{Group: "inference.networking.x-k8s.io", Version: "v1alpha2", Resource: "inferenceobjectives"}
)

const (
	gatewayNamespace = "knative-serving"
	gatewayName      = "knative-gateway"
	llmPort          = 8888 // of the listener llm-gw
	gatewayConfig    = "config-inference-gateway"
	aiGateway        = "knative-inference.dev/ai-gateway"
)

// ackGateway is the Gateway of ACK's walk-through with only its class changed.
const ackGateway = `kind: Gateway
apiVersion: gateway.networking.k8s.io/v1
metadata:
  name: knative-gateway
  namespace: knative-serving
spec:
  gatewayClassName: %s
  listeners:
  - name: default
    port: 80
    protocol: HTTP
    allowedRoutes:
      namespaces:
        from: All
  - name: llm-gw
    protocol: HTTP
    port: 8888
    allowedRoutes:
      namespaces:
        from: All
`

// theGateway is made by the first test that needs it and removed after the last test.
var theGateway struct {
	sync.Mutex
	address string // of its Service, empty until it is Programmed
}

// needGateway makes the Gateway and points the product at it and at the images of
// the picker and the router that the node knows. It skips without a data plane.
func needGateway(t *testing.T) {
	t.Helper()
	theGateway.Lock()
	defer theGateway.Unlock()
	if theGateway.address != "" {
		return
	}
	name := testbed.Setting("IPA_GATEWAY_CLASS", "istio")
	if _, err := cluster.dynamic.Resource(gatewayClasses).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		t.Skipf("SKIPPED: no inference gateway in this cluster (GatewayClass %s: %v); hack/cluster/cluster.sh gateway installs one", name, err)
	}
	if _, err := testbed.Kubectl(t.Context(), fmt.Sprintf(ackGateway, name), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	cluster.configureGateway(t, map[string]string{
		"gateway":                 gatewayNamespace + "/" + gatewayName,
		"listener":                "llm-gw",
		"allowed-gateways":        "*/late", // of TestGatewayMissing, in its own namespace
		"epp-image":               testbed.Setting("IPA_EPP_IMAGE", "dev.local/epp:v1.5.0"),
		"body-based-router-image": testbed.Setting("IPA_BBR_IMAGE", "dev.local/bbr:v1.5.0"),
	})
	eventually(t, settle, "the Gateway is Programmed with an address", func() (bool, string) {
		g, err := cluster.dynamic.Resource(gateways).Namespace(gatewayNamespace).Get(t.Context(), gatewayName, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		address := firstAddress(g)
		if address == "" || !conditionTrue(g, "Programmed") {
			return false, fmt.Sprint(g.Object["status"])
		}
		theGateway.address = address
		return true, ""
	})
}

// needIstio skips on another gateway what it cannot do; docs/inference-gateway.md has the list.
func needIstio(t *testing.T, why string) {
	t.Helper()
	if class := testbed.Setting("IPA_GATEWAY_CLASS", "istio"); class != "istio" {
		t.Skipf("SKIPPED on the gateway %s: %s", class, why)
	}
}

func firstAddress(g *unstructured.Unstructured) string {
	all, _, _ := unstructured.NestedSlice(g.Object, "status", "addresses")
	if len(all) == 0 {
		return ""
	}
	value, _, _ := unstructured.NestedString(all[0].(map[string]any), "value")
	return value
}

// conditionTrue looks at status.conditions.
func conditionTrue(o *unstructured.Unstructured, kind string) bool {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range all {
		if c := c.(map[string]any); c["type"] == kind {
			return c["status"] == "True"
		}
	}
	return false
}

// configureGateway merges data into the product's config map; it works in a
// test's clean-up too.
func (e *environment) configureGateway(t *testing.T, data map[string]string) {
	t.Helper()
	ctx, maps := context.Background(), e.kube.CoreV1().ConfigMaps(ownNamespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cm, err := maps.Get(ctx, gatewayConfig, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for k, v := range data {
			cm.Data[k] = v
		}
		_, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// removeGateway waits until the product has taken away what it made beside the
// Gateway (filters outlive their last use by 30 s), then takes the Gateway away.
func (e *environment) removeGateway(ctx context.Context) error {
	theGateway.Lock()
	defer theGateway.Unlock()
	if theGateway.address == "" {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, slowness*served)
	defer cancel()
	if err := testbed.Poll(waiting, time.Second, func() (bool, string) {
		left, err := ofGateway(ctx, gatewayNamespace) // not to end as waiting does: what is left says more
		return err == nil && len(left) == 0, fmt.Sprint(left, err)
	}); err != nil {
		return fmt.Errorf("beside the Gateway: %w", err)
	}
	err := e.dynamic.Resource(gateways).Namespace(gatewayNamespace).Delete(ctx, gatewayName, metav1.DeleteOptions{})
	if err != nil && !apierrs.IsNotFound(err) {
		return err
	}
	return e.removeEnvoySecret(ctx)
}

// removeEnvoySecret takes away what Envoy Gateway v1.9.1 leaves of a Gateway: the Secret of its Envoy.
func (e *environment) removeEnvoySecret(ctx context.Context) error {
	const namespace = "envoy-gateway-system"
	if testbed.Setting("IPA_GATEWAY_CLASS", "istio") != "envoy-gateway" {
		return nil
	}
	return testbed.Poll(ctx, time.Second, func() (bool, string) {
		envoys, err := e.kube.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: "gateway.envoyproxy.io/owning-gateway-name=" + gatewayName})
		if err != nil || len(envoys.Items) > 0 {
			return false, fmt.Sprintf("Envoy's Deployment is there (%v)", err)
		}
		err = e.kube.CoreV1().Secrets(namespace).Delete(ctx, gatewayName+"-"+gatewayNamespace, metav1.DeleteOptions{})
		return err == nil || apierrs.IsNotFound(err), fmt.Sprint(err)
	})
}

// netProxy is the way into the cluster's network, nil when there is none or none is needed.
func netProxy() *url.URL {
	u, err := url.Parse(os.Getenv("IPA_NET_PROXY"))
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

// inside is a client for anything in the cluster's network: pods, Services, the Gateway.
var inside = sync.OnceValue(func() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	if p := netProxy(); p != nil {
		transport.Proxy = http.ProxyURL(p)
	}
	return &http.Client{Transport: transport, Timeout: time.Minute}
})

// answer is what came back through the Gateway. What stands below body
// is said by the stand-in engine: see ./engine.
type answer struct {
	status                                    int
	body                                      string
	pod, address, revision, picked, objective string
	retryAfter                                string
	place                                     int // among all requests that the pod ran
}

func (a answer) String() string {
	return fmt.Sprintf("status %d from pod %s (%s, picked %s): %.200s", a.status, a.pod, a.address, a.picked, strings.TrimSpace(a.body))
}

// byPicked reports whether the answering pod is the one that the picker named.
func (a answer) byPicked() bool {
	return a.address != "" && strings.HasPrefix(a.picked, a.address+":")
}

// question is one request to the Gateway; zero values are a short chat completion.
type question struct {
	host, path, model string
	at                string // host:port; the listener llm-gw of the Gateway of all tests if empty
	tokens            int
	stream            bool
	header            http.Header
	method            string
}

// ask sends one request to the listener llm-gw.
func (q question) ask(ctx context.Context) (answer, error) {
	if q.path == "" {
		q.path = "/v1/chat/completions"
	}
	if q.method == "" {
		q.method = http.MethodPost
	}
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%v,"prompt":"hi","messages":[{"role":"user","content":"hi"}]}`, q.model, max(q.tokens, 1), q.stream)
	if q.at == "" {
		q.at = fmt.Sprintf("%s:%d", theGateway.address, llmPort)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, "http://"+q.at+q.path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if q.header != nil {
		req.Header = q.header.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	req.Host = q.host
	return do(req)
}

func do(req *http.Request) (answer, error) {
	res, err := inside().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	var text strings.Builder
	_, err = io.Copy(&text, res.Body)
	place, _ := strconv.Atoi(res.Header.Get("X-Place"))
	return answer{
		place:  place,
		status: res.StatusCode, body: text.String(),
		pod: res.Header.Get("X-Answered-By"), address: res.Header.Get("X-Answered-From"), revision: res.Header.Get("X-Answered-Revision"),
		picked: res.Header.Get("X-Picked"), objective: res.Header.Get("X-Objective"),
		retryAfter: res.Header.Get("Retry-After"),
	}, err
}

// gatewaySender sends load through the Gateway.
func (s *service) gatewaySender() *load.Sender {
	target := load.Target{Ingress: fmt.Sprintf("%s:%d", theGateway.address, llmPort), Host: s.host(), Model: s.model, Proxy: netProxy()}
	return load.NewSender(target, cmp.Or(s.patience, time.Minute))
}
