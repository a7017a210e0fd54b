package backendtest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// commits asks for the extent of a scope's history.
func (w *world) commits(s *backend.Scope, at uint64) backend.ScopeCommits {
	w.Helper()
	c, err := w.b.Commits(w.ctx, s, at)
	require.NoError(w, err)
	return c
}

// wantCommits compares Commits at every version with what Tail tells.
func (w *world) wantCommits(scopes ...*backend.Scope) {
	w.Helper()
	last := map[codec.Scope]backend.ScopeCommits{}
	next := uint64(0)
	demand := func(upTo uint64) {
		for ; next < upTo; next++ {
			for _, s := range scopes {
				require.Equal(w, last[s.Number], w.commits(s, next), "scope %d at %d", s.Number, next)
			}
		}
	}
	for _, c := range w.tail(0) {
		next = max(next, c.Version-min(c.Version, 2)) // not all of a gap
		demand(c.Version)
		for _, x := range c.Scopes {
			now := last[x.Scope]
			if now.Count == 0 {
				now.First = c.Version
			}
			now.Last, now.Count = c.Version, x.Number
			last[x.Scope] = now
		}
	}
	demand(w.b.Published() + 2)
	for _, s := range scopes {
		require.Equal(w, last[s.Number], w.commits(s, beyond))
	}
}

// commitsChecks are about Commits; that it agrees with Tail is also part of every random check.
var commitsChecks = []Check{
	{"R191-none-at-first", func(w *world) {
		s := w.scope()
		require.Zero(w, w.commits(s, w.b.Published()))
		require.Zero(w, w.commits(s, 0))
		require.Zero(w, w.commits(w.sys, 0))
	}},
	{"R191-first-last-and-count-at-every-version", func(w *world) {
		s, other := w.scope(), w.scope()
		for i := range 20 {
			switch i % 5 {
			case 0:
				w.put(other, "k", fmt.Sprint(i))
			case 1:
				w.commit(putIndex(s, "by/k", fmt.Sprint(i))) // no commit of the scope
			case 2:
				w.begin().append(s, "step", "0").put(other, "k", "with it").mustCommit()
			case 3:
				w.setStatus(s, codec.Active)
			default:
				w.put(s, "k", fmt.Sprint(i))
			}
		}
		require.Equal(w, uint64(8), w.commits(s, w.b.Published()).Count)
		w.wantCommits(s, other, w.sys)
	}},
	{"aborted-and-idle-commits-do-not-count", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		now := w.put(s, "k", "1")
		_, err := x.put(s, "k", "lost").commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		require.Zero(w, w.del(s, "never").Version)
		require.Equal(w, backend.ScopeCommits{First: v, Last: now, Count: 2},
			w.commits(s, w.b.Published()))
	}},
	{"a-commit-of-many-long-keys-counts-once", func(w *world) {
		s := w.scope()
		first := w.put(s, "k", "0")
		var all []backend.Write
		for i := range 400 { // their names fill several parts of a journal record
			all = append(all, put(s, fmt.Sprintf("%08000d", i), "0"))
		}
		long := w.commit(all...).Version
		require.Equal(w, backend.ScopeCommits{First: first, Last: long, Count: 2},
			w.commits(s, long))
		last := w.put(s, "k", "1")
		require.Equal(w, backend.ScopeCommits{First: first, Last: last, Count: 3},
			w.commits(s, last))
		w.wantCommits(s)
	}},
	{"of-an-ended-scope", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		w.setStatus(s, codec.Completed)
		require.Equal(w, backend.ScopeCommits{First: v, Last: v, Count: 1},
			w.commits(again(s), w.b.Published()))
	}},
	{"of-a-deleted-scope", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		w.drop(s)
		for _, handle := range []*backend.Scope{s, again(s), w.allocate()} {
			for _, at := range []uint64{v, w.b.Published()} {
				c, err := w.b.Commits(w.ctx, handle, at)
				require.ErrorIs(w, err, backend.ErrScopeGone)
				require.Zero(w, c)
			}
		}
	}},
	{"cancelled-context", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, err := w.b.Commits(ctx, s, w.b.Published())
		require.ErrorIs(w, err, context.Canceled)
	}},
	{"survive-a-reopen", func(w *world) {
		s, other := w.scope(), w.scope()
		for i := range 12 {
			w.put(s, "k", fmt.Sprint(i))
			w.commit(put(other, "k", fmt.Sprint(i)), putIndex(s, "by/k", fmt.Sprint(i)))
		}
		w.reopen()
		w.wantCommits(again(s), again(other), w.sys)
	}},
}
