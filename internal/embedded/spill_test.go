package embedded

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A transaction is ended only if it pins more than the budget allows: not because eviction takes
// several steps, and not because of what idle runs cost (semantics 2.14).
func TestSpillLeavesSmallTransactionsAlone(t *testing.T) {
	o := memOptions()
	o.Mode, o.SweepInterval, o.MemoryBudget, o.WriteBuffer = None, -1, 2<<20, 4<<20
	db := mustOpen(t, o)
	runs := 6000
	if testing.Short() {
		runs = 1500
	}
	for i := range runs { // begun, written to, ended: nothing of them is needed in memory
		number, err := db.AllocateScope(ctx)
		require.NoError(t, err)
		s := &backend.Scope{Number: number, Record: fmt.Sprint("run-", i)}
		record := scopeRecord(s, 1, codec.Active)
		_, err = db.Commit(ctx, &backend.Request{
			CreateScopes: []*backend.Scope{s}, Writes: []backend.Write{record}})
		require.NoError(t, err)
		commit(t, db, put(s, "key", "value"))
		commit(t, db, scopeRecord(s, 1, codec.Completed))
	}
	s := newScope(t, db, 1)
	for i := range 20_000 {
		pin, err := db.Begin()
		require.NoError(t, err)
		commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the budget"))
		require.NoError(t, pin.Err(), "after %d", i)
		pin.Release()
	}
	require.Zero(t, db.Stats().TooOld)
	require.NotZero(t, db.Stats().Spilled)
	require.Less(t, db.Stats().MemtableBytes, 2*o.MemoryBudget)
}

// One that does pin too much is ended, the oldest first, and the memory is free again.
func TestSpillEndsTransactionsThatPinTooMuch(t *testing.T) {
	o := memOptions()
	o.Mode, o.SweepInterval, o.MemoryBudget, o.WriteBuffer = None, -1, 1<<20, 4<<20
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	old, err := db.Begin()
	require.NoError(t, err)
	defer old.Release()
	for i := 0; old.Err() == nil; i++ {
		require.Less(t, i, 100_000, "nothing ends the transaction")
		commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the budget"))
	}
	require.ErrorIs(t, old.Err(), backend.ErrTxnTooOld)
	_, err = db.Commit(ctx, &backend.Request{Pin: old, Writes: []backend.Write{put(s, "a", "b")}})
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	young, err := db.Begin()
	require.NoError(t, err)
	defer young.Release()
	commit(t, db, put(s, "one", "more"))
	require.NoError(t, young.Err())
	for range 100 {
		commit(t, db, put(s, "one", "more"))
	}
	require.Less(t, db.Stats().MemtableBytes, 2*o.MemoryBudget)
}
