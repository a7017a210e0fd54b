package embedded

import "time"

// systemClock is the only reading of the machine's clock below the front door: everything else goes
// through Options.Clock, so that tests decide what time it is.
func systemClock() time.Time { return time.Now() }

// watch measures durations by the monotonic clock, for figures and for how often housekeeping is
// done: no record depends on it.
type watch struct{ start time.Time }

func startWatch() *watch { return &watch{start: time.Now()} }

func (w *watch) elapsed() time.Duration { return time.Since(w.start) }
