package manifest

import (
	"regexp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// maxPathExpression and maxHeaderExpression are Gateway API's bounds, in characters.
const maxPathExpression, maxHeaderExpression = 1024, 4096

// joinPaths makes as few matches of paths as their length allows: one, for all but the
// longest lists. What is joined must be one of the paths as a whole, as gateways match expressions.
func joinPaths(paths []pathMatch) (out []pathMatch) {
	if len(paths) < 2 {
		return paths
	}
	alternatives := make([]string, len(paths))
	for i, p := range paths {
		alternatives[i] = p.value
		if p.kind == gatewayv1.PathMatchExact {
			alternatives[i] = regexp.QuoteMeta(p.value)
		}
	}
	for _, value := range join(alternatives, maxPathExpression) {
		out = append(out, pathMatch{gatewayv1.PathMatchRegularExpression, value})
	}
	return out
}

// joinModels does the same with the names of models; one alone stays a name.
func joinModels(models []string) []string {
	if len(models) < 2 {
		return models
	}
	quoted := make([]string, len(models))
	for i, m := range models {
		quoted[i] = regexp.QuoteMeta(m)
	}
	return join(quoted, maxHeaderExpression)
}

// join makes expressions of at most so many characters of alternatives, in their order.
func join(alternatives []string, longest int) (out []string) {
	for _, a := range alternatives {
		last := len(out) - 1
		if last >= 0 && len(out[last])+len("|")+len(a) <= longest {
			out[last] += "|" + a
			continue
		}
		out = append(out, a)
	}
	return out
}
