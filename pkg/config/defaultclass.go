package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
	"github.com/knative-inference/autoscaler-adapter/pkg/apis/autoscaling"
)

// The keys of config-ipa that name the class of InferenceServices of KServe that name none,
// and the namespaces in which they get it.
const (
	classKey           = "default-class"
	classNamespacesKey = "default-class-namespaces"
)

// ClassIn is the autoscaler class that an InferenceService of the namespace gets when it
// names none; "" leaves the class to KServe.
func (c *Config) ClassIn(namespace string) string {
	in := func(pattern string) bool { ok, _ := path.Match(pattern, namespace); return ok }
	if !slices.ContainsFunc(c.ClassNamespaces, in) {
		return ""
	}
	return c.Class
}

// parseClass reads both keys. Patterns are those of path.Match. A namespace has no slash, so *
// matches any text.
func (c *Config) parseClass(data map[string]string) error {
	if v, given := data[classKey]; given {
		c.Class = strings.TrimSpace(v)
	}
	if c.Class != "" && c.Class != autoscaling.Class {
		return fmt.Errorf("%s = %q, must be %s, or empty to leave the class to KServe", classKey, c.Class, autoscaling.Class)
	}
	v, given := data[classNamespacesKey]
	if !given {
		return nil
	}
	patterns, err := annotations.List(v)
	if err != nil {
		return fmt.Errorf("%s: %w; write names or patterns of namespaces, such as team-*", classNamespacesKey, err)
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%s = %q: the pattern %q is malformed", classNamespacesKey, v, pattern)
		}
	}
	c.ClassNamespaces = patterns
	return nil
}
