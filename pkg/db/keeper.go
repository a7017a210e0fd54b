package inmem

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// The depth of a fork is through how many runs it reads.
const (
	// mostDepth is the depth that the keeper leaves alone.
	mostDepth = 8
	// boundDepth is the depth at which Fork itself waits until a chain is shorter.
	boundDepth = 64
)

// keeper keeps chains of forks short. A run that is too deep is noted when it is made, and, since
// the notes are gone with the process, when it is looked up. One goroutine works on what was noted;
// it exists as long as there is anything.
//
// Which run of a chain is flattened matters: of a hundred forks of one run all are too deep
// together. So it is one in the middle, which all of them have in common, and which leaves room
// for some generations more before the next has to be copied.
//
// Lock: mu is held for moments only, and no other lock is taken under it.
type keeper struct {
	db          *DB
	depth, most int // mostDepth and boundDepth; smaller in tests
	ctx         context.Context
	cancel      context.CancelFunc
	worker      sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	working bool
	queue   []runindex.Ref
	noted   map[codec.Scope]bool          // those in queue
	busy    map[codec.Scope]chan struct{} // those that are being flattened; closed at the end
}

func newKeeper(d *DB, depth int) *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	depth = cmp.Or(depth, mostDepth)
	return &keeper{
		db: d, depth: depth, most: depth * boundDepth / mostDepth, ctx: ctx, cancel: cancel,
		noted: map[codec.Scope]bool{}, busy: map[codec.Scope]chan struct{}{},
	}
}

// want notes a run that may be too deep.
func (k *keeper) want(of runindex.Ref) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.noted[of.Number] {
		return
	}
	k.noted[of.Number] = true
	k.queue = append(k.queue, of)
	if !k.working {
		k.working = true
		k.worker.Go(k.work)
	}
}

// look notes a run that was looked up if it is too deep. What is wrong with it shows elsewhere.
func (k *keeper) look(ctx context.Context, of runindex.Ref) {
	chain, err := runindex.Through(ctx, k.db.m.Scope(k.db.system), of)
	if err == nil && len(chain) > k.depth {
		k.want(of)
	}
}

// next takes a note, or ends the work.
func (k *keeper) next() (of runindex.Ref, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.queue) == 0 {
		k.working, k.queue = false, nil
		clear(k.noted)
		return of, false
	}
	of, k.queue = k.queue[0], k.queue[1:]
	delete(k.noted, of.Number)
	return of, true
}

func (k *keeper) work() {
	for of, ok := k.next(); ok; of, ok = k.next() {
		err := k.keep(of)
		if err == nil || k.ctx.Err() != nil || errors.Is(err, ErrRunNotFound) ||
			errors.Is(err, ErrClosed) {
			continue
		}
		// Whoever looks the run up next has it tried again.
		k.db.options.Logger.LogAttrs(k.ctx, slog.LevelWarn, "a chain of forks stays long",
			slog.String("run", of.ID), slog.Any("error", err))
	}
}

// keep flattens until a run is not too deep.
func (k *keeper) keep(of runindex.Ref) error {
	for {
		chain, err := runindex.Through(k.ctx, k.db.m.Scope(k.db.system), of)
		if err != nil || len(chain) <= k.depth {
			return err
		}
		if err := k.db.shorten(k.ctx, chain); err != nil {
			return err
		}
	}
}

// shorten flattens a run in the middle of a chain that is too long.
func (d *DB) shorten(ctx context.Context, chain []runindex.Ref) error {
	return d.flatten(ctx, chain[(d.keeper.depth-1)/2])
}

// enter waits until nobody else flattens a run. Whoever enters leaves.
func (k *keeper) enter(ctx context.Context, number codec.Scope) (leave func(), err error) {
	for {
		k.mu.Lock()
		other, taken := k.busy[number]
		if !taken {
			mine := make(chan struct{})
			k.busy[number] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				delete(k.busy, number)
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, txn.ContextError(ctx.Err())
		}
	}
}

// close ends the work and waits for it. What was not done is noted again another time.
func (k *keeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.worker.Wait()
}
