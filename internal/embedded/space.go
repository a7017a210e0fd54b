package embedded

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/backend"
)

// space refuses commits while there is still room for what was accepted: Pebble does not survive a
// full disk, so it must not meet one. Unlike a storage failure this passes when there is room
// again.
type space struct {
	fs   vfs.FS
	dir  string
	min  uint64
	off  bool // nothing on disk
	next atomic.Pointer[watch]
	free atomic.Uint64
	busy atomic.Bool
}

// newSpace knows of no shortage until it has looked.
func newSpace(o *Options) *space {
	s := &space{fs: o.FS, dir: o.Dir, min: uint64(o.MinFreeSpace), off: o.Mode == None}
	s.free.Store(math.MaxUint64)
	return s
}

// spaceInterval is how often the file system is asked.
const spaceInterval = 250 * time.Millisecond

// check answers from the last look, and looks again when that is old.
func (s *space) check() error {
	if s.off {
		return nil
	}
	if w := s.next.Load(); w == nil || w.elapsed() > spaceInterval {
		s.look()
	}
	if free := s.free.Load(); free < s.min {
		return fmt.Errorf("%w: %s has %d MiB free, commits need %d MiB", backend.ErrNoSpace, s.dir,
			free>>20, s.min>>20)
	}
	return nil
}

// look asks the file system. One that cannot tell counts as roomy: commits will find out. Callers
// that come while somebody looks go by the last answer.
func (s *space) look() {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	defer s.busy.Store(false)
	free := uint64(math.MaxUint64)
	if u, err := s.fs.GetDiskUsage(s.dir); err == nil {
		free = u.AvailBytes
	}
	s.free.Store(free)
	s.next.Store(startWatch())
}
