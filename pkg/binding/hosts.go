package binding

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// Placeholders of a pattern of hosts.
const (
	// namespacePlaceholder is the Service's namespace.
	namespacePlaceholder = "{namespace}"
	// domainPlaceholder is each domain of Knative's config-domain in turn.
	domainPlaceholder = "{domain}"
)

// hostPatterns reads the hosts that Services may name; none when v is empty.
func hostPatterns(v string) ([]string, error) {
	if strings.TrimSpace(v) == "" {
		return nil, nil
	}
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		fixed := strings.TrimPrefix(strings.NewReplacer(namespacePlaceholder, "x", domainPlaceholder, "x").Replace(p), "*.")
		if p != "*" && len(validation.IsDNS1123Subdomain(fixed)) > 0 {
			return nil, fmt.Errorf("%q: %q is not a pattern of hosts in lower case, such as \"llm.example.com\", \"*.%s.%s\" or \"*\"; a star stands for whole labels, at the beginning only", v, p, namespacePlaceholder, domainPlaceholder)
		}
	}
	return list, nil
}

// denyHosts takes the hosts that the cluster does not let this namespace name out
// of Hostnames.
func (in *Intent) denyHosts() {
	asked := in.Hostnames
	in.Hostnames, in.DeniedHosts = nil, nil
	for _, host := range asked {
		if in.MayName(host) {
			in.Hostnames = append(in.Hostnames, host)
		} else {
			in.DeniedHosts = append(in.DeniedHosts, host)
		}
	}
}

// MayName reports whether the cluster lets the Service's namespace name a host.
func (in *Intent) MayName(host string) bool {
	return slices.ContainsFunc(in.AllowedHosts, func(pattern string) bool {
		return slices.ContainsFunc(in.patternsFor(pattern), func(p string) bool { return hostMatches(p, host) })
	})
}

// patternsFor fills the placeholders of one pattern. It is empty where the
// pattern gives the namespace nothing.
func (in *Intent) patternsFor(pattern string) (out []string) {
	domains := []string{""}
	if strings.Contains(pattern, domainPlaceholder) {
		domains = in.Domains
	}
	for _, domain := range domains {
		p := strings.ReplaceAll(pattern, domainPlaceholder, domain)
		if strings.Contains(p, namespacePlaceholder) && in.domainWithNamespace(p) != "" {
			continue
		}
		out = append(out, strings.ReplaceAll(p, namespacePlaceholder, in.Namespace))
	}
	return out
}

// domainWithNamespace is a served domain that has the namespace's own name as a
// label, or the pattern where that is in its fixed part: below such a namespace
// lie the hosts of other namespaces. Namespace prod and the domains example.com
// and prod.example.com, for example: chat.demo.prod.example.com is that of
// namespace demo. Empty is none.
func (in *Intent) domainWithNamespace(pattern string) string {
	for _, domain := range append(slices.Clone(in.Domains), pattern) {
		if slices.Contains(strings.Split(domain, "."), in.Namespace) {
			return domain
		}
	}
	return ""
}

// hostMatches reports whether a host fits a pattern. A star at the beginning is
// one label or more; alone it is any host.
func hostMatches(pattern, host string) bool {
	if pattern == "*" {
		return true
	}
	if inner, wild := strings.CutPrefix(pattern, "*."); wild {
		return strings.HasSuffix(host, "."+inner)
	}
	return host == pattern
}

// WhyDenied says which host a Service may not name, which it may, and who can
// change that.
func (in *Intent) WhyDenied(host string) string {
	var may []string
	why := ""
	for _, pattern := range in.AllowedHosts {
		fits := in.patternsFor(pattern)
		may = append(may, fits...)
		if domain := in.domainWithNamespace(strings.ReplaceAll(pattern, domainPlaceholder, "")); domain != "" &&
			len(fits) == 0 {
			why = fmt.Sprintf(" (the namespace's name is a label of the served domain %s, so %q gives it none)", domain, pattern)
		}
	}
	allowed := "none"
	if len(may) > 0 {
		allowed = quoted(may)
	}
	return fmt.Sprintf("Services of namespace %s may not name the host %q, only %s%s; correct %s, or have an administrator extend %q of the ConfigMap %s",
		in.Namespace, host, allowed, why, inference.HostnamesKey, allowedHostsKey, ConfigName)
}

// CheckHosts refuses the hosts that a Service may not name. The reconciler leaves
// them out and serves the others, so that an administrator's edit takes effect.
func CheckHosts(in *Intent) (problems []Problem) {
	if in == nil {
		return nil
	}
	for _, host := range in.DeniedHosts {
		problems = append(problems, Problem{Path: path(inference.HostnamesKey), Message: in.WhyDenied(host)})
	}
	return problems
}
