package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"knative.dev/pkg/system"
)

// freePort is a port that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// runOptions are those of a process with some parts on the cluster a.
func runOptions(t *testing.T, a *apiServer, parts ...Part) Options {
	t.Helper()
	t.Setenv(system.NamespaceEnvKey, "knative-inference") // Run sets it; the test's end has it as it was
	o := NewOptions()
	o.Kubeconfig, o.Parts, o.LeaseDuration = a.kubeconfig(t), parts, 2*time.Second
	o.MetricsAPIPort, o.MetricsPort, o.HealthPort, o.WebhookPort = freePort(t), freePort(t), freePort(t), freePort(t)
	return o
}

// clusterOf is an API server with what a start reads: Knative's config maps, the CA of the
// API server's own requests, a CRD, and a revision that asks for two replicas and has one.
func clusterOf(t *testing.T) *apiServer {
	const configMap = "{apiVersion: v1, kind: ConfigMap, metadata: {namespace: %s, name: %s}, data: {%s}}"
	return newAPIServer(t, map[string][]string{
		"/api/v1/namespaces/knative-serving/configmaps": {
			fmt.Sprintf(configMap, "knative-serving", "config-autoscaler", ""),
			fmt.Sprintf(configMap, "knative-serving", "config-deployment", "queue-sidecar-image: q"),
			fmt.Sprintf(configMap, "knative-serving", "config-network", ""),
		},
		"/api/v1/namespaces/kube-system/configmaps": {
			fmt.Sprintf(configMap, "kube-system", "extension-apiserver-authentication", ""),
		},
		"/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,
			metadata: {name: inferencepools.inference.networking.k8s.io}}`},
		"/apis/apps/v1/namespaces/models/deployments": {`{apiVersion: apps/v1, kind: Deployment,
			metadata: {namespace: models, name: llm-deployment, labels: {serving.knative.dev/revisionUID: r, serving.knative.dev/revision: llm}},
			spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}},
				spec: {containers: [{name: user-container, ports: [{containerPort: 8000}]}]}}}}`},
		"/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/models/podautoscalers": {`{
			apiVersion: autoscaling.internal.knative.dev/v1alpha1, kind: PodAutoscaler,
			metadata: {namespace: models, name: llm, annotations: {autoscaling.knative.dev/class: ipa.autoscaling.knative-inference.dev,
				autoscaling.knative.dev/min-scale: "2"}, labels: {serving.knative.dev/revision: llm},
				ownerReferences: [{apiVersion: serving.knative.dev/v1, kind: Revision, name: llm, uid: r, controller: true}]},
			spec: {reachability: Reachable, protocolType: http1, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm-deployment}}}`},
	})
}

// get is the status and the body of a page on this machine.
func get(t *testing.T, port int, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// A process with the autoscaler takes its leases, decides for a revision of the class, scales
// it, is alive, and ends without an error and without a lease when it is asked to.
func TestRun_autoscaler(t *testing.T) {
	for _, buckets := range []uint32{1, 10} {
		t.Run(fmt.Sprint(buckets, " buckets"), func(t *testing.T) { runAutoscaler(t, buckets) })
	}
}

func runAutoscaler(t *testing.T, buckets uint32) {
	a := clusterOf(t)
	o := runOptions(t, a, Autoscaler)
	o.Buckets = buckets
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o, slog.New(slog.DiscardHandler)) }() // goroutines of libraries outlive the test
	held := func(u *unstructured.Unstructured) bool { return holderOf(u) != "" }
	holders := map[string]bool{}
	for i := range buckets {
		if err := a.until(leasePath(o, i), ended, held); err != nil {
			t.Fatal(err)
		}
		holders[holderOf(a.stored(leasePath(o, i)))] = true
	}
	if len(holders) != 1 {
		t.Errorf("one process holds leases as %v: two electors run", holders)
	}
	for path, is := range map[string]func(*unstructured.Unstructured) bool{
		"/apis/apps/v1/namespaces/models/deployments/llm-deployment": func(u *unstructured.Unstructured) bool {
			n, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "replicas")
			return fmt.Sprint(n) == "2"
		},
		"/apis/networking.internal.knative.dev/v1alpha1/namespaces/models/serverlessservices/llm": func(*unstructured.Unstructured) bool { return true },
	} {
		if err := a.until(path, ended, is); err != nil {
			t.Fatal(err)
		}
	}
	if code, body := get(t, o.HealthPort, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, body := get(t, o.MetricsPort, "/metrics"); code != http.StatusOK || !strings.Contains(body, `ipa_desired_replicas{`) {
		t.Errorf("/metrics: %d, without the decision of the revision:\n%s", code, body)
	} else if balances := strings.Contains(body, "\nipa_buckets_led 10\n"); balances != (buckets == 10) {
		t.Errorf("ten led buckets are published: %v, with %d buckets", balances, buckets)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want none when it is asked to end", err)
	}
	for i := range buckets {
		if holder := holderOf(a.stored(leasePath(o, i))); holder != "" {
			t.Errorf("the lease of bucket %d is still held by %s", i, holder)
		}
	}
}

func leasePath(o Options, bucket uint32) string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + o.Namespace + "/leases/" + o.leaseName(component, bucket)
}

func holderOf(lease *unstructured.Unstructured) string {
	holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	return holder
}

// The first part that fails ends the others, and Run says what failed.
func TestRun_fails(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name, want string
		edit       func(*Options)
	}{
		{"no cluster", "no cluster to talk to", func(o *Options) { o.Kubeconfig = "/nonexistent" }},
		{"a port that is taken", "serving on port", func(o *Options) { o.HealthPort = taken.Addr().(*net.TCPAddr).Port }},
		{"Knative's config maps are missing", "watching config maps", func(o *Options) { o.KnativeNamespace = "elsewhere" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := runOptions(t, clusterOf(t), Autoscaler)
			tt.edit(&o)
			if err := Run(t.Context(), o, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// Ready is said only once the caches of every part are synced.
func TestRun_notReadyWithoutCaches(t *testing.T) {
	a := clusterOf(t)
	o := runOptions(t, a, Gateway)
	o.Kubeconfig = (&apiServer{url: "http://127.0.0.1:1"}).kubeconfig(t) // nobody answers
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o, slog.New(slog.DiscardHandler)) }()
	for {
		if code, body := get(t, o.HealthPort, "/readyz"); code != 0 {
			if code != http.StatusServiceUnavailable {
				t.Errorf("/readyz: %d %s, want 503", code, body)
			}
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("Run ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	<-ended
}
