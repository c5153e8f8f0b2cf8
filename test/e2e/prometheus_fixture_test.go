//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrs "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/knative-inference/autoscaler-adapter/test/promconfig"
	"github.com/knative-inference/autoscaler-adapter/test/testbed"
)

const (
	monitoring         = "monitoring"
	prometheusManifest = "../../hack/cluster/prometheus/prometheus.yaml"
	root               = "../.."
)

// promServer is a real Prometheus in the cluster.
type promServer struct {
	t       *testing.T
	name    string
	address string
}

// needMonitoring makes the namespace that our NetworkPolicies let in.
func needMonitoring(t *testing.T) {
	t.Helper()
	if os.Getenv("IPA_PROMETHEUS") == "" {
		t.Skip("SKIPPED: IPA_PROMETHEUS is not set; hack/e2e.sh prometheus builds Prometheus and sets it")
	}
	makeNamespace(t, monitoring)
	if out, err := testbed.Kubectl(t.Context(), "", "label", "namespace", monitoring, "knative-inference.dev/monitoring=true"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// startPrometheus runs one with the jobs, and the rules that we ship.
func startPrometheus(t *testing.T, name string, jobs []map[string]any) *promServer {
	t.Helper()
	manifest := strings.ReplaceAll(readFile(t, prometheusManifest), "NAME", name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if out, err := testbed.Kubectl(ctx, manifest, "delete", "--ignore-not-found", "--wait=false", "-f", "-"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	rules, err := promconfig.Rules([]byte(readFile(t, root+"/config/prometheus/rules.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	config, err := yaml.Marshal(map[string]any{
		"global":         map[string]string{"evaluation_interval": "5s"},
		"rule_files":     []string{"/config/rules.yml"},
		"scrape_configs": jobs,
	})
	if err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"prometheus.yml": string(config), "rules.yml": string(rules)}}
	if _, err := cluster.kube.CoreV1().ConfigMaps(monitoring).Create(t.Context(), cm, metav1.CreateOptions{}); err != nil && !apierrs.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	start := time.Now()
	if out, err := testbed.Kubectl(t.Context(), manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := &promServer{t: t, name: name}
	eventually(t, settle, "Prometheus "+name+" is ready", p.ready)
	figure(t, fmt.Sprintf("prometheus: %s ready after %v", name, time.Since(start).Round(time.Second/10)))
	return p
}

func (p *promServer) ready() (bool, string) {
	pods, err := cluster.kube.CoreV1().Pods(monitoring).List(p.t.Context(), metav1.ListOptions{LabelSelector: "app=" + p.name})
	if err != nil || len(pods.Items) != 1 {
		return false, fmt.Sprint(len(pods.Items), err)
	}
	p.address = pods.Items[0].Status.PodIP + ":9090"
	for _, c := range pods.Items[0].Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true, ""
		}
	}
	return false, fmt.Sprint(pods.Items[0].Status.ContainerStatuses)
}

// get asks Prometheus's API and decodes data.
func (p *promServer) get(path string, values url.Values, data any) error {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.address+"/api/v1/"+path+"?"+values.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	res, err := inside().Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Error string          `json:"error"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: status %d: %w", path, res.StatusCode, err)
	}
	if answer.Error != "" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// promSample is one element of an instant vector.
type promSample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"` // time, text
}

// query returns what an expression has now.
func (p *promServer) query(expression string) ([]promSample, error) {
	var answer struct {
		Result []promSample `json:"result"`
	}
	err := p.get("query", url.Values{"query": {expression}}, &answer)
	return answer.Result, err
}

// waitData waits until each expression has returned something.
func (p *promServer) waitData(timeout time.Duration, expressions ...string) {
	p.t.Helper()
	missing := slices.Clone(expressions)
	eventually(p.t, timeout, fmt.Sprintf("%s has data for %d expressions", p.name, len(expressions)), func() (bool, string) {
		var state []string
		missing = slices.DeleteFunc(missing, func(e string) bool {
			got, err := p.query(e)
			if len(got) == 0 {
				state = append(state, fmt.Sprintf("none for %s (%v)", e, err))
			}
			return len(got) > 0
		})
		return len(missing) == 0, strings.Join(state, "\n")
	})
}

// promNode is the fields of a parsed expression that say which series it reads.
type promNode struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Matchers []struct {
		Name  string `json:"name"`
		Op    string `json:"type"`
		Value string `json:"value"`
	} `json:"matchers"`
	Expr *promNode `json:"expr"`
	LHS  *promNode `json:"lhs"`
	RHS  *promNode `json:"rhs"`
	Args []*promNode
}

// selectors returns the series that an expression reads, as Prometheus itself parses it.
func (p *promServer) selectors(expression string) ([]string, error) {
	var tree promNode
	if err := p.get("parse_query", url.Values{"query": {expression}}, &tree); err != nil {
		return nil, err
	}
	return tree.selectors(), nil
}

func (n *promNode) selectors() (all []string) {
	if n == nil {
		return nil
	}
	if n.Type == "vectorSelector" || n.Type == "matrixSelector" {
		var matchers []string
		for _, m := range n.Matchers {
			matchers = append(matchers, fmt.Sprintf("%s%s%q", m.Name, m.Op, m.Value))
		}
		return []string{"{" + strings.Join(matchers, ",") + "}"}
	}
	for _, child := range append([]*promNode{n.Expr, n.LHS, n.RHS}, n.Args...) {
		all = append(all, child.selectors()...)
	}
	return all
}

// promTarget is what is scraped.
type promTarget struct {
	Labels map[string]string `json:"labels"`
	Pool   string            `json:"scrapePool"`
	URL    string            `json:"scrapeUrl"`
	Health string            `json:"health"`
	Error  string            `json:"lastError"`
}

// targets are those of the jobs whose name matches.
func (p *promServer) targets(pool *regexp.Regexp) ([]promTarget, error) {
	var answer struct {
		Active []promTarget `json:"activeTargets"`
	}
	err := p.get("targets", url.Values{"state": {"active"}}, &answer)
	var found []promTarget
	for _, target := range answer.Active {
		if pool.MatchString(target.Pool) {
			found = append(found, target)
		}
	}
	return found, err
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shippedJobs are those of our PodMonitors, as the Prometheus Operator would make them.
func shippedJobs(t *testing.T) []map[string]any {
	t.Helper()
	jobs, err := promconfig.Monitors([]byte(readFile(t, root+"/config/prometheus/podmonitors.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// documentedJobs are those of docs/prometheus.md for a Prometheus without the operator.
func documentedJobs(t *testing.T) []map[string]any {
	t.Helper()
	jobs, err := promconfig.ScrapeConfigs(readFile(t, root+"/docs/prometheus.md"))
	if err != nil || len(jobs) == 0 {
		t.Fatalf("%d jobs in docs/prometheus.md: %v", len(jobs), err)
	}
	return jobs
}
