//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
)

const apiRoot = "/apis/custom.metrics.k8s.io/"

// raw is kubectl get --raw.
func raw(t *testing.T, path string) ([]byte, error) {
	return cluster.kube.Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
}

// metricPath names one metric of one object in v1beta2.
func metricPath(namespace, resource, name, metric string) string {
	return apiRoot + "v1beta2/namespaces/" + namespace + "/" + resource + "/" + name + "/" + metric
}

// values asks for one metric; nil when there is none.
func values(t *testing.T, path string) []v1beta2.MetricValue {
	t.Helper()
	text, err := raw(t, path)
	if apierrs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var list v1beta2.MetricValueList
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return list.Items
}

// measured returns two stand-in engines of one revision that say fixed numbers.
func measured(t *testing.T, namespace string) (revision, []corev1.Pod) {
	s := standIn(t, namespace, "measured", annotations{"metric": "num_requests_running", "target": "100", "min-scale": "2"}).start()
	r := s.current()
	r.waitPods(settle, 2)
	pods := r.readyPods()
	s.tell(pods[0], page{Running: 3, Waiting: 1, KV: 0.5, PromptRate: 1000, GenerationRate: 300})
	s.tell(pods[1], page{Running: 5, Waiting: 2, KV: 0.25, PromptRate: 500, GenerationRate: 100})
	eventually(t, 20*time.Second, "the API shows the second pod", func() (bool, string) {
		got := values(t, metricPath(namespace, "pods", pods[1].Name, "num_requests_running"))
		return len(got) == 1 && got[0].Value.Value() == 5, fmt.Sprint(got)
	})
	return r, pods
}

// The API says what the engines say: per pod, summed or averaged per revision
// and Service, in both versions, with sample times and true windows.
func TestCustomMetricsAPI(t *testing.T) {
	t.Parallel()
	namespace := namespaceFor(t)
	r, pods := measured(t, namespace)
	near := func(what, path string, want float64) {
		t.Helper()
		eventually(t, 15*time.Second, what, func() (bool, string) {
			got := values(t, path)
			if len(got) != 1 {
				return false, fmt.Sprintf("%d values", len(got))
			}
			v := got[0].Value.AsApproximateFloat64()
			return v >= want*0.9 && v <= want*1.1, fmt.Sprintf("%v, want %v", v, want)
		})
	}
	for metric, want := range map[string][3]float64{ // pod 0, pod 1, together
		"num_requests_running": {3, 5, 8}, "num_requests_waiting": {1, 2, 3}, "kv_cache_usage_percent": {50, 25, 37.5},
		"prompt_tokens_per_second": {1000, 500, 1500}, "generation_tokens_per_second": {300, 100, 400},
	} {
		near("pod 0 "+metric, metricPath(namespace, "pods", pods[0].Name, metric), want[0])
		near("pod 1 "+metric, metricPath(namespace, "pods", pods[1].Name, metric), want[1])
		near("revision "+metric, metricPath(namespace, "revisions.serving.knative.dev", r.revision, metric), want[2])
		near("service "+metric, metricPath(namespace, "services.serving.knative.dev", r.name, metric), want[2])
	}
	t.Run("by selector", func(t *testing.T) { expectSelector(t, r, pods) })
	t.Run("v1beta1", func(t *testing.T) { expectV1beta1(t, r) })
	t.Run("list", func(t *testing.T) { expectEveryMetricListed(t) })
	t.Run("times", func(t *testing.T) { expectTimes(t, r, pods) })
	t.Run("alike", func(t *testing.T) { expectReplicasAlike(t, r, pods) })
	t.Run("stale", func(t *testing.T) { expectStaleAbsent(t, r, pods) })
}

func expectSelector(t *testing.T, r revision, pods []corev1.Pod) {
	path := metricPath(r.namespace, "pods", "*", "num_requests_running")
	text, err := cluster.kube.Discovery().RESTClient().Get().AbsPath(path).Param("labelSelector", "serving.knative.dev/revision="+r.revision).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list v1beta2.MetricValueList
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != len(pods) {
		t.Errorf("%d values for %d pods: %s", len(list.Items), len(pods), text)
	}
}

func expectV1beta1(t *testing.T, r revision) {
	text, err := raw(t, apiRoot+"v1beta1/namespaces/"+r.namespace+"/services.serving.knative.dev/"+r.name+"/num_requests_running")
	if err != nil {
		t.Fatal(err)
	}
	var list v1beta1.MetricValueList
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Items[0].MetricName != "num_requests_running" || list.Items[0].Value.Value() != 8 {
		t.Errorf("v1beta1 says %s, want num_requests_running 8", text)
	}
}

func expectEveryMetricListed(t *testing.T) {
	for _, version := range []string{"v1beta1", "v1beta2"} {
		list, err := cluster.disco.ServerResourcesForGroupVersion("custom.metrics.k8s.io/" + version)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range list.APIResources {
			names = append(names, r.Name)
		}
		for _, resource := range []string{"pods", "revisions.serving.knative.dev", "services.serving.knative.dev"} {
			for _, metric := range []string{"concurrency", "requests_per_second", "num_requests_running", "num_requests_waiting",
				"kv_cache_usage_percent", "prompt_tokens_per_second", "generation_tokens_per_second"} {
				if !slices.Contains(names, resource+"/"+metric) {
					t.Errorf("%s does not list %s/%s", version, resource, metric)
				}
			}
		}
	}
}

// expectTimes waits until the windows are full: until then a window is as long
// as what was measured.
func expectTimes(t *testing.T, r revision, pods []corev1.Pod) {
	for path, window := range map[string]int64{
		metricPath(r.namespace, "pods", pods[0].Name, "num_requests_running"):                            0,
		metricPath(r.namespace, "revisions.serving.knative.dev", r.revision, "kv_cache_usage_percent"):   0,
		metricPath(r.namespace, "revisions.serving.knative.dev", r.revision, "concurrency"):              10,
		metricPath(r.namespace, "services.serving.knative.dev", r.name, "requests_per_second"):           10,
		metricPath(r.namespace, "pods", pods[0].Name, "generation_tokens_per_second"):                    anyWindow,
		metricPath(r.namespace, "revisions.serving.knative.dev", r.revision, "prompt_tokens_per_second"): anyWindow,
	} {
		eventually(t, 20*time.Second, "time and window of "+path, func() (bool, string) {
			got := values(t, path)
			if len(got) != 1 {
				return false, fmt.Sprintf("%d values", len(got))
			}
			return sane(got[0], window), fmt.Sprintf("sampled %v ago, windowSeconds %v, want %d", time.Since(got[0].Timestamp.Time), got[0].WindowSeconds, window)
		})
	}
}

// anyWindow is some window of at most a minute.
const anyWindow = -1

func sane(v v1beta2.MetricValue, window int64) bool {
	age := time.Since(v.Timestamp.Time) // the API's times have whole seconds
	seconds := int64(0)
	if v.WindowSeconds != nil {
		seconds = *v.WindowSeconds
	}
	if window == anyWindow {
		return age > -time.Second && age < 5*time.Second && seconds >= 1 && seconds <= 60
	}
	return age > -time.Second && age < 5*time.Second && seconds == window
}

// expectStaleAbsent hangs one engine: its value keeps its own time, then is gone; never 0.
func expectStaleAbsent(t *testing.T, r revision, pods []corev1.Pod) {
	r.tell(pods[0], page{Mode: "hang"})
	hung := time.Now()
	path := metricPath(r.namespace, "pods", pods[0].Name, "num_requests_running")
	eventually(t, 15*time.Second, "the hanging pod's value is gone", func() (bool, string) {
		got := values(t, path)
		if len(got) == 0 {
			return true, ""
		}
		if got[0].Value.Value() != 3 || got[0].Timestamp.After(hung.Add(2*time.Second)) {
			t.Errorf("a hanging engine says %s at %s, it hung at %s", got[0].Value.String(), got[0].Timestamp, hung)
		}
		return false, got[0].Timestamp.String()
	})
	if got := values(t, metricPath(r.namespace, "pods", pods[1].Name, "num_requests_running")); len(got) != 1 {
		t.Errorf("the other pod's value is gone too")
	}
	r.tell(pods[0], page{Running: 3})
}

// expectReplicasAlike asks each replica of the adapter itself.
func expectReplicasAlike(t *testing.T, r revision, pods []corev1.Pod) {
	token := readerToken(t, r.namespace, "reader", true)
	path := metricPath(r.namespace, "services.serving.knative.dev", r.name, "num_requests_running")
	answers := map[string]string{}
	for _, p := range adapterPods(t) {
		text, err := r.fetch(pods[0], "https://"+p.Status.PodIP+":8443"+path, token)
		if err != nil {
			t.Fatalf("asking %s: %v: %s", p.Name, err, text)
		}
		var list v1beta2.MetricValueList
		if err := json.Unmarshal(text, &list); err != nil || len(list.Items) != 1 {
			t.Fatalf("%s says %s", p.Name, text)
		}
		answers[p.Name] = list.Items[0].Value.String()
	}
	if len(answers) != 2 {
		t.Errorf("%d replicas of the adapter, want 2", len(answers))
	}
	for name, value := range answers {
		if value != "8" {
			t.Errorf("%s says %s, want 8; all: %v", name, value, answers)
		}
	}
}

func (s *service) fetch(through corev1.Pod, url, token string) ([]byte, error) {
	return s.post(through, "fetch", map[string]string{"url": url, "token": token})
}

func adapterPods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := cluster.kube.CoreV1().Pods(ownNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: ownSelector})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}

// readerToken makes a ServiceAccount, with or without the right to read metrics in the namespace.
func readerToken(t *testing.T, namespace, name string, allowed bool) string {
	t.Helper()
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	if _, err := cluster.kube.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if allowed {
		binding := &rbacv1.RoleBinding{ObjectMeta: meta,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "autoscaler-adapter-metrics-reader"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: namespace}},
		}
		if _, err := cluster.kube.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	request, err := cluster.kube.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// Who may not read metrics gets 403, from the API server and from a replica asked directly.
func TestUnauthorisedReaderIsRefused(t *testing.T) {
	t.Parallel()
	namespace := namespaceFor(t)
	s := standIn(t, namespace, "guarded", annotations{"metric": "num_requests_running", "target": "100"}).start()
	r := s.current()
	nobody := readerToken(t, namespace, "nobody", false)
	path := metricPath(namespace, "services.serving.knative.dev", r.name, "num_requests_running")

	config := rest.AnonymousClientConfig(cluster.config)
	config.BearerToken = nobody
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context()); !apierrs.IsForbidden(err) {
		t.Errorf("through the API server: %v, want Forbidden", err)
	}
	through := r.readyPods()[0]
	for _, p := range adapterPods(t) {
		for who, token := range map[string]string{"nobody": nobody, "anonymous": "", "a forged token": "x.y.z"} {
			text, err := s.fetch(through, "https://"+p.Status.PodIP+":8443"+path, token)
			status := statusOf(err)
			if status != http.StatusForbidden && !(who == "a forged token" && status == http.StatusUnauthorized) {
				t.Errorf("%s asks %s directly: status %d (%v) %s, want 403", who, p.Name, status, err, strings.TrimSpace(string(text)))
			}
		}
	}
}

func statusOf(err error) int {
	if s, ok := err.(apierrs.APIStatus); ok {
		return int(s.Status().Code)
	}
	return http.StatusOK
}
