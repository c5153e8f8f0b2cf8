package collector

import (
	"context"
	"time"
)

// clock is the time of the collector: the wall clock at its start plus the
// monotonic time since then. A wall clock that is set later moves nothing, so that
// no value stays known that was not measured lately and no window stands still.
type clock struct {
	// start has a monotonic reading, epoch is the same time without one: the times
	// made from epoch differ by monotonic time only.
	start, epoch time.Time
	wall         func() time.Time
}

func newClock(wall func() time.Time) clock {
	return clock{start: time.Now(), epoch: wall().Round(0), wall: wall}
}

func (k clock) now() time.Time { return k.epoch.Add(time.Since(k.start)) }

// waitForSecond sleeps until the clock's next whole second, and returns false when ctx ends.
func (k clock) waitForSecond(ctx context.Context) bool {
	now := k.now()
	timer := time.NewTimer(now.Truncate(time.Second).Add(time.Second).Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// toWall returns the wall clock's time of a collector's time, when the wall clock
// is at wall and the collector's at now.
func toWall(at, now, wall time.Time) time.Time { return wall.Add(at.Sub(now)) }
