package backendtest

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// flattenChecks: a fork that is flattened shows what it showed before, and needs its parent no
// more.
var flattenChecks = []Check{
	{"nobody-sees-a-difference", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		w.commit(put(s, "b", "own"), del(s, "a"))
		w.begin().append(s, "step", "own").mustCommit()
		sibling := w.fork(parent, at)
		keys := []string{"", "a", "b", "d", "gone", "never"}
		last := w.b.Published()
		before, others := w.looks(s, last, keys...), w.looks(sibling, last, keys...)
		same := func() {
			w.Helper()
			require.Equal(w, before, w.looks(s, last, keys...))
			require.Equal(w, others, w.looks(sibling, last, keys...))
			w.wantJoint(s, parent, at)
		}
		require.NoError(w, w.b.Flatten(w.ctx, s))
		same()
		w.flatten(s, forkPoint{parent: parent, version: at})
		same()
		require.NoError(w, w.b.Flatten(w.ctx, s), "once more does no harm")
		w.put(parent, "b", "later")
		w.begin().append(parent, "step", "later").mustCommit()
		same()
	}},
	{"the-parent-may-go", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		w.put(s, "b", "own")
		last := w.b.Published()
		before := w.looks(s, last, "a", "b", "gone")
		w.flatten(s, forkPoint{parent: parent, version: at})
		w.drop(parent)
		require.Equal(w, before, w.looks(s, last, "a", "b", "gone"))
		w.settle()
		require.Equal(w, before, w.looks(s, last, "a", "b", "gone"))
		old := w.get(s, "d").Stamp
		w.begin().cas(s, "d", 0, "x").wantConflict(casOf(s, "d", 0, old))
		w.begin().cas(s, "d", old, "own").mustCommit()
		require.Equal(w, 1, w.del(s, "a").Existed)
		out := w.begin().append(s, "step", "own").mustCommit()
		require.Equal(w, uint64(3), out.Appends[0].Sequence)
		w.chain(s, out.Version)
		require.Equal(w, before[len(before)-1].commits.Count+3, w.commits(s, beyond).Count)
		w.reopen()
		s = again(s)
		require.Equal(w, before, w.looks(s, last, "a", "b", "gone"))
		w.wantAbsent(s, "a")
		w.begin().append(s, "step", "own").mustCommit()
		w.chain(s, w.b.Published())
		w.drop(s)
		w.settle()
		w.wantGone(s)
	}},
	{"transactions-go-on-over-it", func(w *world) {
		parent := w.ancestor()
		s, at := w.forkNow(parent)
		p := forkPoint{parent: parent, version: at}
		begin := func() *txn {
			x := w.beginSerializable()
			x.get(s, "a")
			x.get(s, "never")
			x.scan(s, backend.Range{Start: "b"})
			return x.put(s, "j", "T1").cas(s, "d", w.get(parent, "d").Stamp, "T1")
		}
		good, bad := begin(), begin()
		w.flatten(s, p)
		w.drop(parent)
		w.settle()
		good.mustCommit()
		require.Error(w, func() error { _, err := bad.commit(); return err }())
		x := w.begin()
		old := x.get(s, "b").Stamp
		now := w.put(s, "b", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "b", old, now))
	}},
	{"cursors-go-on-over-it", func(w *world) {
		parent := w.scope()
		var all []backend.Write
		for i := range 300 {
			all = append(all, put(parent, fmt.Sprintf("key/%03d", i), "0"))
		}
		w.commit(all...)
		s, at := w.forkNow(parent)
		w.commit(del(s, "key/100"), put(s, "key/250", "own"))
		for _, reverse := range []bool{false, true} {
			c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{Reverse: reverse}, w.b.Published())
			defer c.Close()
			count := 0
			for ; count < 50 && c.Next(); count++ {
			}
			if !reverse {
				w.flatten(s, forkPoint{parent: parent, version: at})
				w.drop(parent)
				w.settle()
			}
			for c.Next() {
				count++
			}
			require.NoError(w, c.Err())
			require.Equal(w, 299, count)
		}
	}},
	{"forks-of-a-flattened-fork", func(w *world) {
		root := w.ancestor()
		middle, at := w.forkNow(root)
		w.put(middle, "a", "middle")
		leaf, point := w.forkNow(middle)
		w.put(leaf, "b", "leaf")
		past := w.fork(middle, at-1)
		last := w.b.Published()
		want := [][]look{w.looks(middle, last), w.looks(leaf, last), w.looks(past, last)}
		same := func() {
			w.Helper()
			for i, s := range []*backend.Scope{middle, leaf, past} {
				require.Equal(w, want[i], w.looks(s, last), i)
			}
		}
		w.flatten(middle, forkPoint{parent: root, version: at})
		w.drop(root)
		w.settle()
		same()
		fresh := w.fork(middle, at)
		w.wantInherited(fresh, middle, at)
		w.flatten(leaf, forkPoint{parent: middle, version: point})
		w.flatten(past, forkPoint{parent: middle, version: at - 1})
		w.flatten(fresh, forkPoint{parent: middle, version: at})
		same()
		w.drop(middle)
		w.settle()
		require.Equal(w, want[1], w.looks(leaf, last))
		require.Equal(w, want[2], w.looks(past, last))
		out := w.begin().append(past, "step", "own").mustCommit()
		require.Equal(w, uint64(2), out.Appends[0].Sequence)
		w.chain(past, out.Version)
	}},
	{"flatten-through-several", func(w *world) {
		root := w.ancestor()
		line := []*backend.Scope{root}
		var at uint64
		for i := range 4 {
			s, point := w.forkNow(line[i])
			w.commit(put(s, "a", fmt.Sprint(i)), del(s, "b"), put(s, fmt.Sprint("own", i), "0"))
			line, at = append(line, s), point
		}
		leaf, last := line[4], w.b.Published()
		before := w.looks(leaf, last, "a", "b", "own1")
		w.flatten(leaf, forkPoint{parent: line[3], version: at})
		for i := range 4 {
			w.drop(line[3-i])
		}
		w.settle()
		require.Equal(w, before, w.looks(leaf, last, "a", "b", "own1"))
	}},
	{"nothing-to-do", func(w *world) {
		s := w.ancestor()
		before := w.looks(s, w.b.Published())
		require.NoError(w, w.b.Flatten(w.ctx, s))
		require.Equal(w, before, w.looks(s, w.b.Published()))
		fork, at := w.forkNow(w.scope())
		require.NoError(w, w.b.Flatten(w.ctx, fork))
		w.wantAbsent(fork, "a")
		w.drop(s)
		require.ErrorIs(w, w.b.Flatten(w.ctx, s), backend.ErrScopeGone)
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		deep := w.fork(fork, at)
		require.ErrorIs(w, w.b.Flatten(ctx, deep), context.Canceled)
	}},
	{"deadlines-and-the-sweep", func(w *world) {
		w.needSweep()
		parent := w.scope()
		deadline := w.now() + second
		w.commit(putUntil(parent, "a", "0", deadline), putUntil(parent, "b", "0", deadline))
		s, at := w.forkNow(parent)
		w.commit(putUntil(s, "b", "own", deadline))
		w.flatten(s, forkPoint{parent: parent, version: at})
		w.drop(parent)
		w.clock.Advance(long)
		w.runSweep()
		require.Equal(w, deadline, w.get(s, "a").Expiry, "what was inherited stays as it was")
		require.True(w, w.wantAbsent(s, "b").Deleted)
		require.Equal(w, backend.Outcome{}, w.del(s, "a"))
	}},
	{"R211-while-others-write", flattenRace},
}

// flattenRace flattens forks one after the other, and drops what they came from, while they are
// read and written.
func flattenRace(w *world) {
	const forks = 4
	root := w.ancestor()
	at := w.b.Published()
	want := w.look(root, at, "a", "b")
	all := make([]*backend.Scope, forks)
	parents := []*backend.Scope{root}
	for i := range forks { // each a fork of the one before
		all[i] = w.fork(parents[i], at)
		parents = append(parents, all[i])
	}
	stop := make(chan struct{})
	w.parallel(forks+1, func(i int) {
		if i == forks {
			defer close(stop)
			for j, s := range all {
				w.sleep(2 * time.Millisecond)
				w.flatten(s, forkPoint{parent: parents[j], version: at})
				w.drop(parents[j])
				if j == forks-2 {
					return
				}
			}
			return
		}
		s := all[i]
		for n := 0; w.going(); n++ {
			select {
			case <-stop:
				return
			default:
			}
			l, err := w.tryLook(s, at, "a", "b")
			if err != nil { // dropped, behind a fork of it that was flattened
				require.ErrorIs(w, err, backend.ErrScopeGone)
				return
			}
			require.Equal(w, want, l)
			_, err = w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{
				put(s, "a", fmt.Sprint(n)), del(s, "b")}})
			if err != nil {
				require.ErrorIs(w, err, backend.ErrScopeGone)
				return
			}
		}
	})
	w.settle()
	require.Equal(w, want, w.look(all[forks-1], at, "a", "b"))
}

// tryLook is look for a scope that may be dropped at any time.
func (w *world) tryLook(s *backend.Scope, at uint64, keys ...string) (l look, err error) {
	w.Helper()
	if l.commits, err = w.b.Commits(w.ctx, s, at); err != nil {
		return l, err
	}
	l.pairs = map[codec.Primitive][]pair{}
	for _, p := range lookLetters {
		c := w.b.Scan(w.ctx, s, p, backend.Range{}, at)
		defer c.Close()
		for c.Next() {
			l.pairs[p] = append(l.pairs[p], pair{c.Key(), bare(*c.Record())})
		}
		if err := c.Err(); err != nil {
			return l, err
		}
	}
	for _, key := range keys {
		r, err := w.b.Get(w.ctx, s, codec.KV, key, at)
		if err != nil {
			return l, err
		}
		l.records = append(l.records, bare(r))
	}
	return l, nil
}
