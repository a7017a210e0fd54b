package backendtest

import (
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// refused are the statuses that admit no writes.
var refused = []codec.Status{
	codec.Paused, codec.Completed, codec.Failed, codec.Cancelled, codec.Archived}

// wantNotActive demands that writes to a scope are refused because of its status.
func (w *world) wantNotActive(s *backend.Scope, status codec.Status) {
	w.Helper()
	before := w.b.Published()
	for _, r := range []*backend.Request{
		{Writes: []backend.Write{put(s, "refused", "0")}},
		{Writes: []backend.Write{del(s, "refused")}},
		{Writes: []backend.Write{expire(s, "refused", 0)}, Flags: codec.FlagExpiry},
		{Appends: []backend.Append{event(s, "step", "0")}},
	} {
		out, err := w.b.Commit(w.ctx, r)
		require.ErrorIs(w, err, backend.ErrScopeNotActive)
		require.Zero(w, out)
		var details *backend.ScopeStatusError
		require.True(w, errors.As(err, &details), "expected *ScopeStatusError, found %T", err)
		require.Equal(w, status, details.Status)
		require.Equal(w, s.Record, details.Record)
	}
	require.Equal(w, before, w.b.Published())
	w.wantAbsent(s, "refused")
}

// wantNoWrites demands that commits to a scope answer ErrScopeGone.
func (w *world) wantNoWrites(s *backend.Scope) {
	w.Helper()
	for _, r := range []*backend.Request{
		{Writes: []backend.Write{put(s, "k", "late")}},
		{Writes: []backend.Write{del(s, "k")}},
		{Appends: []backend.Append{event(s, "step", "0")}},
	} {
		_, err := w.b.Commit(w.ctx, r)
		require.ErrorIs(w, err, backend.ErrScopeGone)
	}
}

// wantNoReads demands that reads of a scope answer ErrScopeGone.
func (w *world) wantNoReads(s *backend.Scope, versions ...uint64) {
	w.Helper()
	for _, at := range append(versions, w.b.Published()) {
		r, err := w.b.Get(w.ctx, s, codec.KV, "k", at)
		require.ErrorIs(w, err, backend.ErrScopeGone, "get at %d", at)
		require.Zero(w, r)
		c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, at)
		require.False(w, c.Next())
		require.ErrorIs(w, c.Err(), backend.ErrScopeGone, "scan at %d", at)
		c.Close()
	}
}

// scopeChecks are semantics 2.10, 5.3 and 5.4. Two handles are used throughout, because what one
// remembers of a scope must not outlive what was done through another.
var scopeChecks = []Check{
	{"every-status-but-active-refuses", func(w *world) {
		for _, status := range refused {
			s := w.scope()
			other := again(s)
			w.put(s, "k", "0")
			w.put(other, "k", "1")
			w.setStatus(s, status)
			w.wantNotActive(s, status)
			w.wantNotActive(other, status)
			w.wantNotActive(again(s), status)
			w.wantValue(s, "k", "1")
			require.Equal(w, []string{"k"}, keysOf(w.scan(other, backend.Range{}, w.b.Published())))
		}
	}},
	{"resumed-scope-takes-writes", func(w *world) {
		s := w.scope()
		other := again(s)
		w.put(s, "k", "0")
		w.setStatus(s, codec.Paused)
		w.wantNotActive(s, codec.Paused)
		w.setStatus(other, codec.Active)
		w.put(s, "k", "1")
		w.put(other, "k", "2")
	}},
	{"record-may-still-change-when-ended", func(w *world) {
		s := w.scope()
		w.setStatus(s, codec.Completed)
		w.setStatus(s, codec.Archived)
		w.wantNotActive(s, codec.Archived)
	}},
	{"sealed-by-its-own-last-commit", func(w *world) {
		s := w.scope()
		out := w.must(w.b.Commit(w.ctx, &backend.Request{
			Writes:  []backend.Write{put(s, "k", "last words"), w.record(s, codec.Completed)},
			Appends: []backend.Append{event(s, "end", "0")},
		}))
		require.Equal(w, out.Version, w.wantValue(s, "k", "last words").Version)
		require.Len(w, w.chain(s, out.Version), 1)
		w.wantNotActive(s, codec.Completed)
	}},
	{"status-at-commit-decides-not-at-snapshot", func(w *world) {
		s := w.scope()
		x := w.begin()
		w.setStatus(s, codec.Cancelled)
		_, err := x.put(s, "k", "T1").commit()
		require.ErrorIs(w, err, backend.ErrScopeNotActive)
		x = w.begin()
		w.setStatus(s, codec.Active)
		x.put(s, "k", "T1").mustCommit()
	}},
	{"status-is-told-before-conflicts", func(w *world) {
		s := w.scope()
		x := w.begin()
		x.get(s, "k")
		w.put(s, "k", "T2")
		w.setStatus(s, codec.Failed)
		_, err := x.put(s, "k", "T1").commit()
		require.ErrorIs(w, err, backend.ErrScopeNotActive, "a retry would be of no use")
		require.False(w, errors.Is(err, backend.ErrConflict))
	}},
	{"reads-of-an-ended-scope-are-allowed", func(w *world) {
		ended, s := w.scope(), w.scope()
		w.put(ended, "k", "0")
		w.setStatus(ended, codec.Completed)
		x := w.begin()
		x.get(ended, "k")
		x.put(s, "copy", "T1").mustCommit()
	}},
	{"one-refusing-scope-stops-the-commit", func(w *world) {
		s, ended := w.scope(), w.scope()
		w.setStatus(ended, codec.Completed)
		_, err := w.b.Commit(w.ctx, &backend.Request{
			Writes: []backend.Write{put(s, "k", "0"), put(ended, "k", "0")}})
		require.ErrorIs(w, err, backend.ErrScopeNotActive)
		w.wantAbsent(s, "k")
	}},
	{"created-with-its-first-writes", func(w *world) {
		s := w.allocate()
		r := w.creation(s, codec.Active)
		r.Writes = append(r.Writes, put(s, "k", "first"))
		r.Appends = []backend.Append{event(s, "begin", "0")}
		out := w.must(w.b.Commit(w.ctx, r))
		require.Equal(w, out.Version, w.wantValue(s, "k", "first").Version)
		require.Len(w, w.chain(again(s), out.Version), 1)
		w.put(again(s), "k", "second")
		require.Equal(w, backend.Record{}, w.getAt(s, "k", out.Version-1))
	}},
	{"creation-that-conflicts-leaves-nothing", func(w *world) {
		s := w.allocate()
		w.must(w.b.Commit(w.ctx, w.creation(s, codec.Active)))
		late := &backend.Scope{Number: w.allocate().Number, Record: s.Record}
		r := w.creation(late, codec.Active)
		r.Writes = append(r.Writes, put(late, "k", "late"))
		_, err := w.b.Commit(w.ctx, r)
		require.ErrorIs(w, err, backend.ErrConflict)
		w.wantNoWrites(late)
		w.put(s, "k", "the first one lives")
	}},
	{"never-created-takes-no-writes", func(w *world) { w.wantNoWrites(w.allocate()) }},
	{"never-created-cannot-be-read", func(w *world) { w.wantNoReads(w.allocate()) }},
	{"E90-deleted-scope-is-gone-old-versions-too", func(w *world) {
		s := w.scope()
		other := again(s)
		w.put(s, "k", "0")
		v := w.put(other, "k", "1")
		w.drop(s)
		for _, handle := range []*backend.Scope{s, other, again(s)} {
			w.wantNoWrites(handle)
			w.wantNoReads(handle, v, v-1, 1)
		}
	}},
	{"E91-same-id-again-sees-nothing-of-the-old", func(w *world) {
		old := w.scope()
		v := w.put(old, "k", "0")
		w.must(w.begin().append(old, "step", "0").commit())
		w.drop(old)
		fresh := &backend.Scope{Number: w.allocate().Number, Record: old.Record}
		w.must(w.b.Commit(w.ctx, &backend.Request{CreateScopes: []*backend.Scope{fresh},
			Writes: []backend.Write{w.record(fresh, codec.Active)}}))
		require.Equal(w, backend.Record{}, w.get(fresh, "k"))
		require.Equal(w, backend.Record{}, w.getAt(fresh, "k", v))
		require.Empty(w, w.chain(fresh, w.b.Published()))
		w.put(fresh, "k", "new")
		out := w.begin().append(fresh, "step", "0").mustCommit()
		require.Zero(w, out.Appends[0].Sequence)
		require.Equal(w, uint64(2), w.tail(out.Version)[0].Scopes[0].Number)
		w.wantNoWrites(old)
		w.wantNoReads(old, v)
	}},
	{"system-scope-is-always-writable", func(w *world) {
		write := backend.Write{Scope: w.sys, Primitive: codec.RunIndex, Key: "agents/a",
			Op: backend.Put, Value: text("0")}
		v := w.commit(write).Version
		r := w.read(w.sys, codec.RunIndex, "agents/a", w.b.Published())
		require.Equal(w, v, r.Version)
		x := w.begin()
		x.read(&backend.Scope{Number: codec.SystemScope}, codec.RunIndex, "agents/a")
		now := w.commit(write).Version
		x.write(write).wantConflict(backend.Conflict{Scope: codec.SystemScope,
			Primitive: codec.RunIndex, Key: "agents/a", Expected: v, Found: now})
	}},
	{"R015-numbers-are-unique-and-valid", func(w *world) {
		numbers := make(chan codec.Scope, 8*50)
		w.parallel(8, func(int) {
			for range 50 {
				n, err := w.b.AllocateScope(w.ctx)
				require.NoError(w, err)
				numbers <- n
			}
		})
		close(numbers)
		seen := map[codec.Scope]bool{codec.SystemScope: true}
		for n := range numbers {
			require.False(w, seen[n], "number %d was given out twice", n)
			require.LessOrEqual(w, n, codec.MaxScope)
			seen[n] = true
		}
	}},
}
