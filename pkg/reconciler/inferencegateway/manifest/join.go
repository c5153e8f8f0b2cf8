package manifest

import (
	"regexp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// maxPathExpression and maxHeaderExpression are Gateway API's bounds, in characters.
const maxPathExpression, maxHeaderExpression = 1024, 4096

// joinPaths joins paths into as few expressions as the bound on their length allows: one, for
// all but the longest lists. A gateway matches an expression against the whole path.
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

// joinModels joins the names of models in the same way; a single name stays a name.
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

// join joins alternatives, in their order, into expressions of at most longest characters. An
// alternative that is longer is an expression of its own.
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
