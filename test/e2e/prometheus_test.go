//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/knative-inference/autoscaler-adapter/test/load"
	"github.com/knative-inference/autoscaler-adapter/test/promconfig"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

// documentedModel is a Service on the metric slo: the documents ask for its series.
func documentedModel(t *testing.T) *service {
	makeNamespace(t, "models")
	return simulator(t, "models", "llama", annotations{
		"max-scale": "2", "knative-inference.dev/slo-ttft": "1s", "knative-inference.dev/slo-itl": "200ms",
	}, "--time-to-first-token=100ms", "--inter-token-latency=20ms", "--max-num-seqs=4")
}

// Two real Prometheus servers, one with our PodMonitors (translated as the operator does) and
// one with the scrape configuration of docs/prometheus.md: both find and read every pod, and
// have data for every expression that users get from us.
func TestPrometheus(t *testing.T) {
	needGateway(t)
	needMonitoring(t)
	s := documentedModel(t).behindGateway(nil).start()
	s.waitCondition("Ready", "True")
	question{host: s.host(), model: "sim"}.waitServed(t)
	servers := []*promServer{startPrometheus(t, "prometheus", shippedJobs(t)), startPrometheus(t, "plain", documentedJobs(t))}
	shape := load.Shape{Prompt: 10, Tokens: 30}
	s.clients(shape, 2)
	behind := load.NewClients(t.Context(), s.gatewaySender(), shape)
	t.Cleanup(behind.Abort)
	behind.Set(6)

	for _, p := range servers {
		t.Run(p.name+" targets", func(t *testing.T) { p.on(t).expectTargets() })
	}
	for _, p := range servers {
		t.Run(p.name+" expressions", func(t *testing.T) { p.on(t).expectExpressions() })
	}
	t.Run("faults", func(t *testing.T) { expectAlerts(t, servers) })
}

// on is the same server in a subtest.
func (p *promServer) on(t *testing.T) *promServer {
	return &promServer{t: t, name: p.name, address: p.address}
}

// expectTargets compares the targets of each job with the pods that there are.
func (p *promServer) expectTargets() {
	for job, selector := range map[string]string{
		`autoscaler-adapter(/\d)?$`:         partsSelector,
		`autoscaler-adapter-pickers(/\d)?$`: "knative-inference.dev/component=picker",
		`autoscaler-adapter-engines(/\d)?$`: "serving.knative.dev/revision",
	} {
		eventually(p.t, settle, p.name+": every pod of "+selector+" is read", func() (bool, string) {
			pods, err := cluster.kube.CoreV1().Pods("").List(p.t.Context(), metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return false, err.Error()
			}
			var want, got []string
			for i := range pods.Items {
				if pods.Items[i].DeletionTimestamp == nil {
					want = append(want, pods.Items[i].Name)
				}
			}
			targets, err := p.targets(regexp.MustCompile(job))
			for _, target := range targets {
				got = append(got, target.Labels["pod"])
				if target.Health != "up" {
					return false, fmt.Sprintf("%s: %s %s", target.URL, target.Health, target.Error)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			return len(want) > 0 && slices.Equal(got, want), fmt.Sprintf("targets %v, pods %v, %v", got, want, err)
		})
	}
	// A namespace of ours must not have become exported_namespace.
	p.waitData(settle, `ipa_desired_replicas{namespace="models",revision="llama-00001"}`,
		`{__name__="vllm:num_requests_running",namespace="models",revision="llama-00001",service="llama"}`)
}

// expectExpressions asks everything in documents and manifests. An alert returns nothing
// while all is well: it has data for each series that it reads.
func (p *promServer) expectExpressions() {
	all, err := promconfig.Expressions(root)
	if err != nil || len(all) == 0 {
		p.t.Fatalf("%d expressions: %v", len(all), err)
	}
	var ask []string
	for _, e := range all {
		if !e.Alert {
			ask = append(ask, e.Text)
			continue
		}
		selectors, err := p.selectors(e.Text)
		if err != nil || len(selectors) == 0 {
			p.t.Errorf("%v reads %d series: %v", e, len(selectors), err)
		}
		ask = append(ask, selectors...)
	}
	p.waitData(settle, ask...)
	figure(p.t, fmt.Sprintf("prometheus: %s has data for %d expressions", p.name, len(all)))
	p.expectRulesLoaded()
}

func (p *promServer) expectRulesLoaded() {
	eventually(p.t, settle, "every rule is evaluated", func() (bool, string) {
		var answer struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := p.get("rules", nil, &answer); err != nil || len(answer.Groups) == 0 {
			return false, fmt.Sprint(answer, err)
		}
		for _, g := range answer.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return false, fmt.Sprint(r)
				}
			}
		}
		return true, ""
	})
}

// alert returns the expression of a shipped alert.
func alert(t *testing.T, name string) string {
	t.Helper()
	all, err := promconfig.Expressions(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Alert && e.Name == name {
			return e.Text
		}
	}
	t.Fatalf("no alert %s", name)
	return ""
}

// expectAlerts makes the faults that a test can make, and asks the alerts' expressions.
func expectAlerts(t *testing.T, servers []*promServer) {
	wait := func(names ...string) {
		t.Helper()
		var ask []string
		for _, name := range names {
			ask = append(ask, alert(t, name))
		}
		for _, p := range servers {
			p.on(t).waitData(2*settle, ask...)
		}
	}
	broken := standIn(t, "models", "broken", annotations{"metric": "num_requests_running", "target": "100"}).start()
	broken.tell(broken.current().readyPods()[0], page{Mode: "garbage"})
	large := simulator(t, "models", "large", annotations{
		"max-scale": "4", "knative-inference.dev/slo-ttft": "100ms", "knative-inference.dev/slo-itl": "200ms",
	}, "--time-to-first-token=500ms", "--inter-token-latency=20ms", "--max-num-seqs=4")
	large.container.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("800m")}
	large.start()
	clients := large.clients(load.Shape{Prompt: 10, Tokens: 20}, 4)
	large.current().setMinScale(4)
	wait("InferencePodsUnreadable", "InferenceReplicasMissing", "InferenceReplicasUnschedulable", "InferenceObjectiveMissed")
	clients.Abort()

	scaleParts(t, 0, ownName, ownName+"-webhook")
	defer scaleParts(t, 2, ownName, ownName+"-webhook")
	wait("InferenceAutoscalerAbsent", "InferenceAutoscalerWebhookAbsent")
}

// scaleParts sets the replicas of our Deployments; above zero it waits until all is as installed.
func scaleParts(t *testing.T, replicas int, names ...string) {
	t.Helper()
	for _, name := range names {
		if out, err := testbed.Kubectl(t.Context(), "", "-n", ownNamespace, "scale", "deployment", name, fmt.Sprintf("--replicas=%d", replicas)); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if replicas > 0 {
		eventually(t, settle, "the product serves again", func() (bool, string) { return cluster.serving(t.Context()) })
	}
}
