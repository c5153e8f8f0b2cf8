//go:build !linux

package simulator

import "time"

// threadCPU is 0 where the system does not report the time of a thread.
func threadCPU() time.Duration { return 0 }
