package inferencegateway

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"knative.dev/networking/pkg/apis/networking"
	nv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/serving/pkg/activator"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"github.com/knative-inference/autoscaler-adapter/pkg/reconciler/inferencegateway/manifest"
)

// trafficOf reads a KIngress: who serves the external hosts, and in which
// shares; those of the cluster-local host without an external one. Unlike a
// Route's status it follows a gradual rollout. The Service's own status says which
// hosts are a tag's.
func trafficOf(svc *servingv1.Service, ing *nv1alpha1.Ingress) (main manifest.Traffic, tags []manifest.Traffic) {
	if ing == nil {
		return main, nil
	}
	byHost := tagHosts(svc)
	main.Splits = localSplits(svc, ing)
	for _, rule := range ing.Spec.Rules {
		if rule.Visibility != nv1alpha1.IngressVisibilityExternalIP || rule.HTTP == nil {
			continue
		}
		splits, ok := splitsOf(rule.HTTP.Paths)
		if !ok {
			continue
		}
		tag := ""
		for _, host := range rule.Hosts {
			if tag = byHost[host]; tag != "" {
				break
			}
		}
		if tag != "" {
			tags = append(tags, manifest.Traffic{Tag: tag, Hosts: rule.Hosts, Splits: splits})
			continue
		}
		main.Hosts = append(main.Hosts, rule.Hosts...)
		main.Splits = splits
	}
	slices.SortFunc(tags, func(a, b manifest.Traffic) int { return cmp.Compare(a.Tag, b.Tag) })
	slices.Sort(main.Hosts)
	return main, tags
}

// localSplits are the shares of the host that every Service has within the cluster.
func localSplits(svc *servingv1.Service, ing *nv1alpha1.Ingress) []manifest.Split {
	for _, rule := range ing.Spec.Rules {
		own := func(host string) bool { return strings.HasPrefix(host+".", svc.Name+"."+svc.Namespace+".") }
		if rule.HTTP == nil || rule.Visibility != nv1alpha1.IngressVisibilityClusterLocal ||
			!slices.ContainsFunc(rule.Hosts, own) {
			continue
		}
		if splits, ok := splitsOf(rule.HTTP.Paths); ok {
			return splits
		}
	}
	return nil
}

func tagHosts(svc *servingv1.Service) map[string]string {
	hosts := map[string]string{}
	for _, t := range svc.Status.Traffic {
		if t.Tag != "" && t.URL != nil {
			hosts[t.URL.Host] = t.Tag
		}
	}
	return hosts
}

// splitsOf takes the path that serves everything; others are for certificate
// challenges and for routing by tag header.
func splitsOf(paths []nv1alpha1.HTTPIngressPath) ([]manifest.Split, bool) {
	i := slices.IndexFunc(paths, func(p nv1alpha1.HTTPIngressPath) bool {
		return len(p.Headers) == 0 && (p.Path == "" || p.Path == "/")
	})
	if i < 0 {
		return nil, false
	}
	percent := map[string]int32{}
	for _, s := range paths[i].Splits {
		revision := s.AppendHeaders[activator.RevisionHeaderName]
		if revision == "" {
			revision = s.ServiceName
		}
		share := s.Percent
		if share == 0 && len(paths[i].Splits) == 1 {
			share = 100 // as the KIngress has it for one split
		}
		percent[revision] += int32(min(max(share, 0), 100))
	}
	var splits []manifest.Split
	for _, revision := range sortedKeys(percent) {
		splits = append(splits, manifest.Split{Revision: revision, Percent: percent[revision]})
	}
	return splits, true
}

func revisionOf(rev *servingv1.Revision) manifest.Revision {
	out := manifest.Revision{Port: servingv1.DefaultUserPort, H2C: rev.GetProtocol() == networking.ProtocolH2C}
	c := rev.Spec.GetContainer()
	if c != nil && len(c.Ports) > 0 {
		out.Port = c.Ports[0].ContainerPort
	}
	if rev.Spec.TimeoutSeconds != nil {
		out.Timeout = time.Duration(*rev.Spec.TimeoutSeconds) * time.Second
	}
	out.Engine = engineOf(rev.Annotations, c)
	return out
}
