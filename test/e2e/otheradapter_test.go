//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

const (
	otherNamespace = "custom-metrics"
	otherName      = "custom-metrics-apiserver"
)

// otherAdapter is the manifest of custom-metrics-apiserver's own test adapter, without its
// external metrics.
func otherAdapter(t *testing.T) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/custom-metrics-apiserver").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(readFile(t, strings.TrimSpace(string(dir))+"/test-adapter-deploy/testing-adapter.yaml"), "---\n")
	all = slices.DeleteFunc(all, func(object string) bool { return strings.Contains(object, "name: v1beta1.external.metrics.k8s.io") })
	image := testbed.Setting("IPA_TEST_ADAPTER_IMAGE", "dev.local/custom-metrics-test-adapter:dev")
	return strings.NewReplacer("REGISTRY/k8s-test-metrics-adapter-amd64:latest", image, "--v=10", "--v=1").Replace(strings.Join(all, "---\n"))
}

// removeOther takes the other adapter away, with the APIServices of that name whoever has them.
func removeOther(t *testing.T, manifest string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if out, err := testbed.Kubectl(ctx, manifest, "delete", "--ignore-not-found", "-f", "-"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// waitAPIOwner waits until both versions of custom.metrics.k8s.io lead to a Service and
// answer; "" waits until nobody has them.
func waitAPIOwner(t *testing.T, owner string) {
	t.Helper()
	eventually(t, settle, "custom.metrics.k8s.io leads to "+owner, func() (bool, string) {
		for _, version := range []string{"v1beta1", "v1beta2"} {
			o, got := apiOwner(t, version)
			if got != owner || (owner != "" && !conditionTrue(o, "Available")) {
				return false, fmt.Sprintf("%s leads to %q: %v", version, got, o)
			}
		}
		return true, ""
	})
}

func apiOwner(t *testing.T, version string) (object *unstructured.Unstructured, owner string) {
	t.Helper()
	o, err := cluster.dynamic.Resource(apiServices).Get(t.Context(), version+".custom.metrics.k8s.io", metav1.GetOptions{})
	if apierrs.IsNotFound(err) {
		return nil, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	namespace, _, _ := unstructured.NestedString(o.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(o.Object, "spec", "service", "name")
	return o, namespace + "/" + name
}

// waitRegistered waits until each replica of the autoscaler publishes whether the API is its.
func waitRegistered(t *testing.T, want float64) {
	t.Helper()
	eventually(t, settle, fmt.Sprintf("ipa_metrics_api_registered is %g", want), func() (bool, string) {
		for _, p := range adapterPods(t) {
			if got := sumOf(metricsPage(t, ownNamespace, p.Name, 9090), "ipa_metrics_api_registered"); got != want {
				return false, fmt.Sprintf("%s says %g", p.Name, got)
			}
		}
		return true, ""
	})
}

// askOurs reads a path of our API at our own Service, and trusts the CA of its Secret.
func askOurs(t *testing.T, path, token string) (v1beta2.MetricValueList, error) {
	t.Helper()
	var list v1beta2.MetricValueList
	secret, err := cluster.kube.CoreV1().Secrets(ownNamespace).Get(t.Context(), ownName+"-tls", metav1.GetOptions{})
	if err != nil {
		return list, err
	}
	transport := inside().Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(secret.Data["ca.crt"])
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+ownName+"."+ownNamespace+".svc"+path, http.NoBody)
	if err != nil {
		return list, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return list, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return list, fmt.Errorf("status %d: %s %w", res.StatusCode, text, err)
	}
	return list, json.Unmarshal(text, &list)
}

// giveOther has the other adapter publish a metric of a pod.
func giveOther(t *testing.T, path, value string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+otherName+"."+otherNamespace+".svc/write-metrics/"+path, strings.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := inside().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, text)
	}
}

// A cluster where another adapter has custom.metrics.k8s.io, docs/metrics.md: config-ipa leaves
// the API to it; where it does not, ours says so and leaves the API alone all the same, serves
// its numbers at its own Service, and takes the API up when it is free. It is not parallel:
// tests beside it ask for our metrics.
func TestAnotherAdapter(t *testing.T) {
	onlyInFull(t)
	s := standIn(t, namespaceFor(t), "ours", annotations{"metric": "num_requests_running", "target": "4"}).start()
	pod := s.current().readyPods()[0]
	s.tell(pod, page{Running: 3})
	ours := metricPath(s.namespace, "pods", pod.Name, "num_requests_running")
	waitRegistered(t, 1)
	waitValue(t, ours, 3)
	manifest := otherAdapter(t)
	t.Cleanup(func() { removeOther(t, manifest) })
	if out, err := testbed.Kubectl(t.Context(), manifest, "apply", "-f", "-"); err == nil || !strings.Contains(string(out)+err.Error(), "may not be true if caBundle is present") {
		t.Errorf("an APIService with insecureSkipTLSVerify is applied over ours: %v\n%s", err, out)
	}

	t.Run("left to it", func(t *testing.T) { expectLeft(t, manifest) })
	t.Run("found", func(t *testing.T) { expectFound(t, s.current(), pod) })
	removeOther(t, manifest)
	waitAPIOwner(t, ownNamespace+"/"+ownName)
	waitRegistered(t, 1)
	waitValue(t, ours, 7)
}

func waitValue(t *testing.T, path string, want int64) {
	t.Helper()
	eventually(t, settle, fmt.Sprintf("%s is %d", path, want), func() (bool, string) {
		got := values(t, path)
		return len(got) == 1 && got[0].Value.Value() == want, fmt.Sprint(got)
	})
}

const servedByAnother = "MetricsAPIServedByAnother"

// expectLeft gives the API up by config-ipa and installs the other adapter.
func expectLeft(t *testing.T, manifest string) {
	editConfig(t, ownNamespace, "config-ipa", map[string]string{"register-metrics-api": "false"})
	waitAPIOwner(t, "")
	always(t, 15*time.Second, "the API is left free", func() (bool, string) {
		_, got := apiOwner(t, "v1beta2")
		return got == "", got
	})
	if out, err := testbed.Kubectl(t.Context(), manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitAPIOwner(t, otherNamespace+"/"+otherName)
	waitRegistered(t, 0)
	always(t, 15*time.Second, "nothing is warned of", func() (bool, string) {
		all := events(t, ownNamespace, "Deployment", ownName)
		return !slices.ContainsFunc(all, func(e string) bool { return strings.Contains(e, servedByAnother) }), fmt.Sprint(all)
	})
}

// expectFound sees the other adapter named, and both adapters answer.
func expectFound(t *testing.T, r revision, pod corev1.Pod) {
	waitEvent(t, ownNamespace, "Deployment", ownName, servedByAnother, otherNamespace+"/"+otherName, "register-metrics-api")
	waitRegistered(t, 0)
	for _, version := range []string{"v1beta1", "v1beta2"} {
		if o, owner := apiOwner(t, version); owner != otherNamespace+"/"+otherName || len(o.GetOwnerReferences()) > 0 || o.GetLabels()["app.kubernetes.io/managed-by"] != "" {
			t.Errorf("%s was touched: it leads to %s, %v", version, owner, o.Object["metadata"])
		}
	}
	theirs := "namespaces/" + r.namespace + "/pods/" + pod.Name + "/theirs"
	giveOther(t, theirs, `"7"`)
	waitValue(t, apiRoot+"v1beta2/"+theirs, 7)
	ours := metricPath(r.namespace, "pods", pod.Name, "num_requests_running")
	if got := values(t, ours); got != nil {
		t.Errorf("the other adapter answers our metric with %v: this test sees nothing", got)
	}
	list, err := askOurs(t, ours, readerToken(t, r.namespace, "reader", true))
	if err != nil || len(list.Items) != 1 || list.Items[0].Value.Value() != 3 {
		t.Errorf("our own Service says %v, %v; want 3", list.Items, err)
	}
	if _, err := askOurs(t, ours, readerToken(t, r.namespace, "nobody", false)); err == nil {
		t.Error("our own Service answers who may not read metrics")
	}
	r.tell(pod, page{Running: 7})
	r.waitReplicas(settle, "scaled by our class all the same", exactly(2))
}
