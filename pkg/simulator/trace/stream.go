package trace

import (
	"hash/fnv"
	"math/rand/v2"
)

// Stream returns the random numbers of one subsystem: streams of different
// names do not depend on each other, so that drawing more of one leaves the
// rest of a simulation as it was.
func Stream(seed uint64, subsystem string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(subsystem))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
