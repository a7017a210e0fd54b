package backendtest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// writeChecks are the edge cases of requirements 2.3, and what Delete promises.
var writeChecks = []Check{
	{"E40-put-then-delete-deletes", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		out := w.begin().put(s, "k", "1").del(s, "k").mustCommit()
		require.Equal(w, 1, out.Existed)
		require.Equal(w, out.Version, w.wantAbsent(s, "k").Version)
	}},
	{"E40-put-then-delete-of-new-key-writes-nothing", func(w *world) {
		s := w.scope()
		before := w.b.Published()
		require.Equal(w, backend.Outcome{}, w.begin().put(s, "k", "1").del(s, "k").mustCommit())
		require.Equal(w, before, w.b.Published())
		require.Equal(w, backend.Record{}, w.get(s, "k"))
	}},
	{"E41-delete-then-put-puts", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		require.Zero(w, w.begin().del(s, "k").put(s, "k", "1").mustCommit().Existed)
		w.wantValue(s, "k", "1")
	}},
	{"E42-delete-of-missing-key", func(w *world) {
		s := w.scope()
		before := w.b.Published()
		require.Equal(w, backend.Outcome{}, w.del(s, "k"))
		require.Equal(w, before, w.b.Published(), "a no-op takes no version")
		require.Equal(w, backend.Record{}, w.get(s, "k"), "a no-op leaves no tombstone")
	}},
	{"R043-E42-second-delete-is-a-no-op", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		first := w.del(s, "k")
		require.Equal(w, 1, first.Existed)
		require.Equal(w, backend.Outcome{}, w.del(s, "k"))
		require.Equal(w, first.Version, w.get(s, "k").Version)
	}},
	{"E43-last-put-in-one-version", func(w *world) {
		s := w.scope()
		x := w.begin()
		for _, v := range []string{"1", "2", "3"} {
			x.put(s, "k", v)
		}
		out := x.mustCommit()
		require.Equal(w, out.Version, w.wantValue(s, "k", "3").Version)
		require.Len(w, w.tail(out.Version)[0].Scopes[0].Changes, 1)
	}},
	{"E45-order-of-writes-does-not-show", func(w *world) {
		s, other := w.scope(), w.scope()
		cell := put(s, "a", "1")
		cell.Primitive = codec.Cells
		writes := []backend.Write{put(s, "b", "1"), put(other, "a", "1"), cell, put(s, "", "1"),
			put(s, "a\x00", "1"), put(s, "a", "1"), put(s, "a\xff", "1")}
		first := w.tail(w.commit(writes...).Version)
		slices.Reverse(writes)
		second := w.tail(w.commit(writes...).Version)
		require.Len(w, first, 1)
		require.Len(w, second, 1)
		require.Len(w, first[0].Scopes, 2)
		for i, changes := range second[0].Scopes {
			require.Equal(w, first[0].Scopes[i].Changes, changes.Changes)
		}
		change := func(p codec.Primitive, key string) codec.Change {
			return codec.Change{Primitive: p, Op: codec.ChangePut, Key: key}
		}
		require.Equal(w, []codec.Change{change(codec.Cells, "a"), change(codec.KV, ""),
			change(codec.KV, "a"), change(codec.KV, "a\x00"), change(codec.KV, "a\xff"),
			change(codec.KV, "b")}, first[0].Scopes[0].Changes)
	}},
	{"existed-counts-deletes-that-took-effect", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "0"), put(s, "b", "0"), put(s, "c", "0"))
		w.del(s, "c")
		out := w.commit(del(s, "a"), del(s, "b"), del(s, "c"), del(s, "never"), put(s, "d", "1"))
		require.Equal(w, 2, out.Existed)
		require.Len(w, w.tail(out.Version)[0].Scopes[0].Changes, 3, "no-op deletes leave no trace")
	}},
	{"delete-of-expired-key-is-a-no-op", func(w *world) {
		s := w.scope()
		old := w.commit(putUntil(s, "k", "0", w.now()+int64(time.Second))).Version
		w.clock.Advance(2 * time.Second)
		require.Equal(w, backend.Outcome{}, w.del(s, "k"))
		require.Equal(w, old, w.get(s, "k").Version)
	}},
	{"delete-of-live-ttl-key", func(w *world) {
		s := w.scope()
		w.commit(putUntil(s, "k", "0", w.now()+int64(time.Second)))
		out := w.del(s, "k")
		require.Equal(w, 1, out.Existed)
		require.Equal(w, backend.Record{Version: out.Version, Stamp: out.Version, Deleted: true},
			bare(w.get(s, "k")))
	}},
	{"delete-is-judged-at-commit-not-at-snapshot", func(w *world) {
		s := w.scope()
		x, y := w.begin(), w.begin()
		w.put(s, "k", "came after the snapshot")
		require.Equal(w, 1, x.del(s, "k").mustCommit().Existed)
		require.Equal(w, backend.Outcome{}, y.del(s, "k").mustCommit())
	}},
	{"unknown-op-is-refused", func(w *world) {
		s := w.scope()
		bad := put(s, "k", "0")
		for _, op := range []backend.Op{0, backend.Expire + 1} {
			bad.Op = op
			_, err := w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{bad}})
			require.ErrorIs(w, err, codec.ErrInvalidArgument)
		}
		w.wantAbsent(s, "k")
	}},
	{"request-slices-belong-to-the-caller", func(w *world) {
		s := w.scope()
		r := &backend.Request{
			Writes:  []backend.Write{put(s, "b", "1"), put(s, "a", "1")},
			Appends: []backend.Append{event(s, "step", "1")},
		}
		out := w.must(w.b.Commit(w.ctx, r))
		require.Equal(w, "b", r.Writes[0].Key, "the caller's order is left alone")
		clear(r.Writes)
		clear(r.Appends)
		require.NoError(w, w.b.Flush(w.ctx))
		w.wantValue(s, "a", "1")
		w.wantValue(s, "b", "1")
		require.Len(w, w.tail(out.Version)[0].Scopes[0].Changes, 3)
	}},
}

// bare is a record without its hint, which means nothing to anybody but the authority.
func bare(r backend.Record) backend.Record {
	r.Hint = 0
	return r
}
