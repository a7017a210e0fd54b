package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// graveyard frees the space of deleted scopes in the background. Its notes lie in the store, as
// g/<scope number>, written by the commit that deleted the scope; they go last, so what a crash
// interrupts is begun again by the next open. Each step may be done twice. Nothing here is a
// commit: nobody can read any more what goes.
//
// How a scope goes (freeing.go): the older versions of its record and of the index entries that
// were deleted with it; its entries of the index by deadline; then, in one batch, its keys, by a
// range deletion, or one by one if they are few, and the note. What the records of commits say of
// it goes later (thin.go).
type graveyard struct {
	db     *DB
	cancel context.CancelFunc
	done   chan struct{}
	work   chan struct{} // of capacity 1: there is something to do

	freed atomic.Uint64

	turn    chan struct{} // capacity 1: holds an element while somebody frees
	thinned thinned       // guarded by turn: the list of commits

	mu     sync.Mutex
	graves map[codec.Scope]uint64 // guarded by mu: not freed yet, and the version of the deletion
	// emptied are scopes that were freed since Reclaim asked; guarded by mu. Bounded: what finds no
	// place comes back in the course of Pebble's own compactions.
	emptied map[codec.Scope]struct{}
}

// mostEmptied bounds graveyard.emptied.
const mostEmptied = 1 << 16

// grave is a deleted scope that is to be freed.
type grave struct {
	scope   codec.Scope
	version uint64 // of the commit that deleted it
}

func newGraveyard(d *DB) *graveyard {
	return &graveyard{
		db: d, done: make(chan struct{}), work: make(chan struct{}, 1),
		turn: make(chan struct{}, 1), graves: map[codec.Scope]uint64{},
		emptied: map[codec.Scope]struct{}{},
	}
}

// load finds the notes that the last process left. Verify tells of a wrong one, here it is left
// alone.
func (g *graveyard) load() error {
	lower, err := codec.AppendKey(nil, codec.SystemScope, codec.Graveyard, "")
	if err != nil {
		return err
	}
	it, err := g.db.store.NewIter(&pebble.IterOptions{
		LowerBound: lower,
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.Graveyard, ""),
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		_, _, user, version, err := codec.DecodeKey(it.Key())
		if err != nil {
			return closeIter(it, err)
		}
		n, err := codec.DecodeGraveUserKey(string(user))
		if err != nil {
			return closeIter(it, err)
		}
		found := grave{scope: n, version: version}
		if err = g.db.checkGrave(found); err != nil && !errors.Is(err, codec.ErrCorrupt) {
			return closeIter(it, err)
		}
		if err != nil {
			g.db.opts.Logger.Warn("a note about a deleted run is wrong: nothing is freed by it",
				"scope", n, "version", version, "error", err)
			continue
		}
		g.add(found)
	}
	return closeIter(it, nil)
}

// start begins to free what is there.
func (g *graveyard) start() {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	signal(g.work)
	go g.run(ctx)
}

// end stops the goroutine and waits for it.
func (g *graveyard) end() {
	g.cancel()
	<-g.done
}

func (g *graveyard) add(x grave) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.graves[x.scope] = x.version
}

func (g *graveyard) remove(list []grave) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, x := range list {
		delete(g.graves, x.scope)
		if len(g.emptied) < mostEmptied {
			g.emptied[x.scope] = struct{}{}
		}
	}
	g.freed.Add(uint64(len(list)))
}

// takeEmptied returns the scopes that were freed since the last call.
func (g *graveyard) takeEmptied() map[codec.Scope]struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.emptied
	g.emptied = map[codec.Scope]struct{}{}
	return taken
}

// version is that of the commit that deleted a scope; 0 if the scope lives, or is freed already.
func (g *graveyard) version(n codec.Scope) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.graves[n]
}

func (g *graveyard) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.graves)
}

// list returns all graves, by scope number.
func (g *graveyard) list() []grave {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]grave, 0, len(g.graves))
	for _, n := range slices.Sorted(maps.Keys(g.graves)) {
		all = append(all, grave{scope: n, version: g.graves[n]})
	}
	return all
}

// graveRetry is how long the graveyard waits after a failure, a damaged table for instance.
const graveRetry = time.Minute

func (g *graveyard) run(ctx context.Context) {
	defer close(g.done)
	retry := time.NewTimer(graveRetry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.work:
		case <-retry.C:
		}
		err := errors.Join(g.freeAll(ctx), g.db.thinSome(ctx))
		if err != nil && (ctx.Err() != nil || g.db.running() != nil) {
			return
		}
		if err != nil {
			g.db.opts.Logger.Warn("freeing the space of deleted runs failed", "error", err)
		}
		retry.Reset(graveRetry)
	}
}

// freeAll frees what there is now.
func (g *graveyard) freeAll(ctx context.Context) error {
	return g.inTurn(ctx, func() error { return g.free(ctx, g.list()) })
}

// inTurn calls f. One frees at a time, others wait.
func (g *graveyard) inTurn(ctx context.Context, f func() error) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	return f()
}

// graveBatch is how many scopes are freed together: they share one walk over the deadlines, and
// one batch, because each batch with a range deletion costs the readers of Pebble's memtable.
const graveBatch = 256

// free frees scopes that are deleted for every reader. One that cannot be freed does not keep the
// others from it.
func (g *graveyard) free(ctx context.Context, graves []grave) (err error) {
	for some := range slices.Chunk(graves, graveBatch) {
		newest := slices.MaxFunc(some, func(a, b grave) int {
			return cmp.Compare(a.version, b.version)
		})
		if err := g.db.published.wait(ctx, newest.version, g.db.running); err != nil {
			return err
		}
		// What they wrote last must not reach the store behind the deletions.
		if err := g.db.handover.reach(newest.version); err != nil {
			return err
		}
		done, failed := g.db.freeScopes(ctx, some)
		g.remove(done)
		if err = errors.Join(err, failed); ctx.Err() != nil {
			break
		}
	}
	return err
}

// readGrave reads what a note says.
func (d *DB) readGrave(g grave) ([]codec.Change, error) {
	if !d.storeGate.TryRLock() {
		return nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	value, closer, err := d.store.Get(graveKey(g))
	if err != nil {
		return nil, d.readFailed(err)
	}
	note, err := codec.DecodeJournalRecord(0, bytes.Clone(value))
	return note.Changes, d.readFailed(errors.Join(err, closer.Close()))
}

// checkGrave tells whether a commit can have left a note: the one that removes the record of a
// scope is the only one that does, and what lives must not be freed.
func (d *DB) checkGrave(g grave) error {
	if newest := d.published.load(); g.version > newest {
		return fmt.Errorf("%w: a note of version %d, the newest commit is %d", codec.ErrCorrupt,
			g.version, newest)
	}
	changes, err := d.readGrave(g)
	if err != nil {
		return err
	}
	named := slices.IndexFunc(changes, func(c codec.Change) bool {
		return c.Primitive == codec.ScopeRecords
	})
	if named < 0 {
		return fmt.Errorf("%w: the note names no record", codec.ErrCorrupt)
	}
	rec, err := d.readStore(codec.SystemScope, codec.ScopeRecords, changes[named].Key, maxVersion)
	if err != nil || !rec.Exists() {
		return err
	}
	now, err := codec.DecodeScopeRecord(rec.Value)
	if err == nil && now.Number == g.scope { // a later run may have its name
		err = fmt.Errorf("%w: its record is there", codec.ErrCorrupt)
	}
	return err
}
