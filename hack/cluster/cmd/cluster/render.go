package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// manifests are the YAML streams of one start: early is applied at once, late when the custom
// resources are established.
type manifests struct{ early, late string }

func renderManifests(s state, src string) (manifests, error) {
	read := func(dir, name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(dir, "upstream", name))
		return string(b), err
	}
	var m manifests
	for _, name := range []string{"knative-base.yaml", "knative-crds.yaml", "knative-config.yaml", "knative-deploy.yaml"} {
		y, err := read(s.Built.Node, name)
		if err != nil {
			return m, err
		}
		m.early += y
	}
	late, err := read(s.Built.Node, "knative-late.yaml")
	if err != nil {
		return m, err
	}
	m.late = tuned(late)
	ingress, err := ingressYAML(s, src, read)
	if err != nil {
		return m, err
	}
	dns, err := os.ReadFile(filepath.Join(src, "manifests", "coredns.yaml"))
	if err != nil {
		return m, err
	}
	m.early, err = configured(tuned(m.early+"\n---\n"+ingress)+"\n---\n"+string(dns), s.Ingress)
	return m, err
}

func ingressYAML(s state, src string, read func(dir, name string) (string, error)) (string, error) {
	if s.Ingress != "kourier" {
		b, err := os.ReadFile(filepath.Join(src, "manifests", "kingress.yaml"))
		return string(b), err
	}
	y, err := read(s.Built.Kourier, "kourier.yaml")
	if err != nil {
		return "", err
	}
	// A fixed cluster IP, so that the host's forward knows it before the Service exists.
	with := strings.Replace(y, "  type: LoadBalancer\n", "  type: LoadBalancer\n  clusterIP: "+ingressIP+"\n", 1)
	if with == y {
		return "", fmt.Errorf("kourier.yaml has no Service of type LoadBalancer to give %s to", ingressIP)
	}
	return eagerEnvoy(with)
}

// eagerEnvoy makes the gateway ask for its controller's address every half second. It usually
// starts before cluster DNS answers, and Envoy's own timeouts (5 s, four tries, then a growing
// back-off) cost 10 to 20 seconds of every start.
func eagerEnvoy(yaml string) (string, error) {
	const (
		dns      = "          type: STRICT_DNS\n"
		eagerDNS = dns + `          dns_failure_refresh_rate: {base_interval: 0.1s, max_interval: 0.5s}
          typed_dns_resolver_config:
            name: envoy.network.dns_resolver.cares
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
              query_timeout_seconds: 1
              query_tries: 1
`
		stream      = "envoy_grpc: {cluster_name: xds_cluster}"
		eagerStream = "envoy_grpc: {cluster_name: xds_cluster, retry_policy: {retry_back_off: {base_interval: 0.1s, max_interval: 0.5s}}}"
	)
	for _, r := range [][2]string{{dns, eagerDNS}, {stream, eagerStream}} {
		if strings.Count(yaml, r[0]) != 1 {
			return "", fmt.Errorf("kourier.yaml does not have %q once", r[0])
		}
		yaml = strings.Replace(yaml, r[0], r[1], 1)
	}
	return yaml, nil
}

var (
	koImage     = regexp.MustCompile(`ko://knative\.dev/serving/cmd/([a-z-]+)`)
	envoyImages = regexp.MustCompile(`docker\.io/envoyproxy/envoy:\S+`)
	// Only whole values: knative.dev/example-checksum, which the webhook verifies, covers the text.
	develVersion = regexp.MustCompile(`(?m)version: "?devel"?$`)
	requestCPU   = regexp.MustCompile(`(requests:\n\s+cpu: )\S+`)
)

// tuned puts our image names in and fits the upstream YAML to one small node: eager readiness
// probes, small CPU requests (two cores hold the whole cluster), no HPA of the ingress (there is
// no metrics server).
func tuned(yaml string) string {
	yaml = koImage.ReplaceAllString(yaml, "dev.local/$1:"+knativeVersion)
	yaml = strings.ReplaceAll(yaml, "ko://knative.dev/net-kourier/cmd/kourier", "dev.local/kourier:v0.48.0")
	yaml = envoyImages.ReplaceAllString(yaml, envoyImage)
	yaml = develVersion.ReplaceAllString(yaml, `version: "`+knativeVersion+`"`)
	yaml = requestCPU.ReplaceAllString(yaml, "${1}20m")
	var kept []string
	for _, doc := range strings.Split(yaml, "\n---\n") {
		if !strings.Contains(doc, "\nkind: HorizontalPodAutoscaler\n") && !strings.Contains(doc, "\nkind: PodDisruptionBudget\n") {
			if strings.Contains(doc, "\nkind: Deployment\n") { // a CRD's schema has a readinessProbe too
				doc = eagerProbes(doc)
			}
			kept = append(kept, doc)
		}
	}
	return strings.Join(kept, "\n---\n")
}

// eagerProbes makes every readiness probe run each second from the start, with at least ten
// failures before a pod counts as not ready again.
func eagerProbes(doc string) string {
	var out []string
	probe := -1 // indentation of the readinessProbe we are in
	for _, line := range strings.Split(doc, "\n") {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		key, _, _ := strings.Cut(text, ":")
		switch {
		case text == "readinessProbe:":
			probe = indent
			pad := strings.Repeat(" ", indent+2)
			out = append(out, line, pad+"periodSeconds: 1", pad+"failureThreshold: 10")
			continue
		case probe >= 0 && text != "" && indent <= probe:
			probe = -1
		case probe >= 0 && (key == "periodSeconds" || key == "failureThreshold" || key == "initialDelaySeconds"):
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// settings are put into Knative's config maps beside their _example.
func settings(ingress string) map[string]map[string]string {
	return map[string]map[string]string{
		"config-network":    {"ingress-class": ingress + ".ingress.networking.knative.dev"},
		"config-deployment": {"registries-skipping-tag-resolving": "dev.local"},
		"config-domain":     {"example.com": ""},
		// Real vLLM is mounted from the host instead of being built into a 6 GB image.
		"config-features": {"kubernetes.podspec-volumes-hostpath": "enabled", "kubernetes.podspec-volumes-emptydir": "enabled"},
	}
}

func configured(yaml, ingress string) (string, error) {
	docs := strings.Split(yaml, "\n---\n")
	for name, data := range settings(ingress) {
		done := false
		for i, doc := range docs {
			if !strings.Contains(doc, "kind: ConfigMap\n") || !strings.Contains(doc, "\n  name: "+name+"\n") {
				continue
			}
			lines := "\ndata:\n"
			for k, v := range data {
				lines += fmt.Sprintf("  %s: %q\n", k, v)
			}
			docs[i] = strings.Replace(doc, "\ndata:\n", lines, 1)
			done = docs[i] != doc
		}
		if !done {
			return "", fmt.Errorf("no ConfigMap %s in Knative's YAML", name)
		}
	}
	return strings.Join(docs, "\n---\n"), nil
}
