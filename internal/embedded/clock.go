package embedded

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
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

// recentTimes has the times of the newest commits, so that reading a key with its time needs no
// read of the store, and does not push what is queued for it. Each version has one place, which
// the commits that share it take in turn. Readers take no lock.
type recentTimes struct {
	slots [recentCommits]timeSlot
}

// recentCommits is how many there are: 256 KiB. A power of two.
const recentCommits = 1 << 14

type timeSlot struct {
	version atomic.Uint64 // 0 while the slot changes hands
	time    atomic.Int64
}

// note takes a commit in. REQUIRES: the commit lock.
func (r *recentTimes) note(version uint64, time int64) {
	s := &r.slots[version%recentCommits]
	s.version.Store(0)
	s.time.Store(time)
	s.version.Store(version)
}

// drop forgets a commit that has gone from the list of commits.
func (r *recentTimes) drop(version uint64) {
	r.slots[version%recentCommits].version.CompareAndSwap(version, 0)
}

// get finds the time of a commit if it is a recent one.
func (r *recentTimes) get(version uint64) (time int64, ok bool) {
	s := &r.slots[version%recentCommits]
	if s.version.Load() != version {
		return 0, false
	}
	time = s.time.Load()
	return time, s.version.Load() == version
}

// CommitTime implements backend.Reader.
func (d *DB) CommitTime(ctx context.Context, version uint64) (int64, error) {
	if d.closed.Load() {
		return 0, backend.ErrClosed
	}
	if version == 0 || version > d.published.load() {
		return 0, nil
	}
	if time, ok := d.times.get(version); ok {
		return time, nil
	}
	r, err := d.CommitRecord(ctx, version)
	return r.Time, err
}
