package backendtest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A brief key expires after a second; long is past that.
const (
	second = int64(time.Second)
	long   = time.Minute
)

func (w *world) brief(s *backend.Scope, key, value string) uint64 {
	w.Helper()
	return w.commit(putUntil(s, key, value, w.now()+second)).Version
}

// expiryChecks are semantics 3 and requirements 2.6 as far as an authority can keep or break them:
// it stores deadlines, never judges them for a reader, and judges them for Delete and Expire.
var expiryChecks = []Check{
	{"R140-E74-deadline-is-stored-beside-the-value", func(w *world) {
		s := w.scope()
		deadline := w.now() + second
		now := w.commit(putUntil(s, "k", "v", deadline)).Version
		require.Equal(w, backend.Record{Version: now, Stamp: now, Expiry: deadline, Value: text("v")},
			bare(w.get(s, "k")))
		pairs := w.scan(s, backend.Range{}, now)
		require.Len(w, pairs, 1)
		require.Equal(w, deadline, pairs[0].record.Expiry)
	}},
	{"E70-a-reader-judges-by-its-own-clock", func(w *world) {
		s := w.scope()
		w.brief(s, "k", "v")
		x := w.begin()
		defer x.rollback()
		before := bare(x.get(s, "k"))
		w.clock.Advance(long)
		require.Equal(w, before, bare(x.get(s, "k")), "the authority hides nothing")
		require.Len(w, x.scan(s, backend.Range{}), 1)
		require.Equal(w, text("v"), w.get(s, "k").Value, "a new reader gets the deadline, too")
	}},
	{"E71-expiry-alone-aborts-nothing", func(w *world) {
		s := w.scope()
		w.brief(s, "k", "v")
		x := w.beginSerializable()
		x.get(s, "k")
		x.scan(s, backend.Range{})
		w.clock.Advance(long)
		x.put(s, "j", "T1").mustCommit()
	}},
	{"E71-a-sweep-aborts-nothing", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "v")
		x := w.beginSerializable()
		x.get(s, "k")
		x.scan(s, backend.Range{})
		w.clock.Advance(long)
		require.NotZero(w, w.sweep(expire(s, "k", old)).Version)
		x.cas(s, "k", old, "T1").mustCommit()
		w.wantValue(s, "k", "T1")
	}},
	{"E71-a-write-after-the-sweep-does-abort", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "v")
		x, y := w.beginSerializable(), w.begin()
		x.scan(s, backend.Range{})
		y.get(s, "k")
		w.clock.Advance(long)
		w.sweep(expire(s, "k", old))
		now := w.put(s, "k", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", old, now))
		y.put(s, "j", "T1").wantConflict(readAt(s, "k", old, now))
	}},
	{"sweep-tombstone-carries-the-stamp", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "v")
		w.clock.Advance(long)
		swept := w.sweep(expire(s, "k", old))
		require.Greater(w, swept.Version, old)
		require.Equal(w, backend.Record{Version: swept.Version, Stamp: old, Deleted: true},
			bare(w.get(s, "k")))
		require.Empty(w, w.scan(s, backend.Range{}, w.b.Published()))
		x := w.begin()
		require.Equal(w, old, x.get(s, "k").Stamp)
		x.put(s, "j", "T1").mustCommit()
	}},
	{"E75-older-snapshots-still-see-it", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "v")
		w.clock.Advance(long)
		swept := w.sweep(expire(s, "k", old)).Version
		require.Equal(w, text("v"), w.getAt(s, "k", swept-1).Value)
		require.Len(w, w.scan(s, backend.Range{}, swept-1), 1)
	}},
	{"E73-shows-as-expiry-in-history", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "v")
		w.clock.Advance(long)
		swept := w.sweep(expire(s, "k", old))
		require.Zero(w, swept.Existed, "Existed counts deletes")
		commits := w.tail(swept.Version)
		require.Len(w, commits, 1)
		require.Equal(w, codec.FlagExpiry, commits[0].Flags)
		require.Equal(w, []codec.Change{
			{Primitive: codec.KV, Op: codec.ChangeExpire, Key: "k"}}, commits[0].Scopes[0].Changes)
	}},
	{"R143-put-without-ttl-clears-it", func(w *world) {
		s := w.scope()
		w.brief(s, "k", "brief")
		w.put(s, "k", "for ever")
		require.Zero(w, w.get(s, "k").Expiry)
		w.clock.Advance(long)
		require.Equal(w, 1, w.del(s, "k").Existed)
	}},
	{"R143-put-with-ttl-sets-it-anew", func(w *world) {
		s := w.scope()
		w.brief(s, "k", "0")
		now := w.commit(putUntil(s, "k", "1", w.now()+10*int64(long))).Version
		w.clock.Advance(long)
		require.Zero(w, w.sweep(expire(s, "k", now)).Version, "the first deadline is forgotten")
		require.Equal(w, 1, w.del(s, "k").Existed)
	}},
	{"R142-expire-leaves-a-rewritten-key", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "0")
		w.clock.Advance(long)
		again := w.brief(s, "k", "1")
		require.Equal(w, backend.Outcome{}, w.sweep(expire(s, "k", old)))
		require.Equal(w, again, w.wantValue(s, "k", "1").Version)
		w.put(s, "k", "2")
		w.clock.Advance(long)
		require.Equal(w, backend.Outcome{}, w.sweep(expire(s, "k", old), expire(s, "k2", again)))
		w.wantValue(s, "k", "2")
	}},
	{"R142-expire-leaves-what-has-not-expired", func(w *world) {
		s := w.scope()
		brief, always := w.brief(s, "brief", "0"), w.put(s, "always", "0")
		before := w.b.Published()
		for key, stamp := range map[string]uint64{"brief": brief, "always": always, "never": 0} {
			require.Equal(w, backend.Outcome{}, w.sweep(expire(s, key, stamp)))
		}
		require.Equal(w, before, w.b.Published())
	}},
	{"expire-of-deleted-or-swept-key-is-a-no-op", func(w *world) {
		s := w.scope()
		a, b := w.brief(s, "a", "0"), w.brief(s, "b", "0")
		gone := w.del(s, "a").Version
		w.clock.Advance(long)
		w.sweep(expire(s, "b", b))
		before := w.b.Published()
		for _, stamp := range []uint64{a, gone} {
			require.Equal(w, backend.Outcome{}, w.sweep(expire(s, "a", stamp)))
		}
		require.Equal(w, backend.Outcome{}, w.sweep(expire(s, "b", b)))
		require.Equal(w, before, w.b.Published())
		require.Equal(w, gone, w.get(s, "a").Stamp)
	}},
	{"delete-of-swept-key-is-a-no-op", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "0")
		w.clock.Advance(long)
		w.sweep(expire(s, "k", old))
		require.Equal(w, backend.Outcome{}, w.del(s, "k"))
		require.Equal(w, old, w.get(s, "k").Stamp)
	}},
	{"R144-the-deadline-itself-is-past", func(w *world) {
		s := w.scope()
		w.commit(putUntil(s, "a", "0", w.now()+1000), putUntil(s, "b", "0", w.now()+1000))
		stamp := w.get(s, "a").Stamp
		w.clock.Advance(999)
		require.Zero(w, w.sweep(expire(s, "a", stamp)).Version)
		require.Equal(w, 1, w.del(s, "b").Existed)
		w.clock.Advance(1)
		require.NotZero(w, w.sweep(expire(s, "a", stamp)).Version)
	}},
	{"E76-a-clock-that-jumps-back-revives-nothing", func(w *world) {
		s := w.scope()
		old := w.brief(s, "k", "0")
		w.brief(s, "j", "0")
		w.clock.Advance(long)
		w.put(s, "tick", "the commit time is past the deadline now")
		w.clock.Advance(-2 * long)
		require.Equal(w, backend.Outcome{}, w.del(s, "j"), "judged by commit time, which stays")
		require.NotZero(w, w.sweep(expire(s, "k", old)).Version)
	}},
}

// sweepChecks hold the sweeper itself, where there is one, to semantics 3.4.
var sweepChecks = []Check{
	{"R141-removes-what-has-expired", func(w *world) {
		w.needSweep()
		s, other := w.scope(), w.scope()
		a, b := w.brief(s, "a", "0"), w.brief(other, "b", "0")
		w.put(s, "always", "0")
		w.commit(putUntil(s, "later", "0", w.now()+10*int64(long)))
		from := w.b.Published() + 1
		w.runSweep()
		require.Empty(w, w.tail(from), "nothing has expired, nothing is written")
		w.clock.Advance(long)
		w.runSweep()
		require.Equal(w, a, w.wantAbsent(s, "a").Stamp)
		require.Equal(w, b, w.wantAbsent(other, "b").Stamp)
		w.wantValue(s, "always", "0")
		w.wantValue(s, "later", "0")
		for _, c := range w.tail(from) {
			require.Equal(w, codec.FlagExpiry, c.Flags)
			for _, changes := range c.Scopes {
				for _, change := range changes.Changes {
					require.Equal(w, codec.ChangeExpire, change.Op)
				}
			}
		}
		from = w.b.Published() + 1
		w.runSweep()
		require.Empty(w, w.tail(from), "a second sweep finds nothing")
	}},
	{"E73-leaves-ended-scopes-alone", func(w *world) {
		w.needSweep()
		s, dropped, active := w.scope(), w.scope(), w.scope()
		old := w.brief(s, "k", "0")
		w.brief(dropped, "k", "0")
		w.brief(active, "k", "0")
		w.setStatus(s, codec.Completed)
		w.drop(dropped)
		w.clock.Advance(long)
		w.runSweep()
		require.Equal(w, old, w.get(s, "k").Version)
		w.wantAbsent(active, "k")
	}},
	{"R142-races-with-rewrites", func(w *world) {
		w.needSweep()
		s := w.scope()
		const keys = 30
		for range rounds(10) {
			var writes []backend.Write
			for i := range keys {
				writes = append(writes, putUntil(s, fmt.Sprint(i), "brief", w.now()+second))
			}
			w.commit(writes...)
			w.clock.Advance(long)
			var written atomic.Int32
			w.parallel(2, func(i int) {
				if i == 0 {
					for written.Load() < keys && w.going() {
						w.runSweep()
					}
					return
				}
				for j := range keys {
					w.put(s, fmt.Sprint(j), "kept")
					written.Add(1)
					if j%5 == 0 { // let the sweeper look at some keys before they are written
						w.sleep(50 * time.Microsecond)
					}
				}
			})
			for i := range keys {
				w.wantValue(s, fmt.Sprint(i), "kept")
			}
		}
	}},
}

func (w *world) needSweep() {
	if w.env.Sweep == nil {
		w.skip("no Sweep")
	}
}

func (w *world) runSweep() {
	w.Helper()
	require.NoError(w, w.env.Sweep(w.ctx, w.b))
}
