package engines

import "testing"

// Register adds an engine until the test ends.
func Register(t testing.TB, e Engine) {
	before := registered
	registered = nil
	for _, old := range before {
		register(old)
	}
	register(e)
	t.Cleanup(func() { registered = before })
}
