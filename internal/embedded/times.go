package embedded

import (
	"context"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
)

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
