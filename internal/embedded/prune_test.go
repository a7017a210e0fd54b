package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// pruningOptions are options with which Prune does not wait for readers that may be there.
func pruningOptions() Options {
	o := memOptions()
	o.SweepInterval, o.readGrace = -1, -1
	return o
}

// What is interrupted is taken up by the next Prune, in the same process and after a reopen.
func TestR214PruneIsTakenUpAgain(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		o := pruningOptions()
		db, err := Open(ctx, o)
		require.NoError(t, err)
		h := live(t, db, 1, 300)
		slow := allOf(h.last)
		slow.Rate = 1
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		_, err = db.Prune(short, h.scope, slow)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, h.last, h.want(t, db), "the horizons stand")
		require.Greater(t, storedVersions(t, db, h.scope, codec.KV, "hot"), 100)
		if reopen {
			require.NoError(t, db.Close())
			db, err = Open(ctx, o)
			require.NoError(t, err)
		}
		s := &backend.Scope{Number: h.scope.Number, Record: h.scope.Record}
		r, err := db.Prune(ctx, s, allOf(h.last))
		require.NoError(t, err)
		require.Greater(t, r.Versions, uint64(100))
		require.Equal(t, 1, storedVersions(t, db, s, codec.KV, "hot"))
		require.Equal(t, h.last, h.want(t, db))
		require.NoError(t, db.Close())
	}
}

// A run that is deleted while it is pruned leaves nothing behind, and no record of horizons.
func TestPruneOfARunThatIsDeleted(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	for i := range 10 {
		h := live(t, db, 1, 200)
		slow := allOf(h.last)
		slow.Rate = 2000
		failed := make(chan error, 1)
		go func() {
			_, err := db.Prune(ctx, h.scope, slow)
			failed <- err
		}()
		time.Sleep(time.Duration(i) * 5 * time.Millisecond)
		_, err := db.Commit(ctx, deletion(h.scope))
		require.NoError(t, err)
		if err := <-failed; err != nil {
			require.ErrorIs(t, err, backend.ErrScopeGone)
		}
		require.NoError(t, settle(ctx, db))
		require.Zero(t, remainsOf(t, db, h.scope).keys)
		requireTail(t, db)
	}
}

// Close ends a Prune and a Reclaim at once.
func TestCloseEndsAPrune(t *testing.T) {
	db, err := Open(ctx, pruningOptions())
	require.NoError(t, err)
	h := live(t, db, 1, 200)
	slow := allOf(h.last)
	slow.Rate = 1
	failed := make(chan error, 1)
	go func() {
		_, err := db.Prune(ctx, h.scope, slow)
		failed <- err
	}()
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, db.Close())
	require.ErrorIs(t, <-failed, backend.ErrClosed)
	_, err = db.Prune(ctx, h.scope, slow)
	require.ErrorIs(t, err, backend.ErrClosed)
	_, err = db.Reclaim(ctx)
	require.ErrorIs(t, err, backend.ErrClosed)
	_, err = db.Retain(ctx, h.scope, h.last)
	require.ErrorIs(t, err, backend.ErrClosed)
}

// A version is taken from readers that hold nothing only when it is old enough.
func TestPruneWaitsForReaders(t *testing.T) {
	o := pruningOptions()
	o.readGrace = 100 * time.Millisecond
	db := mustOpen(t, o)
	h := live(t, db, 1, 50)
	began := time.Now()
	r, err := db.Prune(ctx, h.scope, allOf(h.last))
	require.NoError(t, err)
	require.Equal(t, h.last, r.After.Newest())
	require.GreaterOrEqual(t, time.Since(began), o.readGrace)
	began = time.Now()
	_, err = db.Prune(ctx, h.scope, allOf(h.last))
	require.NoError(t, err)
	require.Less(t, time.Since(began), o.readGrace, "known to be old")
}

// Writers write two keys to the same value in one commit, prunings go on beside them, and whoever
// holds a version, by a retention or as a transaction, sees both alike, and is never refused. The
// run is forked meanwhile, and the forks hold as well.
func TestR214PruneBesideEverybody(t *testing.T) {
	for _, eager := range []bool{false, true} {
		t.Run(fmt.Sprintf("spilling=%t", eager), func(t *testing.T) { pruneBeside(t, eager) })
	}
}

func pruneBeside(t *testing.T, eager bool) {
	o := pruningOptions()
	o.evictEagerly, o.WriteBuffer = eager, 64<<10
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	first := commit(t, db, put(s, "a", "0"), put(s, "b", "0"))
	var done atomic.Bool
	var wg sync.WaitGroup
	var held, refused atomic.Int64
	for n := range 2 {
		wg.Go(func() {
			for i := 0; !done.Load() && !t.Failed(); i++ {
				text := fmt.Sprint(n, "/", i)
				_, err := db.Commit(ctx, &backend.Request{
					Writes: []backend.Write{put(s, "a", text), put(s, "b", text)}})
				assert.NoError(t, err)
			}
		})
	}
	for n := range 3 {
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		wg.Go(func() {
			for !done.Load() && !t.Failed() {
				now := db.Published()
				at := max(first, now-min(now, rng.Uint64N(60)))
				hold, err := db.Retain(ctx, s, at)
				if errors.Is(err, backend.ErrPruned) {
					refused.Add(1)
					continue
				}
				if assert.NoError(t, err) {
					held.Add(1)
					for range 3 {
						wantTwins(t, db, s, at)
					}
					hold.Release()
				}
				pin, err := db.Begin()
				if assert.NoError(t, err) {
					wantTwins(t, db, s, pin.Version())
					pin.Release()
				}
			}
		})
	}
	until := time.Now().Add(time.Second)
	if testing.Short() {
		until = time.Now().Add(300 * time.Millisecond)
	}
	late := until.Add(time.Minute) // on a slow machine it takes longer until all had their turn
	met := func() bool { return held.Load() > 0 && db.Stats().Pruned > 0 }
	for i := 0; !t.Failed() && (time.Now().Before(until) || !met() && time.Now().Before(late)); i++ {
		now := db.Published()
		_, err := db.Prune(ctx, s, allOf(now-min(now, uint64(i%40))))
		require.NoError(t, err)
	}
	done.Store(true)
	wg.Wait()
	t.Logf("%d held, %d refused, %d removed", held.Load(), refused.Load(), db.Stats().Pruned)
	require.NotZero(t, held.Load())
	require.NotZero(t, db.Stats().Pruned)
	requireTail(t, db)
}

// wantTwins demands that two keys are alike at a version that is held.
func wantTwins(t *testing.T, db *DB, s *backend.Scope, at uint64) {
	a, errA := db.Get(ctx, s, codec.KV, "a", at)
	b, errB := db.Get(ctx, s, codec.KV, "b", at)
	if errA != nil || errB != nil || string(a.Value) != string(b.Value) || a.Version > at {
		t.Errorf("at %d: %q of %d, %v; %q of %d, %v", at, a.Value, a.Version, errA, b.Value, b.Version,
			errB)
	}
	c := db.Scan(ctx, s, codec.KV, backend.Range{}, at)
	defer c.Close()
	n := 0
	for c.Next() {
		if n++; string(c.Record().Value) != string(a.Value) {
			t.Errorf("at %d: scan says %q of %d", at, c.Record().Value, c.Record().Version)
		}
	}
	if c.Err() != nil || n != 2 {
		t.Errorf("at %d: %d keys, %v", at, n, c.Err())
	}
}

// What a Prune writes is what stays of a group of journal records. If the run is deleted and freed
// while it is on its way, it is not written.
func TestPruneWritesNothingBehindADeletion(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	db.handover.pushing.Lock() // commits that wait together share a key
	s := newScope(t, db, 1)
	for i := range 20 {
		commit(t, db, put(s, fmt.Sprint(i), "value"))
	}
	db.handover.pushing.Unlock()
	require.NoError(t, db.handover.push())
	p := &prune{db: db, scope: s, pace: pace{db: db}}
	first, err := codec.AppendKey(nil, s.Number, codec.Journal, "")
	require.NoError(t, err)
	doomed, _, err := p.page(ctx, codec.Journal, first, &outdated{keep: 10})
	require.NoError(t, err)
	require.Len(t, doomed, 1)
	require.NotNil(t, doomed[0].rest)

	_, err = db.Commit(ctx, deletion(s))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	require.Zero(t, remainsOf(t, db, s).keys)
	require.ErrorIs(t, p.discard(ctx, doomed), backend.ErrScopeGone)
	require.Zero(t, remainsOf(t, db, s).keys)
}

// The last step of a Prune writes to the store, so Close keeps it out, or waits for it.
func TestFinishIsKeptFromClose(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	s := newScope(t, db, 1)
	after := newHorizons(codec.HorizonRecord{Pending: true})
	p := &prune{db: db, scope: s, after: after}
	db.commitGate.Lock()
	require.ErrorIs(t, p.finish(ctx), backend.ErrClosed)
	db.commitGate.Unlock()
	require.Same(t, after, p.after)
	require.NoError(t, p.finish(ctx))
	require.False(t, p.after.pending)
}

// What a Prune does with the commit lock it does not do to a scope that was deleted, or whose state
// was replaced, since it looked.
func TestPruneLooksAtTheScopeUnderTheLock(t *testing.T) {
	db := mustOpen(t, pruningOptions())
	p := &prune{db: db, scope: newScope(t, db, 1)}
	never := func(*scopeState) error {
		t.Error("called")
		return nil
	}
	st := &scopeState{}
	st.phase.Store(scopeGone)
	called, err := p.whileIn(st, never)
	require.False(t, called)
	require.ErrorIs(t, err, backend.ErrScopeGone)

	st = &scopeState{}
	st.retired.Store(true)
	called, err = p.whileIn(st, never)
	require.False(t, called)
	require.NoError(t, err)
}
