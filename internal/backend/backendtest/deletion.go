package backendtest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// letters are the primitives that a scope's keys are under.
var letters = []codec.Primitive{codec.KV, codec.Events, codec.Cells, codec.Machines, codec.Traces,
	codec.Vectors, codec.Extensions, codec.KV.Index(), codec.Events.Index(), codec.Cells.Index(),
	codec.Traces.Index()}

// fill writes something of every kind, several times over.
func (w *world) fill(s *backend.Scope) {
	w.Helper()
	for i := range 3 {
		for j := range 30 { // an authority may tell many keys from few
			w.put(s, fmt.Sprintf("more/%d/%d", i, j), "0")
		}
		r := &backend.Request{Appends: []backend.Append{event(s, "step", fmt.Sprint(i))}}
		for _, p := range letters {
			if p == codec.Events || p == codec.Events.Index() {
				continue
			}
			x := put(s, "k", fmt.Sprint(i))
			x.Primitive = p
			r.Writes = append(r.Writes, x)
		}
		r.Writes = append(r.Writes, putUntil(s, "short", fmt.Sprint(i), w.now()+int64(1+i)*int64(long)))
		w.must(w.b.Commit(w.ctx, r))
	}
	w.del(s, "short")
	w.commit(putUntil(s, "short", "again", w.now()+second))
}

// settle lets the authority free what was deleted, if it can be waited for.
func (w *world) settle() {
	w.Helper()
	if w.env.Settle != nil {
		require.NoError(w, w.env.Settle(w.ctx, w.b))
		require.Zero(w, w.b.Stats().Unfreed)
	}
}

// wantGone demands that nobody finds anything of a scope, at any version and through any handle.
func (w *world) wantGone(handles ...*backend.Scope) {
	w.Helper()
	for _, s := range append(handles, again(handles[0])) {
		w.wantNoWrites(s)
		last := w.b.Published()
		for at := uint64(0); at <= last; at += 1 + last/50 {
			for _, p := range letters {
				r, err := w.b.Get(w.ctx, s, p, "k", at)
				require.ErrorIs(w, err, backend.ErrScopeGone, "get %s at %d", p, at)
				require.Zero(w, r)
				c := w.b.Scan(w.ctx, s, p, backend.Range{}, at)
				require.False(w, c.Next())
				require.ErrorIs(w, c.Err(), backend.ErrScopeGone, "scan %s at %d", p, at)
				c.Close()
			}
			_, err := w.b.Commits(w.ctx, s, at)
			require.ErrorIs(w, err, backend.ErrScopeGone)
		}
	}
}

// wantMarked demands that Tail marks all that was committed in these scopes, and nothing else.
func (w *world) wantMarked(gone ...*backend.Scope) {
	w.Helper()
	dead := map[codec.Scope]bool{}
	for _, s := range gone {
		dead[s.Number] = true
	}
	seen := map[codec.Scope]uint64{}
	for _, c := range w.tail(0) {
		require.Equal(w, w.commitRecord(c.Version), c.CommitRecord)
		require.Len(w, c.Scopes, len(c.CommitRecord.Scopes))
		for i, x := range c.Scopes {
			require.Equal(w, c.CommitRecord.Scopes[i], codec.ScopeCommit{Scope: x.Scope, Number: x.Number})
			require.Equal(w, dead[x.Scope], x.Gone, "scope %d in commit %d", x.Scope, c.Version)
			require.Equal(w, x.Gone, x.Changes == nil)
			require.Equal(w, seen[x.Scope]+1, x.Number, "numbers have no hole")
			seen[x.Scope] = x.Number
		}
	}
	for _, s := range gone {
		require.NotZero(w, seen[s.Number])
	}
}

// recordOf reads a scope's record.
func (w *world) recordOf(s *backend.Scope) backend.Record {
	w.Helper()
	return w.read(w.sys, codec.ScopeRecords, s.Record, w.b.Published())
}

// deletionChecks are semantics 5.4. Each looks before the space is freed and after it, and where
// that can be done after a reopen.
var deletionChecks = []Check{
	{"R194-nothing-of-the-scope-is-left", func(w *world) {
		s := w.scope()
		other := again(s)
		w.fill(s)
		w.get(other, "k")
		w.drop(s)
		w.wantGone(s, other)
		w.settle()
		w.wantGone(s, other)
		w.wantMarked(s)
	}},
	{"E92-neighbours-are-untouched", func(w *world) {
		left, s, right := w.scope(), w.scope(), w.scope()
		for _, x := range []*backend.Scope{left, s, right} {
			w.fill(x)
		}
		w.commit(put(left, "k", "with"), put(s, "k", "all"), put(right, "k", "three"))
		last, deadline := w.b.Published(), w.get(right, "short").Expiry
		look := func(use func(at uint64, pairs []pair)) {
			for at := uint64(0); at <= last; at += 1 + last/50 {
				for _, x := range []*backend.Scope{left, right} {
					for _, p := range letters {
						pairs := w.scanOf(x, p, backend.Range{}, at)
						for i := range pairs {
							pairs[i].record = bare(pairs[i].record)
						}
						use(at, pairs)
					}
				}
			}
		}
		var before [][]pair
		look(func(_ uint64, pairs []pair) { before = append(before, pairs) })
		for _, then := range []func(){func() { w.drop(s) }, w.settle} {
			then()
			i := 0
			look(func(at uint64, pairs []pair) {
				require.Equal(w, before[i], pairs, "at %d", at)
				i++
			})
		}
		require.Equal(w, deadline, w.get(right, "short").Expiry)
		w.wantMarked(s)
		w.wantCommits(left, right)
		w.fill(left)
		w.fill(right)
	}},
	{"E91-same-id-again-before-and-after-the-freeing", func(w *world) {
		old := w.scope()
		var dead []*backend.Scope
		for i := range 4 {
			w.fill(old)
			stamp := w.drop(old)
			dead = append(dead, old)
			if i%2 == 1 {
				w.settle()
			}
			require.Equal(w, stamp, w.recordOf(old).Stamp, "the tombstone stays")
			fresh := &backend.Scope{Number: w.allocate().Number, Record: old.Record}
			r := w.creation(fresh, codec.Active) // expects that it never existed
			_, err := w.b.Commit(w.ctx, r)
			require.ErrorIs(w, err, backend.ErrVersionMismatch)
			r.Conditions[0].Expected = stamp
			w.must(w.b.Commit(w.ctx, r))
			for _, p := range letters {
				require.Empty(w, w.scanOf(fresh, p, backend.Range{}, w.b.Published()))
				require.Zero(w, w.read(fresh, p, "k", w.b.Published()))
			}
			require.Zero(w, w.commits(fresh, w.b.Published()))
			w.put(fresh, "k", fmt.Sprint("life ", i))
			w.wantGone(old)
			old = fresh
		}
		w.settle()
		w.wantValue(old, "k", "life 3")
		w.wantGone(dead...)
		w.wantMarked(dead...)
	}},
	{"a-record-of-another-number-takes-over", func(w *world) {
		old := w.scope()
		w.fill(old)
		fresh := &backend.Scope{Number: w.allocate().Number, Record: old.Record}
		w.must(w.b.Commit(w.ctx, &backend.Request{CreateScopes: []*backend.Scope{fresh},
			Writes: []backend.Write{w.record(fresh, codec.Active), put(fresh, "k", "new")}}))
		w.wantGone(old)
		w.settle()
		w.wantGone(old)
		w.wantMarked(old)
		w.wantValue(fresh, "k", "new")
		w.wantValue(again(fresh), "k", "new")
	}},
	{"several-in-one-commit", func(w *world) {
		var dead, alive []*backend.Scope
		var writes []backend.Write
		for i := range 7 {
			s := w.scope()
			w.fill(s)
			if i == 2 || i == 4 {
				alive = append(alive, s)
				continue
			}
			dead = append(dead, s)
			writes = append(writes, backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords,
				Key: s.Record, Op: backend.Delete})
		}
		kept := len(w.scan(alive[0], backend.Range{}, w.b.Published()))
		require.Equal(w, len(dead), w.commit(writes...).Existed)
		w.settle()
		for _, s := range dead {
			w.wantGone(s)
		}
		w.wantMarked(dead...)
		for _, s := range alive {
			require.Len(w, w.scan(s, backend.Range{}, w.b.Published()), kept)
			w.fill(s)
		}
	}},
	{"written-and-deleted-in-one-commit", func(w *world) {
		s, other := w.scope(), w.scope()
		w.put(s, "k", "0")
		w.must(w.b.Commit(w.ctx, &backend.Request{
			Writes: []backend.Write{put(s, "k", "last words"), put(other, "k", "kept"),
				{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record, Op: backend.Delete}},
			Appends: []backend.Append{event(s, "step", "0")},
		}))
		w.wantGone(s)
		w.settle()
		w.wantGone(s)
		w.wantMarked(s)
		w.wantValue(other, "k", "kept")
	}},
	{"index-entries-of-the-record-go-with-it", func(w *world) {
		s, other := w.scope(), w.scope()
		entry := func(key string, op backend.Op) backend.Write {
			x := backend.Write{Scope: w.sys, Primitive: codec.RunIndex, Key: key, Op: op}
			if op == backend.Put {
				x.Value = []byte{0xf6} // Null
			}
			return x
		}
		w.commit(entry("status/s", backend.Put), entry("tag/s", backend.Put),
			entry("status/other", backend.Put))
		w.commit(entry("tag/s", backend.Put))
		before := w.setStatus(s, codec.Completed)
		out := w.commit(entry("status/s", backend.Delete), entry("tag/s", backend.Delete),
			entry("never/s", backend.Delete),
			backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record, Op: backend.Delete})
		require.Equal(w, 3, out.Existed)
		w.settle()
		for _, key := range []string{"status/s", "tag/s"} {
			r := w.read(w.sys, codec.RunIndex, key, w.b.Published())
			if r.Version != 0 { // the tombstone may stay or go
				require.Equal(w, backend.Record{Version: out.Version, Stamp: out.Version, Deleted: true},
					bare(r))
			}
		}
		require.Equal(w, out.Version, w.recordOf(s).Version)
		require.Equal(w, []string{"status/other"},
			keysOf(w.scanOf(w.sys, codec.RunIndex, backend.Range{}, w.b.Published())))
		r := w.read(w.sys, codec.RunIndex, "status/other", before)
		require.True(w, r.Exists(), "others keep their history")
		r = w.read(w.sys, codec.ScopeRecords, other.Record, before)
		require.True(w, r.Exists())
		w.put(other, "k", "0")
	}},
	{"deleting-what-is-not-there", func(w *world) {
		s := w.scope()
		w.drop(s)
		require.Zero(w, w.commit(backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords,
			Key: s.Record, Op: backend.Delete}))
		require.Zero(w, w.commit(backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords,
			Key: w.allocate().Record, Op: backend.Delete}))
		w.settle()
	}},
	{"who-read-from-it-cannot-commit", func(w *world) {
		for _, freed := range []bool{false, true} {
			s, other := w.scope(), w.scope()
			w.put(s, "k", "0")
			var all []*txn
			for _, read := range []func(x *txn){
				func(x *txn) { x.get(s, "k") },
				func(x *txn) { x.get(s, "absent") },
				func(x *txn) { x.scan(s, backend.Range{}) },
				func(x *txn) { x.scan(again(s), backend.Range{Start: "x"}) }, // only the range
			} {
				x := w.beginSerializable()
				read(x)
				all = append(all, x)
			}
			readOnly := w.begin()
			readOnly.get(s, "k")
			w.drop(again(s))
			if freed {
				w.settle()
			}
			for _, x := range all {
				out, err := x.put(other, "k", "T").commit()
				require.ErrorIs(w, err, backend.ErrScopeGone)
				require.Zero(w, out)
			}
			_, err := w.b.Commit(w.ctx, &backend.Request{
				Conditions: []backend.Condition{{Scope: again(s), Primitive: codec.KV, Key: "never"}},
				Writes:     []backend.Write{put(other, "k", "T")}})
			require.ErrorIs(w, err, backend.ErrScopeGone)
			require.Zero(w, readOnly.mustCommit(), "it saw one snapshot")
			w.wantAbsent(other, "k")
		}
	}},
	{"a-scan-under-way-does-not-end-as-if-that-was-all", func(w *world) {
		s := w.scope()
		for i := range 300 {
			w.put(s, fmt.Sprintf("%03d", i), "0")
		}
		w.reopen()
		s = again(s)
		var open []backend.Cursor
		for range 2 { // from the store, and from memory if it is there now
			for _, reverse := range []bool{false, true} {
				c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{Reverse: reverse}, w.b.Published())
				defer c.Close()
				require.True(w, c.Next())
				open = append(open, c)
			}
		}
		w.drop(s)
		w.settle()
		for _, c := range open {
			n := 1
			for c.Next() {
				n++
			}
			if n < 300 || c.Err() != nil { // an authority may have had all of it in hand
				require.ErrorIs(w, c.Err(), backend.ErrScopeGone, "after %d keys", n)
			}
		}
	}},
	{"R194-over-a-reopen", func(w *world) {
		var dead []*backend.Scope
		for i := range 4 {
			s := w.scope()
			dead = append(dead, s)
			w.fill(s)
			if i%2 == 0 {
				w.reopen() // it is not in use when it is deleted
			}
			w.drop(again(s))
			if i >= 2 {
				w.settle()
			}
			w.reopen()
			for _, d := range dead {
				_, err := w.b.Commit(w.ctx, &backend.Request{
					Conditions: []backend.Condition{{Scope: again(d), Primitive: codec.KV, Key: "never"}},
					Writes: []backend.Write{{Scope: w.sys, Primitive: codec.Meta, Key: "k",
						Op: backend.Put, Value: text("0")}}})
				require.ErrorIs(w, err, backend.ErrScopeGone)
				w.wantGone(again(d))
			}
			w.wantMarked(dead...)
			w.settle()
			for _, d := range dead {
				w.wantGone(again(d))
			}
			w.wantMarked(dead...)
		}
		for n := w.allocate().Number; len(dead) > 0; dead = dead[1:] {
			require.Greater(w, n, dead[0].Number, "a number is not given out again")
		}
	}},
	{"R194-expired-keys-of-a-deleted-scope", func(w *world) {
		s, other := w.scope(), w.scope()
		for _, x := range []*backend.Scope{s, other} {
			w.commit(putUntil(x, "a", "0", w.now()+second), putUntil(x, "b", "0", w.now()+int64(long)))
		}
		w.drop(s)
		w.clock.Advance(2 * long)
		if w.env.Sweep == nil {
			w.skip("no Sweep")
		}
		require.NoError(w, w.env.Sweep(w.ctx, w.b))
		w.settle()
		require.NoError(w, w.env.Sweep(w.ctx, w.b))
		w.wantGone(s)
		w.wantMarked(s)
		require.True(w, w.wantAbsent(other, "a").Deleted)
	}},
}
