package embedded

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// idleHandover has nothing handed over but for those who need it.
func idleHandover(o *Options) {
	o.load, o.SyncInterval, o.SyncCommits = 1<<30, time.Hour, 1<<30
}

// reopened is a database with one run, of which memory holds nothing yet, and an idle hand-over.
func reopened(t *testing.T, also ...func(*Options)) (*DB, *backend.Scope) {
	o := memOptions()
	o.SweepInterval, o.MemoryBudget = -1, 1<<20
	for _, change := range also {
		change(&o)
	}
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	commit(t, db, put(s, "old", "first"), put(s, "other", "x"))
	require.NoError(t, db.Close())
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	return mustOpen(t, o), s
}

// What is queued can be read in every way, at every version. A key that memory does not
// know has nothing queued: looking it up hands nothing over.
func TestQueuedCommitsAreRead(t *testing.T) {
	for _, read := range []struct {
		name string
		idle bool // nothing has to be handed over for it
		do   func(t *testing.T, db *DB, s *backend.Scope, before, last uint64)
	}{
		{"older than memory", true, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			require.Equal(t, "first", value(t, db, s, "old", before))
		}},
		{"chain", false, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			require.Equal(t, "40", value(t, db, s, "chain", last-60))
		}},
		{"large", false, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			require.Equal(t, 18_000, len(value(t, db, s, "large", last)))
		}},
		{"scan", false, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			require.Equal(t, []string{"chain", "large", "old", "other"}, scanKeys(t, db, s, last))
			require.Equal(t, []string{"old", "other"}, scanKeys(t, db, s, before))
		}},
		{"tail", false, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			requireTail(t, db)
		}},
		{"commit record", false, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			rec, err := db.CommitRecord(ctx, last)
			require.NoError(t, err)
			require.Equal(t, last, rec.Version)
		}},
		{"extent", true, func(t *testing.T, db *DB, s *backend.Scope, before, last uint64) {
			c, err := db.Commits(ctx, s, last)
			require.NoError(t, err)
			require.Equal(t, last, c.Last)
		}},
	} {
		t.Run(read.name, func(t *testing.T) {
			db, s := reopened(t, idleHandover)
			before := db.Published()
			require.Empty(t, value(t, db, s, "never", before))
			commit(t, db, put(s, "old", "second"), put(s, "large", strings.Repeat("x", 18_000)))
			var last uint64
			for i := range 100 {
				last = commit(t, db, put(s, "chain", fmt.Sprint(i+1)))
			}
			require.Equal(t, "second", value(t, db, s, "old", last))
			require.Empty(t, value(t, db, s, "not in memory", last))
			require.Equal(t, before, db.handover.handed.load(), "handed over without need")
			read.do(t, db, s, before, last)
			handed := last
			if read.idle {
				handed = before
			}
			require.Equal(t, handed, db.handover.handed.load())
		})
	}
}

func scanKeys(t *testing.T, db *DB, s *backend.Scope, at uint64) (keys []string) {
	c := db.Scan(ctx, s, codec.KV, backend.Range{}, at)
	defer c.Close()
	for c.Next() {
		keys = append(keys, c.Key())
	}
	require.NoError(t, c.Err())
	return keys
}

// Nothing that is queued is evicted, and nobody is ended for it.
func TestQueuedCommitsStayInMemory(t *testing.T) {
	o := memOptions()
	o.SweepInterval, o.evictEagerly = -1, true
	idleHandover(&o)
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for i := range 100 {
		commit(t, db, put(s, fmt.Sprint("key-", i), "x"))
	}
	require.GreaterOrEqual(t, db.Stats().MemtableKeys, int64(100))
	require.NoError(t, db.handover.push())
	commit(t, db, put(s, "one more", "x"))
	require.LessOrEqual(t, db.Stats().MemtableKeys, int64(1))

	o = memOptions()
	o.SweepInterval, o.MemoryBudget = -1, 64<<10
	idleHandover(&o)
	db = mustOpen(t, o)
	s = newScope(t, db, 1)
	db.handover.most = 1 << 30
	db.handover.pushing.Lock()
	for i := range 1000 {
		commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the budget"))
	}
	pin, err := db.Begin()
	require.NoError(t, err)
	defer pin.Release()
	commit(t, db, put(s, "one more", "x"))
	require.Greater(t, db.Stats().MemtableBytes, 2*o.MemoryBudget)
	db.handover.pushing.Unlock()
	require.NoError(t, pin.Err(), "it is the queue that holds memory back")
}

// The queue is bounded, whatever the hand-over does: whoever finds it full helps.
func TestQueueIsBounded(t *testing.T) {
	db, s := reopened(t, idleHandover)
	most := 0
	for i := range 3000 {
		commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the queue"))
		db.handover.mu.Lock()
		most = max(most, db.handover.open.bytes)
		db.handover.mu.Unlock()
	}
	require.Greater(t, most, db.handover.most/2)
	require.Less(t, most, db.handover.most+1000)
}

// Whoever finds the queue full while somebody pushes waits until it is taken, not until all of it
// is in Pebble; and not beyond his context.
func TestQueueHasRoomWhenItIsTaken(t *testing.T) {
	db, s := reopened(t, idleHandover)
	h := db.handover
	h.pushing.Lock()
	for i := 0; h.full() == nil; i++ {
		commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the queue"))
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	r := backend.Request{Writes: []backend.Write{put(s, "late", "1")}}
	_, err := db.Commit(short, &r)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	done := make(chan error)
	go func() {
		_, err := db.Commit(ctx, &r)
		done <- err
	}()
	q := h.take()
	require.NoError(t, <-done)
	require.Less(t, h.handed.load(), q.last)
	require.NoError(t, db.applyQuietly(h.assemble(&q)))
	h.noteLocked(q.last)
	h.keep(q)
	h.pushing.Unlock()
	require.NoError(t, db.Flush(ctx))
	requireTail(t, db)
}

// Who waits for room is not forgotten: not if who is pushing had taken his load before, and not
// after a fault.
func TestWaitersForRoomAreNotForgotten(t *testing.T) {
	for _, failing := range []bool{false, true} {
		db, s := reopened(t, idleHandover)
		h := db.handover
		h.pushing.Lock()
		for i := 0; h.full() == nil; i++ {
			commit(t, db, put(s, fmt.Sprint("key-", i), "a value of some length, to fill the queue"))
		}
		h.mu.Lock()
		h.room = nil // who asked for it was this test
		h.mu.Unlock()
		done := make(chan error)
		go func() {
			_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "late", "1")}})
			done <- err
		}()
		require.Eventually(t, func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.room != nil
		}, 10*time.Second, time.Millisecond)
		if failing {
			db.setFault("log", syscall.EIO)
			require.ErrorIs(t, <-done, backend.ErrStorage)
			h.pushing.Unlock()
			require.ErrorIs(t, db.Close(), backend.ErrStorage)
			continue
		}
		time.Sleep(10 * time.Millisecond) // mostly he has met the lock by then; he may come later
		h.pushing.Unlock()
		require.NoError(t, <-done)
	}
}

// A sync covers what was queued before it, by itself, by Flush, or for a commit that asks for it;
// so does Close.
func TestQueuedCommitsAreSynced(t *testing.T) {
	db, s := reopened(t, idleHandover)
	commit(t, db, put(s, "a", "1"))
	require.NoError(t, db.Flush(ctx))
	require.Equal(t, db.Published(), db.Durable())
	commit(t, db, put(s, "a", "2"))
	_, err := db.Commit(ctx, &backend.Request{
		Writes: []backend.Write{put(s, "a", "3")}, Durability: backend.Durable,
	})
	require.NoError(t, err)
	require.Equal(t, db.Published(), db.Durable())
	require.Equal(t, db.Published(), db.handover.handed.load())

	db, s = reopened(t, func(o *Options) { o.load, o.SyncInterval = 1<<30, time.Millisecond })
	require.NoError(t, db.WaitDurable(ctx, commit(t, db, put(s, "a", "4"))))
}

// Readers that miss a key in memory, with commits being handed over and evicted beside them, never
// bring an older version back.
func TestHandoverBringsNothingBack(t *testing.T) {
	db, s := reopened(t, func(o *Options) { o.load, o.evictEagerly = 1, true })
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	keys := []string{"a", "b", "c"}
	var acknowledged [3]atomic.Uint64
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for i := 0; !stop.Load(); i++ {
				n := i % len(keys)
				want := acknowledged[n].Load()
				rec, err := db.Get(ctx, s, codec.KV, keys[n], db.Published())
				if err != nil || rec.Version < want {
					t.Errorf("key %s: version %d after %d: %v", keys[n], rec.Version, want, err)
					return
				}
			}
		}()
	}
	for i := range rounds {
		n := i % len(keys)
		acknowledged[n].Store(commit(t, db, put(s, keys[n], fmt.Sprint(i))))
	}
	stop.Store(true)
	readers.Wait()
}

// What a reader offers to the memtable holds at a version that was handed over before he read.
func TestHandoverVouchesForWhatItGave(t *testing.T) {
	db, s := reopened(t, idleHandover)
	handed := db.Published()
	commit(t, db, put(s, "a", "1"))
	pin := db.pins.acquire()
	defer pin.Release()
	require.Greater(t, pin.version, handed)
	require.Equal(t, handed, db.vouched(pin))
	require.NoError(t, db.handover.push())
	commit(t, db, put(s, "a", "2"))
	require.NoError(t, db.handover.push())
	require.Equal(t, pin.version, db.vouched(pin))
}

// A disk that fails behind the queue refuses commits from then on; what was acknowledged before can
// still be read, by key and by scan (R112).
func TestQueueBehindAFailedDisk(t *testing.T) {
	b := &breaker{
		kinds: []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData},
		at:    1, forGood: true, err: syscall.EIO,
	}
	b.off.Store(true)
	o := memOptions()
	o.FS, o.SweepInterval = errorfs.Wrap(o.FS, b), -1
	idleHandover(&o)
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	require.NoError(t, db.Close())
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	db, err = Open(ctx, o)
	require.NoError(t, err)
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("key-%02d", i))
		commit(t, db, put(s, want[i], "x"))
	}
	b.off.Store(false)
	require.ErrorIs(t, db.Flush(ctx), backend.ErrStorage)
	_, err = db.Commit(ctx, &backend.Request{Writes: []backend.Write{put(s, "late", "x")}})
	require.ErrorIs(t, err, backend.ErrStorage)
	require.Equal(t, want, scanKeys(t, db, s, db.Published()))
	require.Equal(t, "x", value(t, db, s, want[7], db.Published()))
	require.ErrorIs(t, db.Close(), backend.ErrStorage)
}

// A commit that is to be durable, and did not get behind what is queued before it, did not happen:
// its outcome is known.
func TestCommitBehindAQueueThatFails(t *testing.T) {
	db, s := reopened(t, idleHandover)
	commit(t, db, put(s, "queued", "x"))
	large := strings.Repeat("x", db.handover.most) // it goes in directly
	db.handover.pushing.Lock()
	failed := make(chan error)
	go func() {
		_, err := db.Commit(ctx, &backend.Request{
			Writes: []backend.Write{put(s, "late", large)}, Durability: backend.Durable,
		})
		failed <- err
	}()
	for db.commitLock.TryLock() { // until it has its version, and waits for its turn
		db.commitLock.Unlock()
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	db.fault.stick()
	db.setFault("log", syscall.EIO)
	db.handover.pushing.Unlock()
	err := <-failed
	require.ErrorIs(t, err, backend.ErrStorage)
	var unknown *backend.UnknownOutcomeError
	require.NotErrorAs(t, err, &unknown)
	require.ErrorIs(t, db.Close(), backend.ErrStorage)
}
