package embedded

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// remains is what the store still holds of a scope, in numbers of engine keys.
type remains struct {
	keys      int // of the scope itself
	deadlines int // of its keys, in the index by deadline
	notes     int // in the graveyard, of whatever scope
	record    int // versions of its record
	entries   int // versions of index entries of the system scope, of whatever scope
}

// remainsOf looks into the store.
func remainsOf(t testing.TB, db *DB, s *backend.Scope) (r remains) {
	t.Helper()
	require.NoError(t, db.handover.push())
	it, err := db.store.NewIter(nil)
	require.NoError(t, err)
	for ok := it.First(); ok; ok = it.Next() {
		n, p, user, _, err := codec.DecodeKey(it.Key())
		require.NoError(t, err)
		switch {
		case n == s.Number:
			r.keys++
		case n != codec.SystemScope:
		case p == codec.Expiries:
			_, owner, _, _, err := codec.DecodeExpiryUserKey(string(user))
			require.NoError(t, err)
			if owner == s.Number {
				r.deadlines++
			}
		case p == codec.Graveyard:
			r.notes++
		case p == codec.ScopeRecords && string(user) == s.Record:
			r.record++
		case p == codec.RunIndex:
			r.entries++
		}
	}
	require.NoError(t, it.Close())
	return r
}

// deletion is the request that deletes a run, and an index entry with it.
func deletion(s *backend.Scope) *backend.Request {
	sys := &backend.Scope{}
	return &backend.Request{Writes: []backend.Write{
		{Scope: sys, Primitive: codec.ScopeRecords, Key: s.Record, Op: backend.Delete},
		{Scope: sys, Primitive: codec.RunIndex, Key: "tag/" + s.Record, Op: backend.Delete},
	}}
}

// entryOf puts the index entry that deletion deletes.
func entryOf(s *backend.Scope) backend.Write {
	return backend.Write{Scope: &backend.Scope{}, Primitive: codec.RunIndex,
		Key: "tag/" + s.Record, Op: backend.Put, Value: []byte{0xf6}}
}

// wantFreed waits, and then demands that of a deleted run one tombstone is left.
func wantFreed(t testing.TB, db *DB, s *backend.Scope) {
	t.Helper()
	require.NoError(t, settle(ctx, db))
	require.Equal(t, remains{record: 1}, remainsOf(t, db, s))
}

// R194: of a deleted run nothing is left but the tombstone of its record, however many keys and
// versions there were, deadlines included.
func TestR194FreedToTheLastByte(t *testing.T) {
	for _, keys := range []int{0, 1, fewKeys/4 - 1, fewKeys, 5 * freePage} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			clock := backendtest.NewClock()
			o := memOptions()
			o.Clock, o.SweepInterval = clock.Now, -1
			db := mustOpen(t, o)
			left, s, right := newScope(t, db, 1), newScope(t, db, 2), newScope(t, db, 3)
			for i := range 3 * freeBatch { // more versions of the record than one batch takes
				commit(t, db, scopeRecord(s, 2, codec.Active))
				if i%2 == 0 {
					commit(t, db, entryOf(s))
				}
			}
			for _, x := range []*backend.Scope{left, right} {
				commit(t, db, putTTL(x, clock, "kept", time.Hour))
			}
			var w []backend.Write
			for i := range keys {
				w = append(w, putTTL(s, clock, fmt.Sprint(i), time.Duration(1+i)*time.Hour))
				if len(w) == 1000 || i == keys-1 {
					commit(t, db, w...)
					w = w[:0]
				}
			}
			if keys > 0 {
				commit(t, db, putTTL(s, clock, "0", time.Minute)) // a second deadline
				require.Equal(t, keys+1, remainsOf(t, db, s).deadlines)
			}
			out, err := db.Commit(ctx, deletion(s))
			require.NoError(t, err)
			require.Equal(t, 2, out.Existed)
			wantFreed(t, db, s)
			require.Equal(t, uint64(1), db.Stats().Freed)
			require.Zero(t, db.Stats().Unfreed)
			for _, x := range []*backend.Scope{left, right} {
				require.Equal(t, "value", value(t, db, x, "kept", db.Published()))
				require.Equal(t, 1, remainsOf(t, db, x).deadlines)
			}
			requireTail(t, db)
		})
	}
}

// What is not freed when the database closes is freed after it opens again, with and without a
// crash between; neither before nor after is anything of the run to be seen.
func TestR194FreeingGoesOnAfterOpen(t *testing.T) {
	for _, crash := range []bool{false, true} {
		for _, keys := range []int{3, 3 * fewKeys} {
			t.Run(fmt.Sprintf("crash=%t/keys=%d", crash, keys), func(t *testing.T) {
				mem := disktest.New()
				o := memOptions()
				o.SweepInterval, o.FS = -1, mem
				db, err := Open(ctx, o)
				require.NoError(t, err)
				s := newScope(t, db, 1)
				load(t, db, s, keys)
				commit(t, db, entryOf(s))
				db.graveyard.end() // nobody frees
				_, err = db.Commit(ctx, deletion(s))
				require.NoError(t, err)
				require.Equal(t, int64(1), db.Stats().Unfreed)
				require.NoError(t, db.Flush(ctx))
				require.Equal(t, 1, remainsOf(t, db, s).notes)
				wantScopeGone(t, db, s)
				if crash {
					o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
				}
				require.NoError(t, db.Close())
				db = mustOpen(t, o)
				wantScopeGone(t, db, s)
				wantFreed(t, db, s)
				wantScopeGone(t, db, s)
				requireTail(t, db)
			})
		}
	}
}

// Close does not wait for the space to be freed, and leaves no goroutine behind that would go on.
func TestCloseEndsTheGraveyard(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	clock := backendtest.NewClock()
	o := memOptions()
	o.Clock, o.SweepInterval = clock.Now, -1
	unfreed := 0
	for i := range 10 {
		db, err := Open(ctx, o)
		require.NoError(t, err)
		s := newScope(t, db, byte(1+i))
		w := make([]backend.Write, 4*freeBatch)
		for j := range w {
			w[j] = putTTL(s, clock, fmt.Sprint(j), time.Hour)
		}
		commit(t, db, w...)
		_, err = db.Commit(ctx, deletion(s))
		require.NoError(t, err)
		time.Sleep(time.Duration(i) * 200 * time.Microsecond) // somewhere on its way
		require.NoError(t, db.Close())
		unfreed += db.graveyard.count()
	}
	db, err := Open(ctx, o)
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	require.Zero(t, entries(t, db))
	require.NoError(t, db.Close())
	t.Logf("%d notes were left over at ten closes", unfreed)
}

// wantScopeGone demands that no handle, new or old, finds anything at any version.
func wantScopeGone(t testing.TB, db *DB, s *backend.Scope) {
	t.Helper()
	wantUnreadable(t, db, s)
	for _, handle := range []*backend.Scope{s, {Number: s.Number, Record: s.Record}} {
		_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(handle, "a", "b")}})
		require.ErrorIs(t, err, backend.ErrScopeGone)
	}
}

func wantUnreadable(t testing.TB, db *DB, s *backend.Scope) {
	t.Helper()
	for _, handle := range []*backend.Scope{s, {Number: s.Number, Record: s.Record}} {
		for at := range db.Published() + 1 {
			_, err := db.Get(ctx, handle, codec.KV, "key", at)
			require.ErrorIs(t, err, backend.ErrScopeGone)
			c := db.Scan(ctx, handle, codec.KV, backend.Range{}, at)
			require.False(t, c.Next())
			require.ErrorIs(t, c.Err(), backend.ErrScopeGone)
			c.Close()
			_, err = db.Commits(ctx, handle, at)
			require.ErrorIs(t, err, backend.ErrScopeGone)
		}
	}
}

// In a strict database a deletion that is not on stable storage yet is a deletion for nobody: who
// reads sees the run whole, and nothing of it is freed.
func TestStrictDeletionIsSeenWhenItIsDurable(t *testing.T) {
	held, hold := make(chan struct{}), make(chan bool, 1)
	release := sync.OnceFunc(func() { close(held) })
	slow := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && isLog(op.Path) {
			select {
			case <-hold:
				<-held
			default:
			}
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.SweepInterval, o.FS = Strict, -1, errorfs.Wrap(o.FS, slow)
	db := mustOpen(t, o)
	t.Cleanup(release)
	s, idle := newScope(t, db, 1), newScope(t, db, 2)
	commit(t, db, put(s, "key", "value"), entryOf(s))
	commit(t, db, put(idle, "key", "value"))
	before := db.Published()
	hold <- true
	deleted := make(chan error)
	go func() {
		r := deletion(s)
		r.Writes = append(r.Writes, deletion(idle).Writes[0])
		_, err := db.Commit(ctx, r)
		deleted <- err
	}()
	require.Eventually(t, func() bool { return db.graveyard.count() == 2 }, 10*time.Second,
		time.Millisecond)
	for _, x := range []*backend.Scope{s, idle} {
		for _, handle := range []*backend.Scope{x, {Number: x.Number, Record: x.Record}} {
			require.Equal(t, "value", value(t, db, handle, "key", before))
			c := db.Scan(ctx, handle, codec.KV, backend.Range{}, before)
			require.True(t, c.Next())
			require.Equal(t, "key", c.Key())
			require.False(t, c.Next())
			require.NoError(t, c.Err())
			c.Close()
			extent, err := db.Commits(ctx, handle, before)
			require.NoError(t, err)
			require.Equal(t, uint64(1), extent.Count)
		}
	}
	for c, err := range db.Tail(ctx, 0) {
		require.NoError(t, err)
		for _, x := range c.Scopes {
			require.False(t, x.Gone)
		}
	}
	require.Equal(t, before, db.Published())
	require.Equal(t, int64(2), db.Stats().Unfreed)
	release()
	require.NoError(t, <-deleted)
	wantScopeGone(t, db, s)
	wantScopeGone(t, db, idle)
	require.NoError(t, settle(ctx, db))
}

// Between the moment in which a deletion takes effect in memory and that of its publication the run
// is there for readers, with what is not in the store yet.
func TestReadsAMomentBeforeADeletionIsPublished(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	at := commit(t, db, put(s, "key", "value"))
	require.Less(t, db.handover.handed.load(), at, "it is queued")
	db.commitLock.Lock()
	db.buryLocked(s.Number, at+1)
	db.commitLock.Unlock()
	require.Equal(t, "value", value(t, db, s, "key", at))
	require.Equal(t, 1, countKeys(t, db, s))
}

// The state of a deleted run outlives its idleness as long as a transaction is open that began
// before: it is how the transaction finds out.
func TestDeletedScopeIsKnownToOpenTransactions(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s, other := newScope(t, db, 1), newScope(t, db, 2)
	commit(t, db, put(s, "key", "value"))
	pin, err := db.Begin()
	require.NoError(t, err)
	rec, err := db.Get(ctx, s, codec.KV, "key", pin.Version())
	require.NoError(t, err)
	db.commitLock.Lock() // as if the run had not been in use for long
	db.table.DropScope(db.scopes.get(s.Number).mem)
	db.scopes.get(s.Number).retired.Store(true)
	delete(db.scopes.states, s.Number)
	db.commitLock.Unlock()
	_, err = db.Commit(ctx, deletion(s))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	r := &backend.Request{Pin: pin, Writes: []backend.Write{put(other, "k", "v")},
		Reads: []backend.Read{{Scope: s, Primitive: codec.KV, Key: "key", Stamp: rec.Stamp}}}
	drop := func() int {
		db.commitLock.Lock()
		defer db.commitLock.Unlock()
		return db.dropIdleLocked(db.pins.horizon())
	}
	drop()
	require.NotNil(t, db.scopes.get(s.Number))
	_, err = db.Commit(ctx, r)
	require.ErrorIs(t, err, backend.ErrScopeGone)
	pin.Release()
	commit(t, db, put(other, "k", "v"))
	require.NotZero(t, drop())
	require.Nil(t, db.scopes.get(s.Number))
	wantScopeGone(t, db, s)
}

// A record too large for the memtable is known all the same to the commit that deletes it, also
// when it was written since that commit was prepared.
func TestDeletionOfALargeRecord(t *testing.T) {
	o := memOptions()
	o.SweepInterval, o.MemoryBudget = -1, 64<<10 // values over 1 KiB are not kept
	db := mustOpen(t, o)
	large := func(s *backend.Scope, n int) backend.Write {
		rec := codec.ScopeRecord{Number: s.Number, Status: codec.Active,
			Error: strings.Repeat("x", 4000+n)}
		value, err := codec.AppendScopeRecord(nil, rec)
		require.NoError(t, err)
		return backend.Write{Scope: &backend.Scope{}, Primitive: codec.ScopeRecords, Key: s.Record,
			Op: backend.Put, Value: value}
	}
	for i := range 50 {
		s := newScope(t, db, byte(i))
		commit(t, db, put(s, "key", "value"), large(s, i))
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				w := large(s, n%10)
				r := &backend.Request{Writes: []backend.Write{w}}
				rec, err := db.Get(ctx, w.Scope, codec.ScopeRecords, s.Record, db.Published())
				if err != nil || !rec.Exists() {
					return
				}
				r.Conditions = []backend.Condition{{Scope: w.Scope,
					Primitive: codec.ScopeRecords, Key: s.Record, Expected: rec.Stamp}}
				_, _ = db.Commit(ctx, r) // it may come too late
			}
		}()
		time.Sleep(time.Duration(i%5) * 100 * time.Microsecond)
		out, err := db.Commit(ctx, deletion(s))
		require.NoError(t, err)
		require.Equal(t, 1, out.Existed)
		close(stop)
		<-stopped
		require.NoError(t, settle(ctx, db))
		require.Equal(t, remains{record: 1}, remainsOf(t, db, s))
	}
}

// Which run a deletion ends is decided at its place in the order: here the id has passed to another
// run since the commit was prepared.
func TestDeletionEndsTheRunThatIsThereThen(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	first := newScope(t, db, 1)
	load(t, db, first, 2*fewKeys)
	db.graveyard.end() // the notes are looked at
	p := db.newPlan(&backend.Request{Writes: deletion(first).Writes[:1]})
	defer p.release()
	require.NoError(t, p.prepare(ctx))
	second := newScope(t, db, 1)
	taken := db.Published() // when the id passed on
	load(t, db, second, 2*fewKeys)
	out, again, err := db.place(ctx, p)
	require.NoError(t, err)
	require.False(t, again)
	require.Equal(t, 1, out.Existed)
	require.NoError(t, db.handover.push())
	graves := db.graveyard.list()
	require.Equal(t, []grave{{first.Number, taken}, {second.Number, out.Version}}, graves)
	for _, g := range graves {
		changes, err := db.readGrave(g)
		require.NoError(t, err, "scope %d has a note", g.scope)
		require.Equal(t, first.Record, changes[0].Key)
	}
	wantScopeGone(t, db, first)
	wantScopeGone(t, db, second)
}

// R194: the disk gives the space back, without anybody asking for it.
func TestR194DiskShrinks(t *testing.T) {
	o := diskOptions(t, Batched)
	o.WriteBuffer = 1 << 20
	db := mustOpen(t, o)
	kept, s := newScope(t, db, 1), newScope(t, db, 2)
	load(t, db, kept, 1000)
	load(t, db, s, 200_000)
	require.NoError(t, db.flushTables())
	size := func() uint64 {
		lower, upper := codec.ScopeBounds(s.Number)
		n, err := db.store.EstimateDiskUsage(lower, upper)
		require.NoError(t, err)
		return n
	}
	tables := func() (n int64) {
		names, err := filepath.Glob(filepath.Join(o.Dir, "*.sst"))
		require.NoError(t, err)
		for _, name := range names {
			if info, err := o.FS.Stat(name); err == nil {
				n += info.Size()
			}
		}
		return n
	}
	before, all := size(), tables()
	require.Greater(t, before, uint64(1<<20))
	_, err := db.Commit(ctx, deletion(s))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	require.Eventually(t, func() bool { return size() < before/20 && tables() < all/4 },
		60*time.Second, 10*time.Millisecond, "%d of %d bytes, tables %d of %d",
		size(), before, tables(), all)
	require.Equal(t, 1000, countKeys(t, db, kept))
}

func countKeys(t testing.TB, db *DB, s *backend.Scope) (n int) {
	t.Helper()
	c := db.Scan(ctx, s, codec.KV, backend.Range{}, db.Published())
	defer c.Close()
	for c.Next() {
		n++
	}
	require.NoError(t, c.Err())
	return n
}

// A table that cannot be read does not keep a deleted run alive: its keys go by their range. A note
// that cannot be read is left for a later try, and keeps no other from going.
func TestDamageDoesNotStopTheGraveyard(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	first, second := newScope(t, db, 1), newScope(t, db, 2)
	for _, s := range []*backend.Scope{first, second} {
		commit(t, db, put(s, "key", "value"))
	}
	bad, err := codec.AppendKey(nil, first.Number, codec.KV, "damaged")
	require.NoError(t, err)
	require.NoError(t, db.store.Set(codec.AppendVersion(bad, 1), []byte{0xff}, pebble.NoSync))
	db.graveyard.end()
	for _, s := range []*backend.Scope{first, second} {
		_, err := db.Commit(ctx, deletion(s))
		require.NoError(t, err)
	}
	graves := db.graveyard.list()
	require.Len(t, graves, 2)
	require.NoError(t, db.handover.push())
	note := graveKey(graves[1])
	spoiled := append([]byte{}, note...)
	value, closer, err := db.store.Get(note)
	require.NoError(t, err)
	kept := append([]byte{}, value...)
	require.NoError(t, closer.Close())
	require.NoError(t, db.store.Set(spoiled, []byte("spoiled"), pebble.NoSync))
	require.ErrorIs(t, db.graveyard.free(ctx, graves), codec.ErrCorrupt)
	require.Zero(t, remainsOf(t, db, first).keys)
	require.NotZero(t, remainsOf(t, db, second).keys)
	require.NoError(t, db.store.Set(note, kept, pebble.NoSync))
	require.NoError(t, db.graveyard.free(ctx, db.graveyard.list()))
	require.Zero(t, remainsOf(t, db, second).keys)
	require.Equal(t, uint64(2), db.Stats().Freed)
}

// A note that is wrong frees nothing of a scope that lives, hides nothing of it, and keeps nobody
// from freeing others.
func TestWrongNotesFreeNothing(t *testing.T) {
	record := func(s *backend.Scope) []byte {
		return codec.AppendJournalRecord(nil, codec.JournalRecord{Parts: 1, Changes: []codec.Change{
			{Primitive: codec.ScopeRecords, Op: codec.ChangeDelete, Key: s.Record}}})
	}
	for name, c := range map[string]struct {
		note  func(s *backend.Scope) []byte
		above uint64 // the newest commit
	}{
		"none": {note: func(*backend.Scope) []byte { return nil }},
		"no record": {note: func(*backend.Scope) []byte {
			return codec.AppendJournalRecord(nil, codec.JournalRecord{Parts: 1})
		}},
		"its record": {note: record},
		"later":      {note: record, above: 1 << 40},
	} {
		t.Run(name, func(t *testing.T) {
			o := memOptions()
			o.SweepInterval = -1
			db := mustOpen(t, o)
			s, dead := newScope(t, db, 1), newScope(t, db, 2)
			for i := range 10 {
				commit(t, db, put(s, fmt.Sprint(i), "v"))
			}
			before := remainsOf(t, db, s)
			wrong := grave{scope: s.Number, version: db.Published() + c.above}
			require.NoError(t, db.store.Set(graveKey(wrong), c.note(s), pebble.Sync))
			require.NoError(t, db.Close())

			db = mustOpen(t, o)
			_, err := db.Commit(ctx, deletion(dead))
			require.NoError(t, err)
			require.NoError(t, settle(ctx, db))
			_, err = db.Reclaim(ctx)
			require.NoError(t, err)
			before.notes++
			require.Equal(t, before, remainsOf(t, db, s), "Verify tells of it, nobody acts on it")
			rec, err := db.Get(ctx, s, codec.KV, "7", db.Published())
			require.NoError(t, err)
			require.True(t, rec.Exists())
			for c, err := range db.Tail(ctx, 1) {
				require.NoError(t, err)
				for _, x := range c.Scopes {
					require.Equal(t, x.Scope == dead.Number, x.Gone)
				}
			}
			require.NoError(t, db.Close())
		})
	}
}
