package backendtest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// ancestor is a scope with a past: values, tombstones, several versions, events, index entries.
func (w *world) ancestor() *backend.Scope {
	w.Helper()
	s := w.scope()
	w.commit(put(s, "a", "0"), put(s, "b", "0"), put(s, "gone", "0"), put(s, "", "empty key"))
	w.begin().append(s, "step", "0").append(s, "other", "1").put(s, "b", "1").mustCommit()
	w.commit(del(s, "gone"), put(s, "d", "0"), putIndex(s, "by/d", "0"))
	w.begin().append(s, "step", "2").put(s, "a", "1").mustCommit()
	return s
}

// forkChecks are semantics 6.4 below the seam: what a fork reads, and what nobody else does.
var forkChecks = []Check{
	{"R211-shows-what-the-parent-did", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		keys := []string{"", "a", "b", "c", "d", "gone", "never", "by/d"}
		w.wantInherited(s, parent, at, keys...)
		require.True(w, w.wantAbsent(s, "gone").Deleted, "a tombstone is inherited too")
		w.put(parent, "a", "later")
		w.put(parent, "c", "later")
		w.del(parent, "b")
		w.begin().append(parent, "step", "later").mustCommit()
		w.wantInherited(s, parent, at, keys...)
		require.Equal(w, w.look(parent, at, keys...), w.look(s, w.b.Published(), keys...))
	}},
	{"R211-at-every-version-of-the-parent", func(w *world) {
		parent := w.ancestor()
		last := w.b.Published()
		for v := uint64(1); v <= last; v++ {
			w.wantInherited(w.fork(parent, v), parent, v, "a", "b", "gone")
		}
	}},
	{"own-writes-lie-over-inherited-ones", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		w.commit(put(s, "b", "own"), put(s, "bb", "own"), del(s, "a"), put(s, "gone", "back"))
		require.Equal(w, []string{"", "b", "bb", "d", "gone"},
			keysOf(w.scan(s, backend.Range{}, w.b.Published())))
		require.Equal(w, []string{"bb", "b"}, keysOf(w.scan(s,
			backend.Range{Start: "a", End: "c", Reverse: true}, w.b.Published())))
		require.Equal(w, []string{"", "a", "b", "d"}, keysOf(w.scan(parent, backend.Range{}, at)))
		w.wantValue(s, "b", "own")
		require.True(w, w.wantAbsent(s, "a").Deleted)
		w.wantInherited(s, parent, at, "a", "b", "bb", "gone")
		w.put(s, "a", "again")
		w.wantValue(s, "a", "again")
		w.look(s, w.b.Published())
	}},
	{"R211-parent-children-and-siblings-are-apart", func(w *world) {
		parent := w.ancestor()
		at := w.b.Published()
		forks := []*backend.Scope{w.fork(parent, at), w.fork(parent, at), w.fork(parent, at-1)}
		all := append(forks, parent)
		before := make([]look, len(all))
		for i, s := range all {
			for j, other := range all {
				before[j] = w.look(other, w.b.Published(), "a", "b", "new")
			}
			w.commit(put(s, "a", fmt.Sprint(i)), del(s, "b"), put(s, "new", fmt.Sprint(i)))
			w.begin().append(s, "step", fmt.Sprint(i)).mustCommit()
			for j, other := range all {
				if j != i {
					require.Equal(w, before[j], w.look(other, w.b.Published(), "a", "b", "new"))
				}
			}
		}
		w.drop(forks[0])
		w.settle()
		w.wantGone(forks[0])
		for j, other := range all[1:3] {
			w.wantValue(other, "new", fmt.Sprint(j+1))
		}
	}},
	{"forks-of-forks", func(w *world) {
		line, points := []*backend.Scope{w.ancestor()}, []uint64{0}
		for i := range 6 {
			parent := line[len(line)-1]
			s, at := w.forkNow(parent)
			line, points = append(line, s), append(points, at)
			w.commit(put(s, fmt.Sprint("own/", i), "0"), put(s, "a", fmt.Sprint(i)))
			if i%2 == 0 {
				w.begin().append(s, "step", fmt.Sprint(i)).del(s, fmt.Sprint("own/", i-1)).mustCommit()
			}
		}
		for i := len(line) - 1; i > 0; i-- {
			w.wantInherited(line[i], line[i-1], points[i], "a", "own/1", "own/3", "gone")
			w.wantJoint(line[i], line[i-1], points[i])
		}
		w.wantValue(line[6], "own/0", "0")
		w.wantAbsent(line[6], "own/1")
	}},
	{"fork-below-the-fork-point-of-its-parent", func(w *world) {
		root := w.ancestor()
		first := w.b.Published()
		w.put(root, "a", "late")
		s, _ := w.forkNow(root)
		w.put(s, "a", "own")
		deep := w.fork(s, first-1)
		w.wantInherited(deep, root, first-1, "a", "b", "gone")
		w.put(deep, "b", "own")
		w.wantJoint(deep, s, first-1)
		w.wantValue(s, "a", "own")
	}},
	{"fork-of-runs-that-ended", func(w *world) {
		parent := w.ancestor()
		w.setStatus(parent, codec.Completed)
		s, at := w.forkNow(parent)
		w.put(s, "a", "own")
		w.setStatus(parent, codec.Archived)
		w.wantInherited(s, parent, at, "a", "b")
		ended := w.forkRecord(s, forkPoint{parent: parent, version: at}, codec.Failed)
		w.commit(ended)
		w.wantNotActive(s, codec.Failed)
		deep, point := w.forkNow(s)
		w.put(deep, "b", "own")
		w.wantInherited(deep, s, point, "a", "b")
		w.wantJoint(deep, s, point)
	}},
	{"fork-of-nothing-written", func(w *world) {
		parent := w.scope()
		s, at := w.forkNow(parent)
		require.Zero(w, w.commits(s, beyond))
		w.put(parent, "k", "0")
		w.wantAbsent(s, "k")
		v := w.put(s, "k", "own")
		require.Equal(w, backend.ScopeCommits{First: v, Last: v, Count: 1}, w.commits(s, beyond))
		out := w.begin().append(s, "step", "0").mustCommit()
		require.Zero(w, out.Appends[0].Sequence)
		w.wantJoint(s, parent, at)
	}},
	{"refused-without-a-parent-or-from-the-future", func(w *world) {
		parent, other := w.ancestor(), w.scope()
		refuse := func(want error, p forkPoint) {
			w.Helper()
			before := w.b.Published()
			s := w.allocate()
			_, err := w.b.Commit(w.ctx, w.forking(s, p))
			require.ErrorIs(w, err, want)
			require.Equal(w, before, w.b.Published())
			w.wantNoReads(s)
		}
		at := w.b.Published()
		refuse(codec.ErrInvalidArgument, forkPoint{parent: parent, version: at + 1})
		refuse(backend.ErrScopeGone, forkPoint{parent: w.allocate(), version: at})
		mixed := &backend.Scope{Number: other.Number, Record: parent.Record}
		refuse(backend.ErrScopeGone, forkPoint{parent: mixed, version: at})
		w.drop(parent)
		refuse(backend.ErrScopeGone, forkPoint{parent: parent, version: at})
		w.settle()
		refuse(backend.ErrScopeGone, forkPoint{parent: parent, version: at})
	}},
	{"a-parent-that-is-gone-is-named-not-read", func(w *world) {
		parent := w.ancestor()
		s, _ := w.forkNow(parent)
		w.put(s, "k", "own")
		w.drop(parent)
		for range 2 {
			_, err := w.b.Get(w.ctx, s, codec.KV, "a", w.b.Published())
			require.ErrorIs(w, err, backend.ErrScopeGone)
			c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, w.b.Published())
			for c.Next() {
			}
			require.ErrorIs(w, c.Err(), backend.ErrScopeGone)
			c.Close()
			w.settle()
		}
	}},
	{"R112-forks-survive-a-reopen", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		w.commit(put(s, "b", "own"), del(s, "a"))
		untouched := w.fork(parent, at-1)
		deep, point := w.forkNow(s)
		w.put(parent, "b", "later")
		w.reopen()
		s, untouched, deep = again(s), again(untouched), again(deep)
		out := w.begin().append(untouched, "step", "own").mustCommit()
		require.Equal(w, uint64(2), out.Appends[0].Sequence)
		w.wantInherited(deep, s, point, "a", "b", "gone")
		w.wantInherited(s, again(parent), at, "a", "b", "gone")
		w.wantInherited(untouched, again(parent), at-1, "a", "b", "gone")
		w.put(deep, "b", "deep")
		w.wantJoint(deep, s, point)
		w.wantJoint(s, again(parent), at)
		w.wantJoint(untouched, again(parent), at-1)
		w.wantValue(s, "b", "own")
	}},
	{"written-in-the-commit-that-makes-it", func(w *world) {
		parent := w.ancestor()
		at := w.b.Published()
		s := w.allocate()
		r := w.forking(s, forkPoint{parent: parent, version: at})
		r.Writes = append(r.Writes, del(s, "a"), del(s, "never"), put(s, "b", "own"))
		r.Appends = append(r.Appends, event(s, "step", "own"))
		r.Conditions = append(r.Conditions, backend.Condition{Scope: s, Primitive: codec.KV,
			Key: "d", Expected: w.get(parent, "d").Stamp})
		out := w.must(w.b.Commit(w.ctx, r))
		require.Equal(w, 1, out.Existed)
		require.Equal(w, uint64(3), out.Appends[0].Sequence)
		w.wantJoint(s, parent, at)
		require.Equal(w, []string{"", "b", "d"}, keysOf(w.scan(s, backend.Range{}, out.Version)))
		w.look(s, out.Version)
	}},
}
