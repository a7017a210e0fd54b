package embedded

import (
	"sync/atomic"
	"time"
)

// systemClock is the only reading of the machine's clock below the front door: everything else goes
// through Options.Clock, so that tests decide what time it is.
func systemClock() time.Time { return time.Now() }

// risingClock is a wall clock that stands still while the one behind it goes back: what has expired
// stays expired, and commit times never fall.
type risingClock struct {
	wall func() time.Time
	high atomic.Int64 // the latest time that was told, or seen on a commit
}

// now is the time in Unix nanoseconds.
func (c *risingClock) now() int64 {
	t := c.wall().UnixNano()
	for {
		high := c.high.Load()
		if t <= high {
			return high
		}
		if c.high.CompareAndSwap(high, t) {
			return t
		}
	}
}

// watch measures durations by the monotonic clock, for figures and for how often housekeeping is
// done: no record depends on it.
type watch struct{ start time.Time }

func startWatch() *watch { return &watch{start: time.Now()} }

func (w *watch) elapsed() time.Duration { return time.Since(w.start) }
