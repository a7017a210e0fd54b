package backendtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// readChecks are about Get, Scan and snapshots (R064, R073, R092).
var readChecks = []Check{
	{"R092-never-existed-is-the-zero-record", func(w *world) {
		s := w.scope()
		require.Equal(w, backend.Record{}, w.get(s, "k"))
		now := w.put(s, "k", "1")
		require.Equal(w, backend.Record{}, w.getAt(s, "k", now-1))
		require.Equal(w, backend.Record{}, w.getAt(s, "k", 0))
		require.Empty(w, w.scan(s, backend.Range{}, now-1))
		require.Empty(w, w.scan(s, backend.Range{}, 0))
	}},
	{"R092-tombstone-has-its-own-version", func(w *world) {
		s := w.scope()
		live := w.put(s, "k", "1")
		gone := w.del(s, "k").Version
		require.Greater(w, gone, live)
		tombstone := backend.Record{Version: gone, Stamp: gone, Deleted: true}
		require.Equal(w, tombstone, bare(w.get(s, "k")))
		w.put(s, "k", "2")
		require.Equal(w, tombstone, bare(w.getAt(s, "k", gone)), "it stays in history")
	}},
	{"every-version-of-a-key", func(w *world) {
		s := w.scope()
		versions := []uint64{}
		for i := range 20 {
			versions = append(versions, w.put(s, "k", fmt.Sprint(i)))
			w.put(s, "noise", fmt.Sprint(i))
		}
		for i, v := range versions {
			want := backend.Record{Version: v, Stamp: v, Value: text(fmt.Sprint(i))}
			require.Equal(w, want, bare(w.getAt(s, "k", v)))
			require.Equal(w, want, bare(w.getAt(s, "k", v+1)), "the noise lies above it")
			require.Equal(w, want, bare(w.scan(s, backend.Range{Start: "k", End: "l"}, v)[0].record))
		}
	}},
	{"snapshot-does-not-move", func(w *world) {
		s := w.scope()
		w.put(s, "a", "0")
		w.put(s, "b", "0")
		x := w.begin()
		defer x.rollback()
		w.commit(put(s, "a", "1"), del(s, "b"), put(s, "c", "1"))
		require.Equal(w, text("0"), x.get(s, "a").Value)
		require.Equal(w, text("0"), x.get(s, "b").Value)
		require.Equal(w, backend.Record{}, x.get(s, "c"))
		require.Equal(w, []string{"a", "b"}, keysOf(x.scan(s, backend.Range{})))
	}},
	{"scan-bounds-and-order", scanBounds},
	{"scan-passes-over-tombstones", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "0"), put(s, "b", "0"), put(s, "c", "0"))
		before := w.b.Published()
		w.del(s, "b")
		require.Equal(w, []string{"a", "c"}, keysOf(w.scan(s, backend.Range{}, w.b.Published())))
		require.Equal(w, []string{"a", "b", "c"}, keysOf(w.scan(s, backend.Range{}, before)))
		w.commit(del(s, "a"), del(s, "c"))
		require.Empty(w, w.scan(s, backend.Range{}, w.b.Published()))
		require.Empty(w, w.scan(s, backend.Range{Reverse: true}, w.b.Published()))
	}},
	{"scan-keeps-to-its-primitive-and-scope", func(w *world) {
		before, s, after := w.scope(), w.scope(), w.scope()
		for _, other := range []*backend.Scope{before, after} {
			w.commit(put(other, "", "no"), put(other, "k", "no"), put(other, "\xff\xff", "no"))
		}
		for _, p := range []codec.Primitive{codec.KV - 1, codec.KV + 1, codec.Cells} {
			x := put(s, "k", "no")
			x.Primitive = p
			y := put(s, "\xff", "no")
			y.Primitive = p
			w.commit(x, y)
		}
		require.Empty(w, w.scan(s, backend.Range{}, w.b.Published()))
		w.put(s, "mine", "yes")
		require.Equal(w, []string{"mine"}, keysOf(w.scan(s, backend.Range{}, w.b.Published())))
	}},
	{"cursor-shows-its-version-while-others-commit", func(w *world) {
		s := w.scope()
		for i := range 50 {
			w.put(s, fmt.Sprintf("k%02d", i), "old")
		}
		c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, w.b.Published())
		defer c.Close()
		for i := range 50 {
			require.True(w, c.Next())
			require.Equal(w, fmt.Sprintf("k%02d", i), c.Key())
			require.Equal(w, text("old"), c.Record().Value)
			w.commit(put(s, fmt.Sprintf("k%02d", 49-i), "new"), put(s, fmt.Sprintf("k%02d+", i), "x"))
		}
		require.False(w, c.Next())
		require.NoError(w, c.Err())
	}},
	{"many-cursors-early-close-twice", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "0"), put(s, "b", "0"), put(s, "c", "0"))
		for range 200 {
			c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, w.b.Published())
			defer c.Close()
			require.True(w, c.Next())
			require.Equal(w, "a", c.Key())
		}
		c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, w.b.Published())
		c.Close()
		c.Close()
	}},
	{"bytes-stay-as-they-were", bytesStay},
	{"R071-hints-may-be-old-or-missing", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		hint := w.get(s, "k").Hint
		for i := range 10 {
			before := w.get(s, "k").Stamp
			var late []*txn // pinned before the put: the only ones that may have read the old stamp
			for range 3 {
				late = append(late, w.begin().put(s, "j", "T1"))
			}
			now := w.put(s, "k", fmt.Sprint(i))
			for n, h := range []uint64{0, hint, w.get(s, "k").Hint} {
				x := w.begin().put(s, "j", "T1")
				x.req.Reads = []backend.Read{
					{Scope: s, Primitive: codec.KV, Key: "k", Stamp: now, Hint: h}}
				x.mustCommit()
				x = late[n]
				x.req.Reads = []backend.Read{
					{Scope: s, Primitive: codec.KV, Key: "k", Stamp: before, Hint: h}}
				x.wantConflict(readAt(s, "k", before, now))
			}
		}
	}},
	{"cancelled-context-is-no-wrong-answer", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		at := w.b.Published()
		r, err := w.b.Get(ctx, s, codec.KV, "k", at)
		if err == nil { // it was in memory
			require.Equal(w, text("0"), r.Value)
		} else {
			require.ErrorIs(w, err, context.Canceled)
		}
		c := w.b.Scan(ctx, s, codec.KV, backend.Range{}, at)
		defer c.Close()
		n := 0
		for c.Next() {
			n++
		}
		require.True(w, c.Err() == nil && n == 1 || errors.Is(c.Err(), context.Canceled))
	}},
}

func scanBounds(w *world) {
	s := w.scope()
	keys := []string{"", "\x00", "\x00\x00", "a", "a\x00", "a/", "a/b", "ab", "b", "\xfe", "\xff",
		"\xff\x00", "\xff\xff"}
	var writes []backend.Write
	for _, k := range keys {
		writes = append(writes, put(s, k, "value of "+fmt.Sprintf("%x", k)))
	}
	at := w.commit(writes...).Version
	bounds := append([]string{"\x01", "a\x00\x00", "aa", "c", "\xff\xff\xff"}, keys...)
	for _, start := range bounds {
		for _, end := range bounds {
			var want []string
			for _, k := range keys {
				if (backend.Range{Start: start, End: end}).Contains(k) {
					want = append(want, k)
				}
			}
			pairs := w.scan(s, backend.Range{Start: start, End: end}, at)
			require.Equal(w, len(want), len(pairs), "scan %q to %q: %q", start, end, keysOf(pairs))
			back := w.scan(s, backend.Range{Start: start, End: end, Reverse: true}, at)
			require.Equal(w, len(want), len(back), "reverse %q to %q: %q", start, end, keysOf(back))
			for i, k := range want {
				require.Equal(w, k, pairs[i].key)
				require.Equal(w, k, back[len(back)-1-i].key)
				require.Equal(w, text("value of "+fmt.Sprintf("%x", k)), pairs[i].record.Value)
				require.Equal(w, bare(pairs[i].record), bare(back[len(back)-1-i].record))
			}
		}
	}
}

// bytesStay holds records and keys while everything around them is written anew (the package's rule
// for bytes), and compares them with copies made when they were read.
func bytesStay(w *world) {
	s := w.scope()
	type held struct {
		record backend.Record
		key    string
		value  []byte
		name   string
	}
	var all []held
	for round := range 40 {
		for i := range 8 {
			w.put(s, fmt.Sprintf("k%d", i), fmt.Sprintf("round %d of key %d", round, i))
		}
		for _, p := range w.scan(s, backend.Range{}, w.b.Published()) {
			all = append(all, held{p.record, p.key, append([]byte(nil), p.record.Value...),
				string([]byte(p.key))})
		}
		r := w.get(s, "k1")
		all = append(all, held{r, "k1", append([]byte(nil), r.Value...), "k1"})
	}
	for _, h := range all {
		require.Equal(w, h.value, h.record.Value)
		require.Equal(w, h.name, h.key)
	}
}
