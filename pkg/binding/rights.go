package binding

import (
	"fmt"
	glob "path"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/apis/inference"
)

// right is an annotation that reaches beyond the Service's own namespace: into
// that of a Gateway, or to code that runs with rights which the namespace may not
// have. A Service may repeat the cluster's setting; for another value the
// cluster's administrator must have listed it.
type right struct {
	// key is the annotation, list the key of the config map that allows it.
	key, list string
	// value is what an Intent has of it.
	value func(*Intent) string
	// allowed reports whether the administrator listed the Intent's value.
	allowed func(*Intent) bool
	// entry is what an administrator adds to the list.
	entry func(*Intent) string
}

func rights() []right {
	gateway := func(in *Intent) string { return in.Gateway.Namespace + "/" + in.Gateway.Name }
	image := func(in *Intent) string { return in.Picker.Image }
	reserved := func(key string, value func(*Intent) string) right {
		short := strings.TrimPrefix(key, inference.Domain+"/")
		return right{key, allowedKeysKey, value,
			func(in *Intent) bool { return slices.Contains(in.AllowedKeys, short) },
			func(*Intent) string { return short }}
	}
	return []right{
		{inference.GatewayKey, allowedGatewaysKey, gateway, func(in *Intent) bool { return globbed(in.AllowedGateways, in.Namespace, gateway(in)) }, gateway},
		{inference.PickerImageKey, allowedImagesKey, image, func(in *Intent) bool { return globbed(in.AllowedImages, in.Namespace, image(in)) }, image},
		reserved(inference.ProviderKey, func(in *Intent) string { return in.Provider }),
		reserved(inference.AllowWeightedPoolKey, func(in *Intent) string { return fmt.Sprint(in.AllowWeightedPools) }),
	}
}

// checkRights refuses the annotations that only the cluster's administrator may
// decide and did not list. cluster is the Intent of a Service without any.
func checkRights(in, cluster *Intent, annotations map[string]string) (problems []Problem) {
	for _, r := range rights() {
		v, given := annotations[r.key]
		if !given || r.value(in) == r.value(cluster) || r.allowed(in) {
			continue
		}
		problems = append(problems, Problem{Path: path(r.key), Message: fmt.Sprintf(
			"%q is for the cluster's administrator to decide, and Services of namespace %s may not; remove the annotation, or have an administrator add %q to %q of the ConfigMap %s",
			v, in.Namespace, r.entry(in), r.list, ConfigName)})
	}
	return problems
}

// reservedKeys reads the reserved annotations that Services may carry all the same.
func reservedKeys(v string) ([]string, error) {
	if strings.TrimSpace(v) == "" {
		return nil, nil
	}
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, r := range rights() {
		if r.list == allowedKeysKey {
			known = append(known, strings.TrimPrefix(r.key, inference.Domain+"/"))
		}
	}
	for _, key := range list {
		if !slices.Contains(known, key) {
			return nil, fmt.Errorf("%q: %q is not one of %s", v, key, quoted(known))
		}
	}
	return list, nil
}

// globs reads patterns for path.Match, whose star does not pass a slash.
func globs(v string) ([]string, error) {
	if strings.TrimSpace(v) == "" {
		return nil, nil
	}
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	for _, g := range list {
		if _, err := glob.Match(strings.ReplaceAll(g, namespacePlaceholder, "x"), ""); err != nil ||
			strings.ContainsAny(g, " \t\r\n\"'") {
			return nil, fmt.Errorf("%q: %q is not a pattern, such as \"infra/*\" or \"registry.example.com/epp:*\"; a star stands for anything but a slash", v, g)
		}
	}
	return list, nil
}

// globbed reports whether one of the patterns matches the whole value.
func globbed(patterns []string, namespace, value string) bool {
	return slices.ContainsFunc(patterns, func(g string) bool {
		ok, err := glob.Match(strings.ReplaceAll(g, namespacePlaceholder, namespace), value)
		return ok && err == nil
	})
}
