package embedded

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/invariants"
	"github.com/inmem-db/inmem/pkg/codec"
)

// fill puts n keys into a scope, in commits of a thousand with an event each.
func fill(t testing.TB, db *DB, s *backend.Scope, n int) {
	t.Helper()
	for i := 0; i < n; {
		r := &backend.Request{}
		for ; i < n && len(r.Writes) < 1000; i++ {
			r.Writes = append(r.Writes, put(s, fmt.Sprintf("key/%08d", i), "value"))
		}
		payload := r.Writes[0].Value
		r.Appends = []backend.Append{{
			Scope: s, Type: "step", Payload: payload, Digest: codec.PayloadDigest(payload)}}
		_, err := db.Commit(ctx, r)
		require.NoError(t, err)
	}
}

// A fork costs the same whatever its parent holds (R211): it writes its record, and reads nothing
// of a parent that is in use.
func TestR211ForkCostsTheSameForEverySize(t *testing.T) {
	type cost struct{ bytes, reads uint64 }
	measure := func(keys int, cold bool) cost {
		o := memOptions()
		o.Mode, o.SweepInterval = Batched, -1
		db := mustOpen(t, o)
		parent := run(newScope(t, db, 1), 1)
		fill(t, db, parent.Scope, keys)
		if cold {
			require.NoError(t, db.Close())
			db = mustOpen(t, o)
			parent.Scope = &backend.Scope{Number: parent.Number, Record: parent.Record}
		}
		at := db.Published()
		before := db.Stats()
		f, r, err := newFork(db, parent, at)
		require.NoError(t, err)
		_, err = db.Commit(ctx, r)
		require.NoError(t, err)
		after := db.Stats()
		require.Equal(t, "value", value(t, db, f.Scope, "key/00000003", db.Published()))
		return cost{after.BytesLogged - before.BytesLogged, after.StoreReads - before.StoreReads}
	}
	for _, cold := range []bool{false, true} {
		small, large := measure(10, cold), measure(100_000, cold)
		require.Equal(t, small.reads, large.reads)
		require.InDelta(t, small.bytes, large.bytes, 16, "but for the length of numbers")
	}
}

// A fork in the past of a long history finds its place by bisection.
func TestForkInThePastReadsLittle(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	for range 3000 {
		appendTo(t, db, parent.Scope, "step")
	}
	require.NoError(t, db.handover.push())
	at := db.Published() - 1234
	for _, p := range []codec.Primitive{codec.Events, codec.Journal} {
		c, err := openDense(db.store, parent.Number, p)
		require.NoError(t, err)
		require.Equal(t, at, c.extentAt(0, at).Last)
		keys := c.it.Stats().InternalStats.PointCount
		require.Less(t, keys, uint64(100), "of 3000")
		require.NoError(t, c.close())
	}
	f := fork(t, db, parent, at)
	c, err := db.Commits(ctx, f.Scope, db.Published())
	require.NoError(t, err)
	require.Equal(t, uint64(3000-1234), c.Count)
	appendTo(t, db, f.Scope, "own")
	require.Contains(t, shown(t, db, f.Scope, db.Published()),
		fmt.Sprintf("e %q %d", codec.EventUserKey(3000-1234), db.Published()))
}

// A thousand live forks of one run, written in parallel, apart from each other (R211).
func TestR211ThousandForks(t *testing.T) {
	forks := 1000
	if testing.Short() || invariants.Race {
		forks = 200
	}
	const writers = 8
	o := memOptions()
	o.SweepInterval, o.MemoryBudget = -1, 1<<20 // some of them are evicted on the way
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	fill(t, db, parent.Scope, 500)
	at := db.Published()
	want := shown(t, db, parent.Scope, at)
	all := make([]forked, forks)
	var group sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			for round := range 3 {
				for i := w; i < forks; i += writers {
					if round == 0 {
						f, r, err := newFork(db, parent, at)
						if err == nil {
							_, err = db.Commit(ctx, r)
						}
						if err != nil {
							errs <- err
							return
						}
						all[i] = f
					}
					s := all[i].Scope
					_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{
						put(s, fmt.Sprintf("key/%08d", round), fmt.Sprintf("%d of %d", round, i)),
						{Scope: s, Primitive: codec.KV, Key: fmt.Sprintf("key/%08d", 100+round),
							Op: backend.Delete}}})
					if err != nil {
						errs <- err
						return
					}
				}
			}
		}()
	}
	group.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	last := db.Published()
	require.Equal(t, want, shown(t, db, parent.Scope, last))
	for i := 0; i < forks; i += 1 + forks/100 {
		s := all[i].Scope
		require.Equal(t, fmt.Sprintf("2 of %d", i), value(t, db, s, "key/00000002", last))
		require.Equal(t, "value", value(t, db, s, "key/00000003", last))
		require.Empty(t, value(t, db, s, "key/00000101", last))
		require.Equal(t, want, shown(t, db, s, at))
	}
}

// Reading an inherited key allocates nothing, as long as it is in memory.
func TestInheritedGetsDoNotAllocate(t *testing.T) {
	if invariants.Race || invariants.Enabled {
		t.Skip("this build allocates for its own checks")
	}
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	fill(t, db, parent.Scope, 10)
	f := fork(t, db, parent, db.Published())
	at := db.Published()
	for _, key := range []string{"key/00000001", "no such key"} {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if _, err := db.Get(ctx, f.Scope, codec.KV, key, at); err != nil {
				t.Fatal(err)
			}
		}), key)
	}
}

// Where memory has only newer versions of a parent's keys, the store answers for its forks.
func TestForkOfAParentWhoseVersionsAreGoneFromMemory(t *testing.T) {
	o := memOptions()
	o.SweepInterval, o.MemoryBudget = -1, 64<<10
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	other := newScope(t, db, 2)
	fill(t, db, parent.Scope, 50)
	at := db.Published()
	f := fork(t, db, parent, at)
	want := shown(t, db, f.Scope, at)
	for i := range 20 {
		fill(t, db, parent.Scope, 50)
		for j := range 200 {
			commit(t, db, put(other, fmt.Sprintf("%d/%d", i, j), "fills the memory up"))
		}
	}
	require.NotZero(t, db.Stats().Spilled)
	require.Equal(t, want, shown(t, db, f.Scope, db.Published()))
	require.Equal(t, "value", value(t, db, f.Scope, "key/00000007", db.Published()))
}

// A reader that found no own record of a key in a fork does not tell so to a state that was made
// after the fork had been flattened: there the key is the fork's own.
func TestReadersOfForksBringNothingIntoFlattenedOnes(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	fill(t, db, parent.Scope, 5)
	f := fork(t, db, parent, db.Published())
	flattened(t, db, &f)
	require.NoError(t, db.handover.push())
	pin := db.pins.acquire() // of a reader that looked at the lineage before
	defer pin.Release()
	db.commitLock.Lock()
	require.NoError(t, forgetAll(db))
	require.Nil(t, db.scopes.get(f.Number))
	db.commitLock.Unlock()
	db.offer(f.Scope, codec.KV, "key/00000001", backend.Record{}, pin, pin.version,
		f.rec.ForkVersion)
	require.Equal(t, "value", value(t, db, f.Scope, "key/00000001", db.Published()))
}

// A fork that was flattened soon reads what it inherited from memory, like any other scope.
func TestFlattenedForksAreRememberedAgain(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	parent := run(newScope(t, db, 1), 1)
	fill(t, db, parent.Scope, 50)
	f := fork(t, db, parent, db.Published())
	commit(t, db, put(f.Scope, "own", "0"))
	flattened(t, db, &f)
	commit(t, db, parent.removal())
	require.NoError(t, db.Flush(ctx))
	// Nobody is offered what was read while another holds the commit lock: the graveyard, here.
	require.NoError(t, settle(ctx, db))
	last := db.Published()
	for range 3 {
		require.Equal(t, "value", value(t, db, f.Scope, "key/00000001", last))
		require.Equal(t, "0", value(t, db, f.Scope, "own", last))
	}
	before := db.Stats().StoreReads
	for range 10 {
		require.Equal(t, "value", value(t, db, f.Scope, "key/00000001", last))
		require.Equal(t, "0", value(t, db, f.Scope, "own", last))
	}
	require.Equal(t, before, db.Stats().StoreReads)
}

// A walk that lost a layer begins again if a fork was flattened since it began, and only then.
func TestWalksThatLoseALayerBeginAgain(t *testing.T) {
	db := mustOpen(t, memOptions())
	for lost := range 3 {
		walks := 0
		err := db.retold(func() error {
			if walks++; walks <= lost {
				db.flattened.Add(1)
				return backend.ErrScopeGone
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, lost+1, walks)
	}
	require.ErrorIs(t, db.retold(func() error { return backend.ErrScopeGone }),
		backend.ErrScopeGone)
}
