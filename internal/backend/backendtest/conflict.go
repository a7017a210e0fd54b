package backendtest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// conflictChecks are the edge cases of requirements 2.1 (R066, R068-R071), as semantics 2 settles
// them: T1 is x, T2 is whatever the world commits meanwhile.
var conflictChecks = []Check{
	{"E01-blind-puts-both-commit-R069", func(w *world) {
		s := w.scope()
		x := w.begin().put(s, "k", "T1")
		other := w.put(s, "k", "T2")
		out := x.mustCommit()
		require.Greater(w, out.Version, other)
		require.Equal(w, out.Version, w.wantValue(s, "k", "T1").Version)
	}},
	{"E02-read-key-changed-aborts-R068", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		now := w.put(s, "k", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", old, now))
		w.wantAbsent(s, "j")
	}},
	{"E03-read-only-always-commits-R070", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		x := w.beginSerializable()
		x.get(s, "k")
		x.scan(s, backend.Range{})
		last := w.put(s, "k", "T2")
		require.Equal(w, backend.Outcome{}, x.mustCommit())
		require.Equal(w, last, w.b.Published(), "a read-only commit takes no version")
	}},
	{"E04-pending-delete-is-not-read-only", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		now := w.put(s, "k", "T2")
		x.put(s, "j", "T1").del(s, "j").wantConflict(readAt(s, "k", old, now))
	}},
	{"E05-absent-key-created-aborts", func(w *world) {
		s := w.scope()
		x := w.begin()
		require.Equal(w, backend.Record{}, x.get(s, "k"))
		now := w.put(s, "k", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", 0, now))
	}},
	{"E06-tombstone-recreated-aborts", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		gone := w.del(s, "k").Version
		x := w.begin()
		require.Equal(w, gone, x.get(s, "k").Stamp)
		now := w.put(s, "k", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", gone, now))
	}},
	{"E07-absent-created-and-deleted-aborts", func(w *world) {
		s := w.scope()
		x := w.begin()
		require.Zero(w, x.get(s, "k").Stamp)
		w.put(s, "k", "T2")
		gone := w.del(s, "k").Version
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", 0, gone))
	}},
	{"E07-same-value-again-aborts", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "A")
		x := w.begin()
		x.get(s, "k")
		w.put(s, "k", "B")
		now := w.put(s, "k", "A")
		x.put(s, "j", "T1").wantConflict(readAt(s, "k", old, now))
	}},
	{"E08-own-write-is-not-a-read", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		x := w.begin().put(s, "k", "T1")
		w.put(s, "k", "T2")
		x.mustCommit()
		w.wantValue(s, "k", "T1")
	}},
	{"E09-read-modify-write-loses", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		now := w.put(s, "k", "T2")
		x.put(s, "k", "T1").wantConflict(readAt(s, "k", old, now))
		w.wantValue(s, "k", "T2")
	}},
	{"E10-blind-delete-after-put", func(w *world) {
		s := w.scope()
		x := w.begin().del(s, "k")
		w.put(s, "k", "T2")
		out := x.mustCommit()
		require.Equal(w, 1, out.Existed)
		r := w.wantAbsent(s, "k")
		require.Equal(w, out.Version, r.Version)
		require.True(w, r.Deleted)
	}},
	{"E11-phantom-allowed-in-snapshot", func(w *world) {
		s := w.scope()
		w.put(s, "p/1", "0")
		x := w.begin()
		require.Equal(w, []string{"p/1"}, keysOf(x.scan(s, backend.PrefixRange("p/"))))
		w.put(s, "p/2", "T2")
		require.Equal(w, []string{"p/1"}, keysOf(x.scan(s, backend.PrefixRange("p/"))))
		x.put(s, "elsewhere", "T1").mustCommit()
	}},
	{"E12-scanned-key-updated-aborts", func(w *world) {
		s := w.scope()
		w.put(s, "p/1", "0")
		old := w.put(s, "p/2", "0")
		x := w.begin()
		x.scan(s, backend.PrefixRange("p/"))
		now := w.put(s, "p/2", "T2")
		x.put(s, "elsewhere", "T1").wantConflict(readAt(s, "p/2", old, now))
	}},
	{"E12-scanned-key-deleted-aborts", func(w *world) {
		s := w.scope()
		old := w.put(s, "p/1", "0")
		x := w.begin()
		x.scan(s, backend.PrefixRange("p/"))
		now := w.del(s, "p/1").Version
		x.put(s, "elsewhere", "T1").wantConflict(readAt(s, "p/1", old, now))
	}},
	{"E14-crossing-reads-one-commits", func(w *world) {
		s := w.scope()
		a := w.put(s, "a", "0")
		w.put(s, "b", "0")
		x, y := w.begin(), w.begin()
		x.get(s, "a")
		y.get(s, "b")
		y.get(s, "a")
		x.put(s, "b", "T1")
		b := w.getAt(s, "b", x.pin.Version()).Stamp
		now := x.mustCommit().Version
		y.put(s, "a", "T2").wantConflict(readAt(s, "b", b, now))
		require.Equal(w, a, w.get(s, "a").Version)
	}},
	{"E14-crossing-scans-both-commit-in-snapshot", func(w *world) {
		s := w.scope()
		x, y := w.begin(), w.begin()
		x.scan(s, backend.PrefixRange("a/"))
		y.scan(s, backend.PrefixRange("b/"))
		x.put(s, "b/1", "T1").mustCommit()
		y.put(s, "a/1", "T2").mustCommit()
	}},
	{"E15-empty-takes-no-version", func(w *world) {
		before, commits := w.b.Published(), len(w.tail(0))
		require.Equal(w, backend.Outcome{}, w.begin().mustCommit())
		require.Equal(w, backend.Outcome{}, w.must(w.b.Commit(w.ctx, &backend.Request{})))
		require.Equal(w, before, w.b.Published())
		require.Len(w, w.tail(0), commits)
	}},
	{"E17-one-version-for-all-keys-R091", func(w *world) {
		s, other := w.scope(), w.scope()
		out := w.commit(put(s, "a", "1"), put(other, "b", "2"), put(s, "c", "3"))
		for _, r := range []backend.Record{w.get(s, "a"), w.get(other, "b"), w.get(s, "c")} {
			require.Equal(w, out.Version, r.Version)
			require.Equal(w, out.Version, r.Stamp)
		}
	}},
	{"R064-reads-across-primitives-and-scopes", func(w *world) {
		s, other := w.scope(), w.scope()
		x := w.begin()
		x.get(other, "k")
		x.read(s, codec.Cells, "k")
		w.put(s, "k", "the same key, but of another primitive and scope")
		x.put(s, "j", "T1").mustCommit()
	}},
	{"R068-first-committer-wins", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x, y := w.begin(), w.begin()
		x.get(s, "k")
		y.get(s, "k")
		now := y.put(s, "k", "T2").mustCommit().Version
		x.put(s, "k", "T1").wantConflict(readAt(s, "k", old, now))
	}},
	{"R066-unchanged-reads-commit", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		w.put(s, "gone", "0")
		w.del(s, "gone")
		x := w.begin()
		for _, key := range []string{"k", "gone", "never"} {
			x.get(s, key)
		}
		w.put(s, "another", "T2")
		x.put(s, "k", "T1").mustCommit()
	}},
}

// conflictErrorChecks are about what a refused commit says and leaves behind.
var conflictErrorChecks = []Check{
	{"R067-names-every-key-in-order", func(w *world) {
		s, other := w.scope(), w.scope()
		b, c := w.put(s, "b", "0"), w.put(s, "c", "0")
		w.put(s, "held", "0")
		x := w.begin()
		for _, key := range []string{"c", "b", "held", "a"} {
			x.get(s, key)
		}
		x.get(other, "z")
		x.cas(s, "d", 7, "T1")
		now := w.commit(put(other, "z", "T2"), put(s, "a", "T2"), put(s, "b", "T2"), del(s, "c"))
		x.put(s, "j", "T1").wantConflict(
			readAt(s, "a", 0, now.Version), readAt(s, "b", b, now.Version),
			readAt(s, "c", c, now.Version), casOf(s, "d", 7, 0),
			readAt(other, "z", 0, now.Version))
	}},
	{"R067-hundreds-of-keys", func(w *world) {
		s := w.scope()
		x := w.begin()
		var writes []backend.Write
		for i := range 300 {
			x.get(s, fmt.Sprintf("k%03d", i))
			writes = append(writes, put(s, fmt.Sprintf("k%03d", i), "T2"))
		}
		now := w.commit(writes...).Version
		var want []backend.Conflict
		for _, write := range writes {
			want = append(want, readAt(s, write.Key, 0, now))
		}
		x.put(s, "j", "T1").wantConflict(want...)
	}},
	{"message-names-keys-and-versions", func(w *world) {
		s := w.scope()
		old := w.put(s, "goal", "0")
		x := w.begin()
		x.get(s, "goal")
		now := w.put(s, "goal", "T2")
		_, err := x.put(s, "goal", "T1").commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		require.False(w, errors.Is(err, backend.ErrVersionMismatch))
		for _, part := range []string{"goal", fmt.Sprint(old), fmt.Sprint(now)} {
			require.True(w, strings.Contains(err.Error(), part), "%q should say %q", err, part)
		}
	}},
	{"refused-commit-writes-nothing", func(w *world) {
		s := w.scope()
		x := w.begin()
		x.get(s, "k")
		last := w.put(s, "k", "T2")
		x.write(put(s, "a", "T1"), put(s, "b", "T1"), del(s, "k")).append(s, "step", "T1")
		_, err := x.commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		w.wantAbsent(s, "a")
		w.wantAbsent(s, "b")
		w.wantValue(s, "k", "T2")
		require.Empty(w, w.scanOf(s, codec.Events, backend.Range{}, w.b.Published()))
		require.Empty(w, w.tail(last+1))
		require.Equal(w, last, w.b.Published(), "E81: an aborted commit moves nothing")
	}},
}
