// Package model is the dumb commit authority: one mutex, maps, sorting, and every version of every
// key kept for ever. It is the oracle of the tests above the seam, and the twin that tells what the
// contract of package backend means where words are not enough.
//
// It trades everything for being obviously right. Nothing is evicted, no request is too old, what
// is committed is published and durable at the same moment, and a scan costs the whole primitive.
package model

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

var _ backend.Backend = (*Backend)(nil)

// Backend keeps everything in memory. It is safe for concurrent use; create it with New.
type Backend struct {
	now func() time.Time
	*store
	closed bool // guarded by store.mu
}

// store is what outlives a Close, so that Reopen can stand in for a restart.
type store struct {
	mu        sync.Mutex // guards everything below, and Backend.closed
	published uint64     // version of the newest commit; also what is durable
	reserved  uint64     // the greatest version that is passed over; see Reserve
	time      int64      // the latest that was told or committed at, Unix nanoseconds
	scopes    codec.Scope
	records   map[space]map[string][]backend.Record // every version of a key, oldest first
	commits   []backend.Commit                      // in version order
	numbers   map[codec.Scope]uint64                // last commit number of a scope
	logs      map[codec.Scope]eventLog
	origins   map[codec.Scope]origin // of forks
	dead      map[codec.Scope]bool   // deleted
	stats     backend.Stats
	derived   map[string][]byte // files by name
	retained
}

// space is one primitive of one scope; key is one key in it.
type space struct {
	scope     codec.Scope
	primitive codec.Primitive
}

type key struct {
	space
	user string
}

func keyOf(s *backend.Scope, p codec.Primitive, user string) key {
	return key{space{s.Number, p}, user}
}

func (k key) less(o key) bool {
	if k.scope != o.scope {
		return k.scope < o.scope
	}
	if k.primitive != o.primitive {
		return k.primitive < o.primitive
	}
	return k.user < o.user
}

// eventLog is the end of one scope's event log.
type eventLog struct {
	length uint64
	head   codec.EventDigest // hash of the last event, zero if there is none
	time   int64             // of the last event
}

// New returns an empty store that tells the time with now.
func New(now func() time.Time) *Backend {
	return &Backend{now: now, store: &store{
		records: map[space]map[string][]backend.Record{},
		numbers: map[codec.Scope]uint64{},
		logs:    map[codec.Scope]eventLog{},
		origins: map[codec.Scope]origin{},
		dead:    map[codec.Scope]bool{},
		derived: map[string][]byte{},

		retained: newRetained(),
	}}
}

// Reopen closes b and returns a new handle on the same store, as if the process had ended between.
// Counters start anew.
func (b *Backend) Reopen() *Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.stats = backend.Stats{}
	clear(b.held)
	clear(b.pins)
	b.time = 0 // what was told is forgotten, what was committed is not
	if n := len(b.commits); n > 0 {
		b.time = b.commits[n-1].Time
	}
	return &Backend{now: b.now, store: b.store}
}

// Close implements backend.Backend.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// AllocateScope implements backend.Backend.
func (b *Backend) AllocateScope(ctx context.Context) (codec.Scope, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return 0, fmt.Errorf("allocate scope: %w", err)
	}
	if b.scopes == codec.MaxScope {
		return 0, fmt.Errorf("allocate scope: all %d numbers are used up: %w",
			uint64(codec.MaxScope), backend.ErrReadOnly)
	}
	b.scopes++
	return b.scopes, nil
}

// Now implements backend.Backend.
func (b *Backend) Now() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tick()
}

// tick is the time, which stands still while the clock goes back. Callers hold mu.
func (b *Backend) tick() int64 {
	b.time = max(b.now().UnixNano(), b.time)
	return b.time
}

// Published implements backend.Backend.
func (b *Backend) Published() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.published
}

// Durable implements backend.Backend: it is the published version.
func (b *Backend) Durable() uint64 { return b.Published() }

// WaitPublished implements backend.Backend. It never waits: a version is published when it is
// handed out.
func (b *Backend) WaitPublished(ctx context.Context, version uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return fmt.Errorf("wait for version %d: %w", version, err)
	}
	if version > b.published {
		return fmt.Errorf("wait for version %d: the newest is %d: %w",
			version, b.published, codec.ErrInvalidArgument)
	}
	return nil
}

// WaitDurable implements backend.Backend.
func (b *Backend) WaitDurable(ctx context.Context, version uint64) error {
	return b.WaitPublished(ctx, version)
}

// Flush implements backend.Backend.
func (b *Backend) Flush(ctx context.Context) error { return b.WaitPublished(ctx, 0) }

// Stats implements backend.Backend. Counters that speak of logs, syncs and files stay 0.
func (b *Backend) Stats() backend.Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	stats := b.stats
	for _, keys := range b.records {
		stats.MemtableKeys += int64(len(keys))
	}
	return stats
}

// Begin implements backend.Backend. Nothing is ever thrown away, so a pin only remembers.
func (b *Backend) Begin() (backend.Pin, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("begin: %w", backend.ErrClosed)
	}
	b.stats.OpenPins++
	p := &pin{b: b, version: b.published}
	b.pins[p] = true
	return p, nil
}

type pin struct {
	b       *Backend
	version uint64
}

func (p *pin) Version() uint64 { return p.version }

func (p *pin) Err() error { return nil }

// Release counts and does nothing else: a pin released twice shows as a negative OpenPins.
func (p *pin) Release() {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.stats.OpenPins--
	delete(p.b.pins, p)
}

// usable answers for calls that need an open store and a live context. Callers hold mu.
func (b *Backend) usable(ctx context.Context) error {
	if b.closed {
		return backend.ErrClosed
	}
	return ctx.Err()
}
