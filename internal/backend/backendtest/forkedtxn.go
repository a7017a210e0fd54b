package backendtest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// forkedTxnChecks are about what is validated and decided on top of what a fork inherits.
var forkedTxnChecks = []Check{
	{"CAS-on-the-version-in-the-parent", func(w *world) {
		parent := w.ancestor()
		old, gone := w.get(parent, "a").Stamp, w.get(parent, "gone").Stamp
		s, _ := w.forkNow(parent)
		w.put(parent, "a", "later")
		w.begin().cas(s, "a", 0, "x").wantConflict(casOf(s, "a", 0, old))
		w.begin().cas(s, "a", old+1, "x").wantConflict(casOf(s, "a", old+1, old))
		w.begin().cas(s, "gone", 0, "x").wantConflict(casOf(s, "gone", 0, gone))
		w.begin().cas(s, "never", 1, "x").wantConflict(casOf(s, "never", 1, 0))
		out := w.begin().cas(s, "a", old, "own").cas(s, "gone", gone, "own").
			cas(s, "never", 0, "own").mustCommit()
		for _, key := range []string{"a", "gone", "never"} {
			require.Equal(w, out.Version, w.wantValue(s, key, "own").Stamp)
		}
		w.begin().cas(s, "a", old, "x").wantConflict(casOf(s, "a", old, out.Version))
		w.wantValue(parent, "a", "later")
	}},
	{"delete-of-inherited-keys", func(w *world) {
		parent := w.ancestor()
		s, _ := w.forkNow(parent)
		w.del(parent, "b")
		require.Equal(w, backend.Outcome{}, w.del(s, "never"))
		require.Equal(w, backend.Outcome{}, w.del(s, "gone"), "it was deleted in the parent")
		require.Equal(w, 1, w.del(s, "b").Existed)
		require.Equal(w, backend.Outcome{}, w.del(s, "b"))
		require.Equal(w, 1, w.commit(del(s, "a"), del(s, "gone")).Existed)
		w.wantValue(parent, "a", "1")
		w.put(s, "b", "again")
		require.Equal(w, 1, w.del(s, "b").Existed)
	}},
	{"reads-of-inherited-keys-are-validated", func(w *world) {
		parent := w.ancestor()
		s, _ := w.forkNow(parent)
		other, _ := w.forkNow(parent)
		begin := func() *txn {
			x := w.begin()
			x.get(s, "a")
			x.get(s, "gone")
			x.get(s, "never")
			x.scan(s, backend.Range{Start: "b"})
			return x.put(s, "j", "T1")
		}
		x := begin()
		w.commit(put(parent, "a", "T2"), put(parent, "never", "T2"), del(parent, "b"))
		w.commit(put(other, "a", "T2"), put(other, "never", "T2"), del(other, "b"))
		x.mustCommit()
		for _, c := range []struct {
			key string
			w   backend.Write
		}{{"a", put(s, "a", "T2")}, {"never", put(s, "never", "T2")}, {"gone", put(s, "gone", "T2")},
			{"b", del(s, "b")}} {
			x, old := begin(), w.get(s, c.key).Stamp
			x.wantConflict(readAt(s, c.key, old, w.commit(c.w).Version))
			x.rollback()
		}
		x = begin()
		w.put(s, "k", "not read")
		x.mustCommit()
	}},
	{"ranges-over-inherited-keys", func(w *world) {
		parent := w.ancestor()
		s, _ := w.forkNow(parent)
		begin := func() *txn {
			x := w.beginSerializable()
			x.scan(s, backend.Range{Start: "a", End: "c"})
			return x.put(s, "j", "T1")
		}
		x := begin()
		w.commit(put(parent, "aa", "T2"), del(parent, "b"))
		w.put(s, "c", "outside")
		x.mustCommit()
		x = begin()
		now := w.put(s, "aa", "phantom")
		x.wantConflict(readAt(s, "aa", 0, now))
		x = begin()
		old := w.get(s, "b").Stamp
		now = w.del(s, "b").Version
		x.wantConflict(readAt(s, "b", old, now))
	}},
	{"snapshot-older-than-the-fork", func(w *world) {
		parent := w.ancestor()
		begin := func(serializable bool) (x *txn, s *backend.Scope) {
			x = w.begin()
			x.serializable = serializable
			now := w.commit(put(parent, "b", "moved"), put(parent, "new", "0"), del(parent, "d"))
			require.NotZero(w, now.Version)
			s, _ = w.forkNow(parent)
			return x, s
		}
		x, s := begin(false)
		x.get(s, "a")
		x.put(s, "j", "0").mustCommit()
		x, s = begin(false)
		stamp := x.get(s, "b").Stamp
		x.put(s, "j", "0").wantConflict(readAt(s, "b", stamp, w.get(parent, "b").Stamp))
		w.commit(del(parent, "new"))
		x, s = begin(true)
		at := x.pin.Version()
		x.scan(s, backend.Range{Start: "n", End: "o"})
		x.put(s, "j", "0").wantConflict(readAt(s, "new", w.getAt(parent, "new", at).Stamp,
			w.get(parent, "new").Stamp))
		x, s = begin(true)
		x.scan(s, backend.Range{Start: "n", End: "o"})
		own := w.put(s, "new", "own")
		x.put(s, "j", "0").wantConflict(readAt(s, "new", w.getAt(parent, "new", at).Stamp, own),
			readAt(s, "new", w.getAt(parent, "new", x.pin.Version()).Stamp, own))
		x, s = begin(true)
		x.scan(s, backend.Range{Start: "a", End: "b"})
		x.put(s, "j", "0").mustCommit()
	}},
	{"R160-events-go-on", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		other := w.fork(parent, at)
		head := w.chain(parent, at)
		require.Equal(w, uint64(3), w.begin().append(parent, "step", "p").mustCommit().
			Appends[0].Sequence)
		out := w.begin().append(s, "step", "s").append(s, "own", "s").mustCommit()
		require.Equal(w, uint64(3), out.Appends[0].Sequence)
		require.Equal(w, uint64(4), out.Appends[1].Sequence)
		links := w.chain(s, out.Version)
		require.Len(w, links, 5)
		require.Equal(w, head, links[:3])
		require.Len(w, w.chain(other, out.Version), 3)
		require.Len(w, w.chain(parent, out.Version), 4)
		deep, _ := w.forkNow(s)
		past := w.fork(s, at-1)
		require.Equal(w, uint64(5), w.begin().append(deep, "step", "d").mustCommit().
			Appends[0].Sequence)
		require.Equal(w, uint64(2), w.begin().append(past, "step", "d").mustCommit().
			Appends[0].Sequence)
		for _, s := range []*backend.Scope{parent, s, other, deep, past} {
			w.wantTypes(s, w.b.Published())
		}
		x := w.begin()
		require.Equal(w, backend.Record{}, x.read(other, codec.Events, codec.EventUserKey(3)))
		out = w.begin().append(other, "step", "first").mustCommit()
		x.append(other, "step", "late").wantConflict(backend.Conflict{Scope: other.Number,
			Primitive: codec.Events, Key: codec.EventUserKey(3), Found: out.Version})
	}},
	{"R191-commit-numbers-go-on", func(w *world) {
		parent := w.ancestor()
		for range 5 {
			w.put(parent, "k", "0")
		}
		at := w.b.Published() - 2
		s := w.fork(parent, at)
		w.put(parent, "k", "1")
		w.wantJoint(s, parent, at)
		for i := range 5 {
			w.put(s, "k", fmt.Sprint(i))
			w.commit(putIndex(s, "by/k", fmt.Sprint(i)))
			w.put(parent, "k", fmt.Sprint(i))
		}
		w.wantJoint(s, parent, at)
		deep := w.fork(s, w.b.Published()-4)
		w.begin().append(deep, "step", "0").mustCommit()
		w.wantJoint(deep, s, w.b.Published()-6)
		w.wantCommits(parent, w.sys)
	}},
	{"R145-deadlines-are-inherited", func(w *world) {
		parent := w.scope()
		deadline := w.now() + second
		w.commit(putUntil(parent, "a", "0", deadline), putUntil(parent, "b", "0", deadline),
			putUntil(parent, "c", "0", deadline))
		old := w.get(parent, "a").Stamp
		early, at := w.forkNow(parent)
		require.Equal(w, deadline, w.get(early, "a").Expiry)
		w.clock.Advance(long)
		require.Equal(w, backend.Outcome{}, w.del(early, "a"), "it has expired")
		swept := w.sweep(expire(parent, "a", old), expire(parent, "b", old)).Version
		late := w.fork(parent, swept)
		require.Equal(w, deadline, w.get(early, "a").Expiry)
		require.Equal(w, backend.Record{Version: swept, Stamp: old, Deleted: true},
			bare(w.get(late, "a")))
		for _, s := range []*backend.Scope{early, late} {
			w.begin().cas(s, "a", 0, "x").wantConflict(casOf(s, "a", 0, old))
			w.begin().cas(s, "a", old, "own").mustCommit()
		}
		require.NotZero(w, w.sweep(expire(early, "b", old)).Version)
		require.Equal(w, old, w.wantAbsent(early, "b").Stamp)
		w.wantInherited(early, parent, at, "a", "b", "c")
		if w.env.Sweep != nil {
			w.commit(putUntil(early, "own", "0", w.now()+second))
			w.clock.Advance(long)
			w.runSweep()
			require.True(w, w.get(early, "own").Deleted)
			require.False(w, w.get(early, "c").Deleted, "the sweeper leaves what is inherited")
			require.True(w, w.get(parent, "c").Deleted)
		}
	}},
	{"tail-tells-a-commit-once", func(w *world) {
		parent := w.ancestor()
		before := w.tail(0)
		s, _ := w.forkNow(parent)
		v := w.put(s, "own", "0")
		after := w.tail(0)
		require.Equal(w, before, after[:len(before)])
		require.Len(w, after, len(before)+2)
		require.Equal(w, []backend.ScopeChanges{{Scope: s.Number,
			Number: w.commits(parent, beyond).Count + 1, Changes: []codec.Change{
				{Primitive: codec.KV, Op: codec.ChangePut, Key: "own"}}}}, after[len(after)-1].Scopes)
		require.Equal(w, v, after[len(after)-1].Version)
	}},
	{"R211-many-forks-written-at-once", forkRace},
}

// forkRace writes to many forks of one scope, and to the scope, at the same time.
func forkRace(w *world) {
	const forks = 16
	each := rounds(40)
	parent := w.ancestor()
	at := w.b.Published()
	want := w.look(parent, at)
	all := make([]*backend.Scope, forks)
	w.parallel(forks+1, func(i int) {
		s := parent
		if i < forks {
			s = w.fork(parent, at)
			all[i] = s
		}
		for n := range each {
			x := w.begin()
			key := fmt.Sprintf("key/%02d", n%7)
			x.get(s, key)
			x.append(s, "step", fmt.Sprint(n)).put(s, key, fmt.Sprintf("%d of %d", n, i)).mustCommit()
		}
	})
	require.Equal(w, want, w.look(parent, at))
	for i, s := range all {
		w.wantInherited(s, parent, at)
		links := w.chain(s, w.b.Published())
		require.Len(w, links, 3+each)
		for _, p := range w.scan(s, backend.PrefixRange("key/"), w.b.Published()) {
			var n, of int
			_, err := fmt.Sscanf(valueOf(w, p.record), "%d of %d", &n, &of)
			require.NoError(w, err)
			require.Equal(w, i, of)
		}
		require.Equal(w, want.commits.Count+uint64(each), w.commits(s, beyond).Count)
	}
}

// valueOf is the String in a record.
func valueOf(t tester, r backend.Record) string {
	t.Helper()
	v, err := codec.DecodeValue(r.Value)
	require.NoError(t, err)
	s, err := v.AsString()
	require.NoError(t, err)
	return s
}
