package backendtest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// oddKeys are user keys that a careless encoding mixes up, in key order.
var oddKeys = []string{
	"",
	"\x00",
	"\x00\x00",
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x09",
	"\x00\x09",
	"\x09",
	" ",
	"/",
	"//",
	"0",
	"a",
	"a\x00",
	"a\x00\x00\x00\x00\x00\x00\x00\x05\x09",
	"a\x00b",
	"a/",
	"a/b",
	"b",
	"k/",
	"r/0000000001/k/a",
	"ä",
	"\xfe\xff",
	"\xff",
	"\xff\x00",
	"\xff\xff",
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
}

// keyChecks are semantics 4: keys are arbitrary bytes, with limits that have an error of their own.
var keyChecks = []Check{
	{"odd-keys-do-not-touch-each-other", func(w *world) {
		s := w.scope()
		for i, k := range oddKeys {
			w.put(s, k, fmt.Sprint("first ", i))
		}
		for i, k := range oddKeys {
			w.wantValue(s, k, fmt.Sprint("first ", i))
		}
		require.Equal(w, oddKeys, keysOf(w.scan(s, backend.Range{}, w.b.Published())))
		for i := 0; i < len(oddKeys); i += 2 {
			require.Equal(w, 1, w.del(s, oddKeys[i]).Existed)
		}
		for i, k := range oddKeys {
			if i%2 == 0 {
				require.True(w, w.wantAbsent(s, k).Deleted)
			} else {
				w.wantValue(s, k, fmt.Sprint("first ", i))
			}
		}
	}},
	{"odd-keys-in-one-commit-and-its-conflicts", func(w *world) {
		s := w.scope()
		x := w.begin()
		var writes []backend.Write
		for _, k := range oddKeys {
			x.get(s, k)
			writes = append(writes, put(s, k, "T2"))
		}
		out := w.commit(writes...)
		var want []backend.Conflict
		var changes []codec.Change
		for _, k := range oddKeys {
			want = append(want, readAt(s, k, 0, out.Version))
			changes = append(changes,
				codec.Change{Primitive: codec.KV, Op: codec.ChangePut, Key: k})
		}
		require.Equal(w, changes, w.tail(out.Version)[0].Scopes[0].Changes)
		x.put(s, "j", "T1").wantConflict(want...)
	}},
	{"longest-key", func(w *world) {
		s := w.scope()
		for _, b := range []string{"\x00", "a", "\xff"} {
			key := strings.Repeat(b, codec.MaxKeySize)
			w.put(s, key, "long")
			w.put(s, key[1:], "shorter")
			w.wantValue(s, key, "long")
			w.wantValue(s, key[1:], "shorter")
			x := w.begin()
			x.get(s, key)
			w.del(s, key)
			now := w.get(s, key).Stamp
			x.put(s, "j", "T1")
			x.wantConflict(readAt(s, key, x.req.Reads[0].Stamp, now))
		}
		require.Len(w, w.scan(s, backend.Range{}, w.b.Published()), 3)
	}},
	{"key-too-long-is-refused", func(w *world) {
		s := w.scope()
		before := w.b.Published()
		for _, write := range []backend.Write{
			put(s, strings.Repeat("a", codec.MaxKeySize+1), "0"),
			put(s, strings.Repeat("a", 1<<20), "0"),
		} {
			_, err := w.b.Commit(w.ctx,
				&backend.Request{Writes: []backend.Write{put(s, "k", "0"), write}})
			require.ErrorIs(w, err, codec.ErrTooLarge)
		}
		require.Equal(w, before, w.b.Published())
		w.wantAbsent(s, "k")
		w.put(s, "k", "still working")
	}},
	{"large-values", func(w *world) {
		s := w.scope()
		for i, size := range []int{0, 1, 255, 4 << 10, 64 << 10, 1 << 20, 5 << 20} {
			value := payload(w, bytes.Repeat([]byte{byte(i + 1)}, size))
			write := put(s, fmt.Sprint(size), "")
			write.Value = value
			w.commit(write)
			require.True(w, bytes.Equal(value, w.get(s, fmt.Sprint(size)).Value))
		}
		pairs := w.scan(s, backend.Range{}, w.b.Published())
		require.Len(w, pairs, 7)
		for _, p := range pairs {
			require.True(w, bytes.Equal(p.record.Value, w.get(s, p.key).Value))
		}
	}},
	{"value-too-large-is-refused", func(w *world) {
		s := w.scope()
		write := put(s, "k", "")
		write.Value = make([]byte, backend.MaxEncoded)
		w.commit(write)
		require.Len(w, w.get(s, "k").Value, backend.MaxEncoded)
		s = w.scope()
		write = put(s, "k", "")
		write.Value = make([]byte, backend.MaxEncoded+1)
		_, err := w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{write}})
		require.ErrorIs(w, err, codec.ErrTooLarge)
		w.wantAbsent(s, "k")
		w.put(s, "k", "still working")
	}},
	{"many-keys-in-one-commit", func(w *world) {
		s := w.scope()
		var writes []backend.Write
		for i := range 5000 {
			writes = append(writes, put(s, fmt.Sprintf("%064d", i), "v"))
		}
		out := w.commit(writes...)
		require.Len(w, w.scan(s, backend.Range{}, out.Version), len(writes))
		changes := w.tail(out.Version)[0].Scopes[0].Changes
		require.Len(w, changes, len(writes))
		for i, c := range changes {
			require.Equal(w, writes[i].Key, c.Key)
		}
	}},
	{"odd-keys-as-range-bounds", func(w *world) {
		s := w.scope()
		for _, k := range oddKeys {
			w.put(s, k, "0")
		}
		at := w.b.Published()
		for i, start := range oddKeys {
			require.Equal(w, oddKeys[i:], keysOf(w.scan(s, backend.Range{Start: start}, at)))
			var want []string
			for _, k := range oddKeys {
				if strings.HasPrefix(k, start) {
					want = append(want, k)
				}
			}
			require.Equal(w, want, keysOf(w.scan(s, backend.PrefixRange(start), at)))
		}
	}},
}
