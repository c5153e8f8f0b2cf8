package binding

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/knative-inference/autoscaler-adapter/pkg/annotations"
)

const (
	// maxEntries keeps a route below Gateway API's 64 matches a rule and 16 hosts a route.
	maxEntries = 16
	// maxHost is the longest host name.
	maxHost = 253
)

// pathForm is what Gateway API allows in an exact path.
var pathForm = regexp.MustCompile(`^/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$`)

// headerForm is a header's name, as RFC 7230 has it.
var headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+\\-.^_`|~]{1,256}$")

// entries is a list of at most maxEntries.
func entries(v string) ([]string, error) {
	list, err := annotations.List(v)
	if err != nil {
		return nil, err
	}
	if len(list) > maxEntries {
		return nil, fmt.Errorf("%q has %d entries; at most %d are possible", v, len(list), maxEntries)
	}
	return list, nil
}

// pairs splits entries at their first equals sign.
func pairs(v, example string) ([][2]string, error) {
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	out := make([][2]string, len(list))
	for i, e := range list {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("%q: %q is not name=value, such as %q", v, e, example)
		}
		if slices.ContainsFunc(out[:i], func(p [2]string) bool { return strings.EqualFold(p[0], name) }) {
			return nil, fmt.Errorf("%q names %q twice; remove one", v, name)
		}
		out[i] = [2]string{name, value}
	}
	return out, nil
}

func hostnames(v string) ([]string, error) {
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		if len(h) > maxHost || len(validation.IsDNS1123Subdomain(h)) > 0 {
			return nil, fmt.Errorf("%q: %q is not a host name in lower case, without port and wildcard, such as \"llm.example.com\"", v, h)
		}
	}
	return list, nil
}

func paths(v string) ([]string, error) {
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if !validPath(p) {
			return nil, fmt.Errorf("%q: %q is not an exact path that begins with \"/\", without query, \"//\", \"/./\" and \"/../\", such as \"/v1/chat/completions\"", v, p)
		}
	}
	return list, nil
}

// validPath holds what Gateway API's own validation holds.
func validPath(p string) bool {
	if len(p) > 1024 || !pathForm.MatchString(p) || strings.HasSuffix(p, "/..") || strings.HasSuffix(p, "/.") {
		return false
	}
	for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F"} {
		if strings.Contains(p, bad) {
			return false
		}
	}
	return true
}

func selector(v string) (map[string]string, error) {
	list, err := pairs(v, "release=qwen")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range list {
		if errs := slices.Concat(validation.IsQualifiedName(p[0]), validation.IsValidLabelValue(p[1])); len(errs) > 0 {
			return nil, fmt.Errorf("%q: %s=%s is not a label: %s", v, p[0], p[1], errs[0])
		}
		out[p[0]] = p[1]
	}
	return out, nil
}

func objectives(v string) ([]Objective, error) {
	list, err := pairs(v, "batch=-10")
	if err != nil {
		return nil, err
	}
	out := make([]Objective, len(list))
	for i, p := range list {
		if _, err := objectName(p[0], 30); err != nil {
			return nil, fmt.Errorf("%q: %w", v, err)
		}
		n, err := priority(p[1])
		if err != nil {
			return nil, fmt.Errorf("%q: %s: %w", v, p[0], err)
		}
		out[i] = Objective{p[0], n}
	}
	return out, nil
}

func models(v string) ([]string, error) {
	list, err := entries(v)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if len(m) > 256 || strings.ContainsFunc(m, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("%q: %q is not the name of a model: at most 256 printable ASCII characters, no spaces", v, m)
		}
	}
	return list, nil
}

func matchHeaders(v string) ([]Header, error) {
	list, err := pairs(v, "x-model-version=v2")
	if err != nil {
		return nil, err
	}
	out := make([]Header, len(list))
	for i, p := range list {
		if !headerForm.MatchString(p[0]) || len(p[1]) > 4096 {
			return nil, fmt.Errorf("%q: %q is not the name of a header", v, p[0])
		}
		out[i] = Header{p[0], p[1]}
	}
	return out, nil
}

// rewriteForms is what rewrites understands.
const rewriteForms = `write [{"target":"adapter-a","weight":90},{"target":"adapter-b","weight":10}], or [{"model":"qwen","targets":[{"target":"adapter-a","weight":1}]}] with one entry a model`

// rewrites reads the targets of every request, or of each named model.
func rewrites(v string) ([]Rewrite, error) {
	var list []struct {
		Model   string          `json:"model"`
		Targets []RewriteTarget `json:"targets"`
		RewriteTarget
	}
	if err := decodeStrictly(v, &list); err != nil {
		return nil, fmt.Errorf("%q is not a list of targets (%w); %s", v, err, rewriteForms)
	}
	if len(list) == 0 || len(list) > maxEntries {
		return nil, fmt.Errorf("%q has %d targets, and 1 to %d are allowed; %s", v, len(list), maxEntries, rewriteForms)
	}
	if list[0].Targets == nil {
		one := Rewrite{}
		for _, e := range list {
			if e.Targets != nil || e.Model != "" {
				return nil, fmt.Errorf("%q mixes both forms; %s", v, rewriteForms)
			}
			one.Targets = append(one.Targets, e.RewriteTarget)
		}
		return checkRewrites(v, []Rewrite{one})
	}
	out := make([]Rewrite, len(list))
	for i, e := range list {
		if e.RewriteTarget.Model != "" || e.Weight != 0 {
			return nil, fmt.Errorf("%q mixes both forms; %s", v, rewriteForms)
		}
		out[i] = Rewrite{e.Model, e.Targets}
	}
	return checkRewrites(v, out)
}

func decodeStrictly(v string, to any) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(v)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the list")
	}
	return nil
}

// checkRewrites also gives a lone target its weight.
func checkRewrites(v string, list []Rewrite) ([]Rewrite, error) {
	for i, r := range list {
		if slices.ContainsFunc(list[:i], func(o Rewrite) bool { return o.Model == r.Model }) {
			return nil, fmt.Errorf("%q has two entries for the model %q; join them", v, r.Model)
		}
		if len(r.Targets) == 0 || len(r.Targets) > maxEntries {
			return nil, fmt.Errorf("%q needs 1 to %d targets for the model %q; %s", v, maxEntries, r.Model, rewriteForms)
		}
		if len(r.Targets) == 1 && r.Targets[0].Weight == 0 {
			r.Targets[0].Weight = 1
		}
		for _, t := range r.Targets {
			if t.Model == "" || t.Weight < 1 || t.Weight > 1_000_000 {
				return nil, fmt.Errorf("%q: target %q has weight %d; each target needs a name and a weight from 1 to 1000000", v, t.Model, t.Weight)
			}
		}
	}
	return list, nil
}
