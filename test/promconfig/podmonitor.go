package promconfig

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// podMonitor is as much of the operator's API as we ship. Another field is an error, because
// the translation would not have it.
type podMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		NamespaceSelector struct {
			Any bool `json:"any"`
		} `json:"namespaceSelector"`
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []endpoint           `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

type endpoint struct {
	Port        string         `json:"port"`
	Interval    string         `json:"interval"`
	HonorLabels bool           `json:"honorLabels"`
	TLS         map[string]any `json:"tlsConfig"`
	Relabelings []relabeling   `json:"relabelings"`
}

type relabeling struct {
	Action      string   `json:"action"`
	Sources     []string `json:"sourceLabels"`
	Regex       string   `json:"regex"`
	Replacement string   `json:"replacement"`
	Target      string   `json:"targetLabel"`
}

type object = map[string]any

// Monitors returns the scrape configurations that the Prometheus Operator makes of the
// PodMonitors in the YAML text, one for each endpoint.
func Monitors(text []byte) ([]map[string]any, error) {
	var jobs []map[string]any
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		var m podMonitor
		if err := yaml.UnmarshalStrict(doc, &m); err != nil {
			return nil, fmt.Errorf("a PodMonitor: %w", err)
		}
		if m.Kind != "PodMonitor" || len(m.Spec.Endpoints) == 0 {
			return nil, fmt.Errorf("%s %s: want a PodMonitor with an endpoint", m.Kind, m.Name)
		}
		for i, e := range m.Spec.Endpoints {
			job, err := m.job(i, e)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

func (m podMonitor) job(i int, e endpoint) (object, error) {
	discovery := object{"role": "pod"}
	if !m.Spec.NamespaceSelector.Any {
		discovery["namespaces"] = object{"names": []string{m.Namespace}}
	}
	selected, err := selection(m.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("PodMonitor %s: %w", m.Name, err)
	}
	job := object{
		"job_name":              fmt.Sprintf("podMonitor/%s/%s/%d", m.Namespace, m.Name, i),
		"honor_labels":          e.HonorLabels,
		"kubernetes_sd_configs": []object{discovery},
	}
	if e.Interval != "" {
		job["scrape_interval"], job["scrape_timeout"] = e.Interval, e.Interval
	}
	if skip, ok := e.TLS["insecureSkipVerify"]; ok {
		job["tls_config"] = object{"insecure_skip_verify": skip}
	}
	rules := append([]object{{"action": "drop", "source_labels": []string{"__meta_kubernetes_pod_phase"}, "regex": "(Failed|Succeeded)"}}, selected...)
	rules = append(rules,
		object{"action": "keep", "source_labels": []string{"__meta_kubernetes_pod_container_port_name"}, "regex": e.Port},
		copyLabel("__meta_kubernetes_namespace", "namespace"),
		copyLabel("__meta_kubernetes_pod_container_name", "container"),
		copyLabel("__meta_kubernetes_pod_name", "pod"),
		object{"target_label": "job", "replacement": m.Namespace + "/" + m.Name},
		object{"target_label": "endpoint", "replacement": e.Port})
	for _, r := range e.Relabelings {
		rules = append(rules, r.rule())
	}
	job["relabel_configs"] = rules
	return job, nil
}

func copyLabel(from, to string) object {
	return object{"source_labels": []string{from}, "target_label": to}
}

func (r relabeling) rule() object {
	rule := object{"source_labels": r.Sources}
	for key, v := range map[string]string{"action": r.Action, "regex": r.Regex, "replacement": r.Replacement, "target_label": r.Target} {
		if v != "" {
			rule[key] = v
		}
	}
	return rule
}

// selection keeps the pods that a label selector selects.
func selection(s metav1.LabelSelector) (rules []object, err error) {
	for key, value := range s.MatchLabels {
		rules = append(rules, onLabel("keep", key, regexp.QuoteMeta(value)))
	}
	for _, e := range s.MatchExpressions {
		switch e.Operator {
		case metav1.LabelSelectorOpExists:
			rules = append(rules, onLabel("keep", e.Key, ".*"))
		case metav1.LabelSelectorOpDoesNotExist:
			rules = append(rules, onLabel("drop", e.Key, ".*"))
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			return nil, fmt.Errorf("the operator %s of %s is not translated", e.Operator, e.Key)
		default:
			return nil, fmt.Errorf("the operator %q of %s is unknown", e.Operator, e.Key)
		}
	}
	return rules, nil
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// onLabel compares a pod's label, which must be present.
func onLabel(action, key, value string) object {
	name := notInName.ReplaceAllString(key, "_")
	return object{
		"action": action, "regex": "(" + value + ");true",
		"source_labels": []string{"__meta_kubernetes_pod_label_" + name, "__meta_kubernetes_pod_labelpresent_" + name},
	}
}

// Rules returns the rule file of a PrometheusRule: what is below its spec.
func Rules(text []byte) ([]byte, error) {
	var r struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              map[string]any `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(text, &r); err != nil {
		return nil, err
	}
	if r.Kind != "PrometheusRule" || r.Spec["groups"] == nil {
		return nil, fmt.Errorf("%s %s: want a PrometheusRule with groups", r.Kind, r.Name)
	}
	return yaml.Marshal(r.Spec)
}

// YAML returns the fenced YAML blocks of a document that have the text, as one stream.
func YAML(document, text string) string {
	var all strings.Builder
	for _, b := range blocks(document) {
		if b.language == "yaml" && strings.Contains(b.text, text) {
			all.WriteString("---\n" + b.text)
		}
	}
	return all.String()
}

// ScrapeConfigs returns the jobs of every fenced YAML block of a document that has scrape_configs.
func ScrapeConfigs(document string) ([]map[string]any, error) {
	var jobs []map[string]any
	for _, b := range blocks(document) {
		if b.language != "yaml" || !strings.HasPrefix(b.text, "scrape_configs:") {
			continue
		}
		var c struct {
			Jobs []map[string]any `json:"scrape_configs"`
		}
		if err := yaml.UnmarshalStrict([]byte(b.text), &c); err != nil {
			return nil, fmt.Errorf("line %d: %w", b.line, err)
		}
		jobs = append(jobs, c.Jobs...)
	}
	return jobs, nil
}
