package binding

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// namespacePlaceholder is the Service's namespace in a pattern of hosts.
const namespacePlaceholder = "{namespace}"

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
		fixed := strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(p, namespacePlaceholder, "x"), "*."), ".*")
		if p != "*" && len(validation.IsDNS1123Subdomain(fixed)) > 0 {
			return nil, fmt.Errorf("%q: %q is not a pattern of hosts in lower case, such as \"llm.example.com\", \"*.%s.example.com\" or \"*\"; a star is for whole labels at the beginning or the end", v, p, namespacePlaceholder)
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

// MayName tells whether the cluster lets the Service's namespace name a host.
func (in *Intent) MayName(host string) bool {
	return slices.ContainsFunc(in.AllowedHosts, func(p string) bool {
		return hostMatches(strings.ReplaceAll(p, namespacePlaceholder, in.Namespace), host)
	})
}

// hostMatches holds a host against a pattern. A star at the beginning or the end
// is one label or more; alone it is any host.
func hostMatches(pattern, host string) bool {
	if pattern == "*" {
		return true
	}
	inner, before := strings.CutPrefix(pattern, "*.")
	inner, after := strings.CutSuffix(inner, ".*")
	switch {
	case before && after:
		return strings.Contains(host, "."+inner+".")
	case before:
		return strings.HasSuffix(host, "."+inner)
	case after:
		return strings.HasPrefix(host, inner+".")
	}
	return host == inner
}

// WhyDenied says which host a Service may not name, which it may, and who can
// change that.
func (in *Intent) WhyDenied(host string) string {
	allowed := "none"
	if len(in.AllowedHosts) > 0 {
		allowed = strings.ReplaceAll(quoted(in.AllowedHosts), namespacePlaceholder, in.Namespace)
	}
	return fmt.Sprintf("Services of namespace %s may not name the host %q, only %s; correct %s, or have an administrator extend %q of the ConfigMap %s",
		in.Namespace, host, allowed, inference.HostnamesKey, allowedHostsKey, ConfigName)
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
