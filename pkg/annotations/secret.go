package annotations

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultSecretKey is the key that is read where a value names a Secret alone.
const DefaultSecretKey = "token"

// SecretKey is one key of a Secret in the namespace of the Service; the zero value is none.
type SecretKey struct{ Name, Key string }

// Secret is a Secret, or one key of it. The name of a namespace is no part of it: a Service
// reaches the Secrets of its own namespace only.
type Secret struct{}

// What Kubernetes takes for the name of a Secret and for a key, at most maxName bytes each.
// Neither has a character that means something to a shell: a condition shows commands with
// the name for users to copy.
var (
	secretName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	secretKey  = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
)

const maxName = 253

// Parse reads "name" or "name/key".
func (Secret) Parse(v string) (SecretKey, error) {
	name, key, given := strings.Cut(v, "/")
	if !given {
		key = DefaultSecretKey
	}
	switch {
	case len(name) > maxName || !secretName.MatchString(name):
		return SecretKey{}, fmt.Errorf("%q does not begin with the name of a Secret of this namespace: lower-case letters, digits, \"-\" and \".\", such as \"engine-token\" or \"engine-token/api-key\"", v)
	case len(key) > maxName || key == "." || strings.HasPrefix(key, "..") || !secretKey.MatchString(key):
		return SecretKey{}, fmt.Errorf("%q does not end with a key of a Secret: letters, digits, \"-\", \"_\" and \".\", such as \"engine-token/api-key\"", v)
	}
	return SecretKey{name, key}, nil
}

// Doc is the form.
func (Secret) Doc() string {
	return "the name of a Secret in the Service's namespace, or `name/key`; without a key `" + DefaultSecretKey + "`"
}
