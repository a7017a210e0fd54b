package backendtest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// tailChecks are about Tail; that it equals what was committed is also part of every random check.
var tailChecks = []Check{
	{"equals-what-was-committed", func(w *world) {
		s, other := w.scope(), w.scope()
		w.put(s, "b", "0")
		from := w.b.Published() + 1
		first := w.commit(put(s, "a", "0"), del(s, "b"), put(other, "k", "0"), del(s, "never"))
		second := w.begin().append(s, "step", "0").mustCommit()
		third := w.setStatus(s, codec.Completed)
		change := func(p codec.Primitive, op codec.ChangeOp, key string) codec.Change {
			return codec.Change{Primitive: p, Op: op, Key: key}
		}
		commits := w.tail(from)
		require.Len(w, commits, 3)
		require.Equal(w, []backend.ScopeChanges{
			{Scope: s.Number, Number: 2, Changes: []codec.Change{
				change(codec.KV, codec.ChangePut, "a"), change(codec.KV, codec.ChangeDelete, "b")}},
			{Scope: other.Number, Number: 1, Changes: []codec.Change{
				change(codec.KV, codec.ChangePut, "k")}},
		}, commits[0].Scopes)
		require.Equal(w, []backend.ScopeChanges{
			{Scope: s.Number, Number: 3, Changes: []codec.Change{
				change(codec.Events, codec.ChangeAppend, codec.EventUserKey(0))}},
		}, commits[1].Scopes)
		require.Len(w, commits[2].Scopes, 1)
		require.Equal(w, codec.SystemScope, commits[2].Scopes[0].Scope)
		require.Equal(w, []codec.Change{change(codec.ScopeRecords, codec.ChangePut, s.Record)},
			commits[2].Scopes[0].Changes)
		for i, v := range []uint64{first.Version, second.Version, third} {
			require.Equal(w, v, commits[i].Version)
			require.Equal(w, w.commitRecord(v), commits[i].CommitRecord)
		}
	}},
	{"starts-anywhere", func(w *world) {
		s := w.scope()
		for i := range 20 {
			w.put(s, "k", fmt.Sprint(i))
		}
		all := w.tail(0)
		for i, c := range all {
			require.Equal(w, all[i:], w.tail(c.Version))
			require.Equal(w, all[i+1:], append([]backend.Commit{}, w.tail(c.Version+1)...))
		}
		require.Empty(w, w.tail(beyond))
	}},
	{"names-the-commit-before", func(w *world) {
		s := w.scope()
		for i := range 20 {
			w.put(s, "k", fmt.Sprint(i))
		}
		var last *backend.Commit
		for _, c := range w.tail(0) {
			if last != nil {
				require.Greater(w, c.Version, last.Version)
				require.Equal(w, last.Version, c.Previous)
				require.GreaterOrEqual(w, c.Time, last.Time)
			}
			last = &c
		}
	}},
	{"meets-what-is-committed-during-the-walk", func(w *world) {
		s := w.scope()
		from := w.put(s, "k", "0")
		seen := 0
		for c, err := range w.b.Tail(w.ctx, from) {
			require.NoError(w, err)
			require.Equal(w, w.b.Published(), c.Version)
			if seen++; seen < 5 {
				w.put(s, "k", fmt.Sprint(seen))
			}
		}
		require.Equal(w, 5, seen)
	}},
	{"may-be-left-early-and-walked-again", func(w *world) {
		s := w.scope()
		for i := range 10 {
			w.put(s, "k", fmt.Sprint(i))
		}
		walk := w.b.Tail(w.ctx, 0)
		for i := range 50 {
			left := i % 5
			for _, err := range walk {
				require.NoError(w, err)
				if left--; left < 0 {
					break
				}
			}
		}
		n := 0
		for _, err := range walk {
			require.NoError(w, err)
			n++
		}
		require.Len(w, w.tail(0), n)
	}},
	{"cancelled-context-is-told-once-and-last", func(w *world) {
		s := w.scope()
		for i := range 10 {
			w.put(s, "k", fmt.Sprint(i))
		}
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		errs := 0
		for c, err := range w.b.Tail(ctx, 0) {
			require.Zero(w, errs, "nothing comes after an error")
			if err != nil {
				errs++
				require.ErrorIs(w, err, context.Canceled)
				require.Zero(w, c.Version)
			}
		}
	}},
	{"outlives-the-deletion-of-a-scope", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		w.drop(s)
		commits := w.tail(v)
		require.Len(w, commits, 2)
		require.Equal(w, []codec.ScopeCommit{{Scope: s.Number, Number: 1}},
			commits[0].CommitRecord.Scopes)
	}},
}
