package embedded

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/pkg/codec"
)

// graveyard frees the space of deleted scopes in the background. Its notes lie in the store, as
// g/<scope number>, written by the commit that deleted the scope; they go last, so what a crash
// interrupts is begun again by the next open. Each step may be done twice. Nothing here is a
// commit: nobody can read any more what goes.
//
// How a scope goes (freeing.go): the older versions of its record and of the index entries that
// were deleted with it; its entries of the index by deadline; then, in one batch, its keys, by a
// range deletion, or one by one if they are few, and the note.
type graveyard struct {
	db     *DB
	cancel context.CancelFunc
	done   chan struct{}
	work   chan struct{} // of capacity 1: there is something to do

	freed atomic.Uint64

	mu     sync.Mutex
	graves map[codec.Scope]uint64 // guarded by mu: not freed yet, and the version of the deletion
}

// grave is a deleted scope that is to be freed.
type grave struct {
	scope   codec.Scope
	version uint64 // of the commit that deleted it
}

func newGraveyard(d *DB) *graveyard {
	return &graveyard{
		db: d, done: make(chan struct{}), work: make(chan struct{}, 1),
		graves: map[codec.Scope]uint64{},
	}
}

// load finds the notes that the last process left.
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
		g.add(grave{scope: n, version: version})
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
	}
	g.freed.Add(uint64(len(list)))
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
		graves := g.list()
		err := g.free(ctx, graves)
		if err != nil && (ctx.Err() != nil || g.db.running() != nil) {
			return
		}
		if err != nil {
			g.db.opts.Logger.Warn("freeing the space of deleted runs failed", "error", err)
		}
		retry.Reset(graveRetry)
	}
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
