package embedded

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// keeper keeps the sentinel file up to date: the ceilings below which versions and scope numbers
// may be handed out, and what is known to be durable, so that the next open can tell a cut log from
// a damaged one. It works beside the commit path; only a ceiling that is used up makes a commit
// wait.
type keeper struct {
	db       *DB
	versions atomic.Uint64 // ceiling, also in the file
	scopes   atomic.Uint64 // ceiling, also in the file
	proven   atomic.Uint64 // the durable version in the file
	age      atomic.Pointer[watch]
	work     chan struct{} // capacity 1
	stop     chan struct{}
	done     chan struct{}

	// mu is held while the file is written. Lock order: the commit lock comes before mu.
	mu      sync.Mutex
	current sentinel // guarded by mu: what the file says
}

const (
	// versionBlock and scopeBlock are how far ahead numbers are reserved. After a crash the rest of
	// a block is skipped: gaps are legal, and 2^63 versions are 8.8e12 blocks.
	versionBlock = 1 << 20
	scopeBlock   = 1 << 12
	// proofInterval is how far the durable version in the file may lag behind: what was synced since
	// cannot be told from a torn tail if the log is damaged there.
	proofInterval = 2 * time.Second
)

func newKeeper(db *DB, s sentinel) *keeper {
	k := &keeper{
		db: db, current: s, work: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	k.publish()
	return k
}

// publish shows what the file says to those who do not hold mu. REQUIRES: mu, or no other user yet.
func (k *keeper) publish() {
	k.versions.Store(k.current.Versions)
	k.scopes.Store(k.current.Scopes)
	k.proven.Store(k.current.Durable)
	k.age.Store(startWatch())
}

// says is what the file says.
func (k *keeper) says() sentinel {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

func (k *keeper) versionCeiling() uint64 { return k.versions.Load() }

// run is the keeper's goroutine.
func (k *keeper) run() {
	defer close(k.done)
	ticker := time.NewTicker(proofInterval)
	defer ticker.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-k.work:
		case <-ticker.C:
			if k.db.durable.load() <= k.proven.Load() {
				continue // an idle database is proven once, and left alone
			}
		}
		// A failure sets the fault; whoever needs the ceiling next hears of it.
		_ = k.extend(0, 0)
	}
}

// noteDurable has the file written anew when it has fallen behind, and ceilings lifted in time.
func (k *keeper) noteDurable() {
	durable := k.db.durable.load()
	low := durable+versionBlock/2 > k.versions.Load()
	if low || (durable > k.proven.Load() && k.age.Load().elapsed() > proofInterval) {
		signal(k.work)
	}
}

// extend writes the file with what is durable now, and with ceilings that leave room above the
// given numbers (0: above those in use).
func (k *keeper) extend(version, scope uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.current
	s.Durable, s.Flushed = k.db.durable.load(), k.db.flushed.Load()
	s.Durable = max(s.Durable, s.Flushed, k.current.Durable)
	if high := max(version, s.Durable); high+versionBlock/2 > s.Versions {
		s.Versions = high + versionBlock
	}
	if high := max(scope, k.db.lastScope.Load()); high+scopeBlock/2 > s.Scopes {
		s.Scopes = min(high+scopeBlock, uint64(codec.MaxScope))
	}
	return k.writeLocked(s)
}

// writeLocked replaces the file. REQUIRES: mu.
func (k *keeper) writeLocked(s sentinel) error {
	if err := k.db.fault.err(); err != nil {
		return err
	}
	if name := k.db.manifest.Load(); name != nil {
		s.Manifest, s.ManifestSize = *name, 0
		if f := k.db.fs.synced.Load(); f != nil && f.name == *name {
			s.ManifestSize = f.size
		}
	}
	s.Log = k.db.marks.log.Load()
	if err := writeSentinel(k.db.fs, k.db.opts.Dir, s); err != nil {
		k.db.setFault("write "+sentinelName, err)
		return k.db.fault.err()
	}
	k.current = s
	k.publish()
	return nil
}

// close writes the file of a clean shutdown: the next open knows exactly what it must find.
func (k *keeper) close(last uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.current
	s.State, s.Durable, s.Flushed = stateClean, last, last
	s.Versions, s.Scopes = k.db.order.version, k.db.lastScope.Load()
	return k.writeLocked(s)
}

// allocateScope gives out the next scope number.
func (d *DB) allocateScope() (codec.Scope, error) {
	n := d.lastScope.Add(1)
	if n > uint64(codec.MaxScope) {
		return 0, fmt.Errorf("%w: scope numbers are used up at %d", backend.ErrReadOnly, n)
	}
	if n > d.keeper.scopes.Load() {
		if err := d.keeper.extend(0, n); err != nil {
			return 0, err
		}
	}
	return codec.Scope(n), nil
}
