package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// maxPool leaves room for "-ip-" and 8 hex digits of Istio's shadow Service.
	maxPool = 51
	// maxName is that of a Service, a label value and most else.
	maxName = 63
	// digits of a hash in a shortened name.
	digits = 8
)

// fit shortens a name to most bytes; a hash keeps shortened names apart.
func fit(name string, most int) string {
	if len(name) <= most {
		return name
	}
	return strings.TrimRight(name[:most-digits-1], "-.") + "-" + digest(name)[:digits]
}

// scoped names the filter of a Service's routes, which is in another namespace.
func scoped(namespace, name string) string {
	suffix := "-" + digest(namespace + "/" + name)[:digits] + "-routes"
	return strings.TrimRight(fit(namespace+"-"+name, maxName-len(suffix)), "-.") + suffix
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// OfRevision reports whether a pool, or an object of its picker, is that of one revision.
func OfRevision(name, revision string) bool {
	pool := fit(revision, maxPool)
	return name == pool || name == pickerName(pool) || strings.HasPrefix(name, pickerName(pool)+"-")
}

// pickerName names the picker of a pool and everything that belongs to it.
func pickerName(pool string) string { return fit(pool+"-epp", maxName) }
