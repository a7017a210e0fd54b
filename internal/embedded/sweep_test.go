package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// sweepable opens an engine that sweeps only when asked to.
func sweepable(t *testing.T) (*DB, *backendtest.Clock) {
	clock := backendtest.NewClock()
	o := memOptions()
	o.Clock, o.SweepInterval = clock.Now, -1
	return mustOpen(t, o), clock
}

func putTTL(
	s *backend.Scope, clock *backendtest.Clock, key string, ttl time.Duration,
) backend.Write {
	w := put(s, key, "value")
	w.Expiry = clock.Now().Add(ttl).UnixNano()
	return w
}

// entries counts the index entries by deadline that are left.
func entries(t *testing.T, db *DB) (n int) {
	require.NoError(t, db.handover.push())
	lower, err := codec.AppendKey(nil, codec.SystemScope, codec.Expiries, "")
	require.NoError(t, err)
	it, err := db.store.NewIter(&pebble.IterOptions{
		LowerBound: lower,
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.Expiries, ""),
	})
	require.NoError(t, err)
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	require.NoError(t, it.Close())
	return n
}

// A sweep goes over what is due and nothing else: it leaves later deadlines alone, deletes what is
// due of several scopes in pages, drops the entries of keys that were written again, and of ended
// scopes, whose keys it leaves (R141, R142, R146, semantics 3.4). Those of a paused scope wait for
// it.
func TestSweep(t *testing.T) {
	db, clock := sweepable(t)
	a, b := newScope(t, db, 1), newScope(t, db, 2)
	ended, paused := newScope(t, db, 3), newScope(t, db, 4)
	for i := range 700 { // more than a page
		commit(t, db, putTTL(a, clock, fmt.Sprintf("due-%d", i), time.Second))
	}
	commit(t, db, putTTL(b, clock, "due", time.Second), putTTL(b, clock, "later", time.Hour))
	commit(t, db, putTTL(b, clock, "again", time.Second))
	commit(t, db, put(b, "again", "without a deadline"))
	commit(t, db, putTTL(ended, clock, "due", time.Second))
	commit(t, db, putTTL(paused, clock, "due", time.Second))
	commit(t, db, scopeRecord(ended, 3, codec.Completed), scopeRecord(paused, 4, codec.Paused))
	require.Equal(t, 700+2+1+1+1, entries(t, db))

	n, err := db.Sweep(ctx)
	require.NoError(t, err)
	require.Zero(t, n, "nothing is due")
	clock.Advance(2 * time.Second)
	n, err = db.Sweep(ctx)
	require.NoError(t, err)
	require.Equal(t, 701, n)
	require.Equal(t, uint64(701), db.Stats().Expired)
	at := db.Published()
	require.Equal(t, "", value(t, db, a, "due-699", at))
	require.Equal(t, "without a deadline", value(t, db, b, "again", at))
	require.Equal(t, "value", value(t, db, b, "later", at))
	require.Equal(t, "value", value(t, db, ended, "due", at), "an ended run stays as it was")
	require.Equal(t, 2, entries(t, db), "left: the later one, and that of the paused scope")

	commit(t, db, scopeRecord(paused, 4, codec.Active))
	n, err = db.Sweep(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 1, entries(t, db))
	requireTail(t, db)
}

// What has expired stays expired when the clock goes back: it reads as absent, cannot be deleted
// any more, and is swept (semantics 1.5). A deadline given meanwhile counts from where time stands
// still.
func TestSweepWhenTheClockGoesBack(t *testing.T) {
	db, clock := sweepable(t)
	s := newScope(t, db, 1)
	commit(t, db, putTTL(s, clock, "key", time.Minute))
	clock.Advance(time.Hour)
	stands := db.Now()
	clock.Advance(-2 * time.Hour)
	require.Equal(t, stands, db.Now())
	out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{
		{Scope: s, Primitive: codec.KV, Key: "key", Op: backend.Delete}}})
	require.NoError(t, err)
	require.Zero(t, out.Existed)
	n, err := db.Sweep(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Zero(t, entries(t, db))
	v := commit(t, db, put(s, "other", "value"))
	rec, err := db.CommitRecord(ctx, v)
	require.NoError(t, err)
	require.Equal(t, stands, rec.Time)
}

// What a sweep drops from the index goes into the log behind the commits that made it superfluous:
// a crash that takes these leaves the entries, and the keys are found again.
func TestSweepDropsNothingBeforeItsReason(t *testing.T) {
	clock := backendtest.NewClock()
	mem := disktest.New()
	o := memOptions()
	o.FS, o.Clock, o.SweepInterval = mem, clock.Now, -1
	idleHandover(&o)
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	commit(t, db, putTTL(s, clock, "due", time.Second), putTTL(s, clock, "put again", time.Second))
	require.NoError(t, db.Flush(ctx))
	commit(t, db, put(s, "put again", "without a deadline"))
	clock.Advance(time.Minute)
	page, err := db.dueKeys(ctx, nil)
	require.NoError(t, err)
	n, err := db.expire(ctx, page)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	// Pebble brings what it has to the disk of its own accord: when a block of its log is full, say.
	require.NoError(t, db.store.LogData(nil, pebble.Sync))
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, db.Close())

	db = mustOpen(t, o)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	_, err = db.Sweep(ctx)
	require.NoError(t, err)
	require.Zero(t, entries(t, db))
	rec, err := db.Get(ctx, s, codec.KV, "due", db.Published())
	require.NoError(t, err)
	require.True(t, rec.Deleted, "expired for good")
	rec, err = db.Get(ctx, s, codec.KV, "put again", db.Published())
	require.NoError(t, err)
	require.True(t, rec.Deleted || rec.Expiry == 0, "it was put again, or expired")
}
