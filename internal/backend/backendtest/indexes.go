package backendtest

import (
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// putIndex puts an index entry of KV.
func putIndex(s *backend.Scope, key, value string) backend.Write {
	x := put(s, key, value)
	x.Primitive = codec.KV.Index()
	return x
}

// delIndex deletes an index entry of KV.
func delIndex(s *backend.Scope, key string) backend.Write {
	x := del(s, key)
	x.Primitive = codec.KV.Index()
	return x
}

// wantEntries demands exactly these index entries now.
func (w *world) wantEntries(s *backend.Scope, keys ...string) {
	w.Helper()
	all := w.scanOf(s, codec.KV.Index(), backend.Range{}, w.b.Published())
	require.Equal(w, append([]string{}, keys...), keysOf(all))
}

// indexChecks say what is special about index entries: they are derived data.
var indexChecks = []Check{
	{"entries-are-committed-with-their-data", func(w *world) {
		s := w.scope()
		out := w.commit(put(s, "k", "0"), putIndex(s, "by/k", "0"), putIndex(s, "k", "another key"))
		for _, key := range []string{"by/k", "k"} {
			r := w.read(s, codec.KV.Index(), key, out.Version)
			require.Equal(w, out.Version, r.Version)
			require.Equal(w, backend.Record{}, w.read(s, codec.KV.Index(), key, out.Version-1))
		}
		w.wantValue(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		w.put(s, "k", "1")
		_, err := x.write(put(s, "k", "lost"), putIndex(s, "by/lost", "0")).commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		w.wantEntries(s, "by/k", "k")
	}},
	{"history-does-not-name-them", func(w *world) {
		s, other := w.scope(), w.scope()
		out := w.commit(put(s, "k", "0"), putIndex(s, "by/k", "0"), putIndex(other, "by/k", "0"))
		commits := w.tail(out.Version)
		require.Len(w, commits, 1)
		require.Equal(w, []backend.ScopeChanges{{Scope: s.Number, Number: 1, Changes: []codec.Change{
			{Primitive: codec.KV, Op: codec.ChangePut, Key: "k"}}}}, commits[0].Scopes)
		require.Equal(w, []codec.ScopeCommit{{Scope: s.Number, Number: 1}},
			commits[0].CommitRecord.Scopes)
	}},
	{"a-commit-of-nothing-else-has-a-version-and-no-number", func(w *world) {
		s := w.scope()
		first := w.put(s, "k", "0")
		alone := w.commit(putIndex(s, "by/k", "0"), putIndex(s, "by/l", "0")).Version
		require.Greater(w, alone, first)
		again := w.commit(delIndex(s, "by/l"), delIndex(s, "never"))
		require.Equal(w, 1, again.Existed)
		require.Zero(w, w.commit(delIndex(s, "by/l")).Version, "it is gone already")
		last := w.put(s, "k", "1")
		commits := w.tail(first)
		require.Len(w, commits, 4)
		for i, v := range []uint64{first, alone, again.Version, last} {
			require.Equal(w, v, commits[i].Version)
			require.Equal(w, w.commitRecord(v), commits[i].CommitRecord)
		}
		require.Empty(w, commits[1].Scopes)
		require.Empty(w, commits[2].Scopes)
		require.Equal(w, uint64(2), commits[3].Scopes[0].Number)
		w.wantEntries(s, "by/k")
	}},
	{"system-entries-are-no-change-either", func(w *world) {
		s := w.scope()
		x := backend.Write{Scope: w.sys, Primitive: codec.RunIndex, Key: "by status", Op: backend.Put,
			Value: []byte{0xf6}}
		out := w.commit(x, w.record(s, codec.Active))
		require.Equal(w, []codec.Change{{Primitive: codec.ScopeRecords, Op: codec.ChangePut,
			Key: s.Record}}, w.tail(out.Version)[0].Scopes[0].Changes)
		out = w.commit(x)
		require.Empty(w, w.tail(out.Version)[0].Scopes)
	}},
	{"R197-may-be-mended-in-every-status", func(w *world) {
		for _, status := range refused {
			s := w.scope()
			w.commit(put(s, "k", "0"), putIndex(s, "wrong", "0"))
			w.setStatus(s, status)
			for _, handle := range []*backend.Scope{s, again(s)} {
				w.commit(delIndex(handle, "wrong"), putIndex(handle, "right", "0"))
				_, err := w.b.Commit(w.ctx, &backend.Request{
					Writes: []backend.Write{putIndex(handle, "more", "0"), put(handle, "k", "1")}})
				require.ErrorIs(w, err, backend.ErrScopeNotActive, "that is more than an index")
				_, err = w.b.Commit(w.ctx, &backend.Request{
					Writes:  []backend.Write{putIndex(handle, "more", "0")},
					Appends: []backend.Append{event(handle, "step", "0")}})
				require.ErrorIs(w, err, backend.ErrScopeNotActive)
			}
			w.wantEntries(s, "right")
			w.wantNotActive(s, status)
		}
	}},
	{"mending-is-checked-like-any-commit", func(w *world) {
		s := w.scope()
		v := w.commit(put(s, "k", "0"), putIndex(s, "by/k", "0")).Version
		w.setStatus(s, codec.Completed)
		x := w.begin()
		x.read(s, codec.KV.Index(), "by/k")
		now := w.commit(putIndex(s, "by/k", "1")).Version
		x.write(delIndex(s, "by/k")).wantConflict(backend.Conflict{Scope: s.Number,
			Primitive: codec.KV.Index(), Key: "by/k", Expected: v, Found: now})
	}},
	{"a-deleted-scope-takes-none", func(w *world) {
		s := w.scope()
		other := again(s)
		w.commit(put(s, "k", "0"), putIndex(s, "by/k", "0"))
		w.drop(s)
		for _, handle := range []*backend.Scope{s, other, again(s), w.allocate()} {
			_, err := w.b.Commit(w.ctx,
				&backend.Request{Writes: []backend.Write{putIndex(handle, "late", "0")}})
			require.ErrorIs(w, err, backend.ErrScopeGone)
		}
	}},
	{"they-survive-a-reopen", func(w *world) {
		s := w.scope()
		first := w.commit(put(s, "k", "0"), putIndex(s, "by/k", "0")).Version
		last := w.commit(putIndex(s, "by/l", "0")).Version
		commits := w.tail(0)
		w.reopen()
		require.Equal(w, last, w.b.Published(), "the newest commit names no scope")
		require.Equal(w, commits, w.tail(0))
		w.wantEntries(s, "by/k", "by/l")
		require.Len(w, w.scanOf(s, codec.KV.Index(), backend.Range{}, first), 1)
		v := w.put(again(s), "k", "1")
		require.Equal(w, uint64(2), w.tail(v)[0].Scopes[0].Number)
		require.Equal(w, last, w.commitRecord(v).Previous)
	}},
}
