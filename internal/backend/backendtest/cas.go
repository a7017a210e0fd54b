package backendtest

import (
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// casChecks are the edge cases of requirements 2.2, as semantics 2.11 and 2.12 settle them: a CAS
// is a condition, and a write of its own.
var casChecks = []Check{
	{"E20-zero-creates-what-never-existed", func(w *world) {
		s := w.scope()
		out := w.begin().cas(s, "k", 0, "new").mustCommit()
		require.Equal(w, out.Version, w.wantValue(s, "k", "new").Stamp)
	}},
	{"E21-zero-on-live-key-conflicts", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		w.begin().cas(s, "k", 0, "new").wantConflict(casOf(s, "k", 0, now))
		w.wantValue(s, "k", "0")
	}},
	{"E22-zero-on-tombstone-conflicts", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		gone := w.del(s, "k").Version
		w.begin().cas(s, "k", 0, "new").wantConflict(casOf(s, "k", 0, gone))
	}},
	{"E22-tombstone-version-recreates", func(w *world) {
		s := w.scope()
		live := w.put(s, "k", "0")
		gone := w.del(s, "k").Version
		w.begin().cas(s, "k", live, "new").wantConflict(casOf(s, "k", live, gone))
		w.begin().cas(s, "k", gone, "new").mustCommit()
		w.wantValue(s, "k", "new")
	}},
	{"right-version-wins-and-then-loses", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		now := w.begin().cas(s, "k", old, "1").mustCommit().Version
		w.begin().cas(s, "k", old, "2").wantConflict(casOf(s, "k", old, now))
		w.wantValue(s, "k", "1")
	}},
	{"future-version-conflicts", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		w.begin().cas(s, "k", beyond, "1").wantConflict(casOf(s, "k", beyond, now))
		w.begin().cas(s, "never", beyond, "1").wantConflict(casOf(s, "never", beyond, 0))
	}},
	{"E23-R071-cas-alone-reads-nothing", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin().cas(s, "k", old, "1")
		require.Empty(w, x.req.Reads)
		x.mustCommit()
	}},
	{"R071-get-and-cas-check-both", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		now := w.put(s, "k", "T2")
		// The condition holds, the read does not.
		x.cas(s, "k", now, "1").wantConflict(readAt(s, "k", old, now))
		x = w.begin()
		x.get(s, "k")
		x.cas(s, "k", old, "1").wantConflict(casOf(s, "k", old, now))
		x = w.begin()
		x.get(s, "k")
		x.cas(s, "k", now, "1").mustCommit()
	}},
	{"E24-put-then-cas-keeps-condition", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		w.begin().put(s, "k", "a").cas(s, "k", old, "b").mustCommit()
		now := w.wantValue(s, "k", "b").Version
		w.begin().put(s, "k", "a").cas(s, "k", old, "c").wantConflict(casOf(s, "k", old, now))
	}},
	{"E25-cas-then-put-keeps-condition", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		w.begin().cas(s, "k", old, "a").put(s, "k", "b").mustCommit()
		now := w.wantValue(s, "k", "b").Version
		w.begin().cas(s, "k", old, "a").put(s, "k", "c").wantConflict(casOf(s, "k", old, now))
	}},
	{"E26-cas-then-delete-is-deleted", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		out := w.begin().cas(s, "k", old, "a").del(s, "k").mustCommit()
		require.Equal(w, 1, out.Existed)
		require.True(w, w.wantAbsent(s, "k").Deleted)
		w.begin().cas(s, "k", old, "a").del(s, "k").wantConflict(casOf(s, "k", old, out.Version))
	}},
	{"E27-two-conditions-on-one-key", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		w.begin().cas(s, "k", now, "a").cas(s, "k", now+1, "b").
			wantConflict(casOf(s, "k", now+1, now))
		w.begin().cas(s, "k", now, "a").cas(s, "k", now, "b").mustCommit()
		w.wantValue(s, "k", "b")
	}},
	{"E28-same-value-moves-the-version", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "same")
		out := w.begin().cas(s, "k", old, "same").mustCommit()
		require.Greater(w, out.Version, old)
		require.Equal(w, out.Version, w.wantValue(s, "k", "same").Stamp)
	}},
	{"E29-expired-key-keeps-its-version", func(w *world) {
		s := w.scope()
		old := w.commit(putUntil(s, "k", "0", w.now()+1)).Version
		w.clock.Advance(1000)
		w.begin().cas(s, "k", 0, "new").wantConflict(casOf(s, "k", 0, old))
		w.begin().cas(s, "k", old, "new").mustCommit()
		w.wantValue(s, "k", "new")
	}},
	{"E29-swept-key-keeps-its-version", func(w *world) {
		s := w.scope()
		old := w.commit(putUntil(s, "k", "0", w.now()+1)).Version
		w.clock.Advance(1000)
		require.NotZero(w, w.sweep(expire(s, "k", old)).Version)
		w.begin().cas(s, "k", 0, "new").wantConflict(casOf(s, "k", 0, old))
		w.begin().cas(s, "k", old, "new").mustCommit()
		w.wantValue(s, "k", "new")
	}},
	{"E30-one-failure-stops-everything", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		x := w.begin().put(s, "a", "1").cas(s, "k", 0, "2").cas(s, "new", 0, "3")
		x.append(s, "step", "4").wantConflict(casOf(s, "k", 0, now))
		w.wantAbsent(s, "a")
		w.wantAbsent(s, "new")
		w.wantValue(s, "k", "0")
	}},
	{"E31-direct-cas-loses-to-a-racer", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		x := w.begin()
		now := w.begin().cas(s, "k", old, "racer").mustCommit().Version
		x.cas(s, "k", old, "late").wantConflict(casOf(s, "k", old, now))
	}},
	{"condition-without-a-write-is-checked", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		request := func(expected uint64) *backend.Request {
			return &backend.Request{Conditions: []backend.Condition{
				{Scope: s, Primitive: codec.KV, Key: "k", Expected: expected}}}
		}
		require.Zero(w, w.must(w.b.Commit(w.ctx, request(now))))
		out, err := w.b.Commit(w.ctx, request(now+1))
		w.wantConflict(request(now+1), out, err, casOf(s, "k", now+1, now))
	}},
	{"condition-guards-another-key", func(w *world) {
		s, other := w.scope(), w.scope()
		now := w.put(other, "lock", "0")
		x := w.begin().put(s, "k", "1")
		x.req.Conditions = []backend.Condition{
			{Scope: other, Primitive: codec.KV, Key: "lock", Expected: now}}
		x.mustCommit()
		w.put(other, "lock", "taken")
		x = w.begin().put(s, "k", "2")
		x.req.Conditions = []backend.Condition{
			{Scope: other, Primitive: codec.KV, Key: "lock", Expected: now}}
		_, err := x.commit()
		require.ErrorIs(w, err, backend.ErrVersionMismatch)
		w.wantValue(s, "k", "1")
	}},
	{"condition-needs-no-pin", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		w.must(w.b.Commit(w.ctx, &backend.Request{
			Conditions: []backend.Condition{
				{Scope: s, Primitive: codec.KV, Key: "k", Expected: now}},
			Writes: []backend.Write{put(s, "k", "1")},
		}))
	}},
}
