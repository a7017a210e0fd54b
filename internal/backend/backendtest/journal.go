package backendtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// journal collects what a walk over the journal of a scope yields.
func (w *world) journal(s *backend.Scope, r backend.JournalRange) []backend.JournalEntry {
	w.Helper()
	var all []backend.JournalEntry
	for e, err := range w.b.Journal(w.ctx, s, r) {
		require.NoError(w, err)
		all = append(all, e)
	}
	return all
}

// versions collects the versions of a key, newest first.
func (w *world) versions(
	s *backend.Scope, p codec.Primitive, key string, at uint64,
) []backend.Record {
	w.Helper()
	var all []backend.Record
	for r, err := range w.b.Versions(w.ctx, s, p, key, at) {
		require.NoError(w, err)
		r.Hint = 0
		all = append(all, r)
	}
	return all
}

// wantJournal compares the walk over a scope's journal with what Tail tells of it, and every value
// in it with what Get finds.
func (w *world) wantJournal(s *backend.Scope) {
	w.Helper()
	everything := backend.JournalRange{At: beyond, Values: backend.OldAndNewValues}
	entries := w.journal(s, everything)
	var told int
	for _, c := range w.tail(0) {
		for _, x := range c.Scopes {
			if x.Scope != s.Number {
				continue
			}
			require.Less(w, told, len(entries), "commit %d is missing", c.Version)
			e := entries[told]
			told++
			require.Equal(w, []any{c.Version, c.Time, x.Number}, []any{e.Version, e.Time, e.Number})
			var changes []codec.Change
			for i := range e.Changes {
				changes = append(changes, e.Changes[i].Change)
				w.wantChange(s, &e, &e.Changes[i])
			}
			require.Equal(w, x.Changes, changes)
		}
	}
	require.Len(w, entries, told)
	for i, e := range w.journal(s, backend.JournalRange{At: beyond, Values: backend.NewValues}) {
		for j := range e.Changes {
			require.Nil(w, e.Changes[j].Old)
			e.Changes[j].Old = entries[i].Changes[j].Old
		}
		require.Equal(w, entries[i], e)
	}
	if told > 0 {
		middle := entries[told/2]
		from := w.journal(s, backend.JournalRange{
			From: middle.Number, At: beyond, Values: backend.OldAndNewValues,
		})
		require.Equal(w, entries[told/2:], from)
		upTo := w.journal(s, backend.JournalRange{At: middle.Version, Values: backend.OldAndNewValues})
		require.Equal(w, entries[:told/2+1], upTo)
	}
}

// wantChange compares the values of a change with what Get finds.
func (w *world) wantChange(
	s *backend.Scope, e *backend.JournalEntry, c *backend.JournalChange,
) {
	w.Helper()
	now := w.read(s, c.Primitive, c.Key, e.Version)
	require.Equal(w, now.Version, e.Version)
	require.Equal(w, now.Value, c.Value)
	require.Equal(w, now.Expiry, c.Expiry)
	old := w.read(s, c.Primitive, c.Key, e.Version-1)
	if old.Exists() && (old.Expiry == 0 || old.Expiry > e.Time) {
		require.NotNil(w, c.Old)
		require.Equal(w, []any{old.Version, old.Stamp, old.Value, old.Expiry},
			[]any{c.Old.Version, c.Old.Stamp, c.Old.Value, c.Old.Expiry})
	} else {
		require.Nil(w, c.Old)
	}
}

// wantHorizon demands the refusal of what lies below a horizon.
func (w *world) wantHorizon(err error, earliest uint64) {
	w.Helper()
	var pruned *backend.PrunedError
	require.ErrorIs(w, err, backend.ErrPruned)
	require.ErrorAs(w, err, &pruned)
	require.Equal(w, earliest, pruned.Earliest)
	require.Less(w, pruned.Version, earliest)
}

// journalChecks are about Journal and Versions; that they agree with Tail and Get is also part of
// every random check.
var journalChecks = []Check{
	{"R205-equals-what-was-committed", func(w *world) {
		s, other := w.scope(), w.scope()
		require.Empty(w, w.journal(s, backend.JournalRange{At: beyond}))
		w.put(s, "b", "0")
		w.commit(put(s, "a", "1"), del(s, "b"), put(other, "k", "0"), del(s, "never"),
			putIndex(s, "by/k", "0"))
		w.begin().append(s, "step", "0").append(s, "step", "1").put(s, "a", "2").mustCommit()
		w.commit(putUntil(s, "t", "soon gone", w.now()+int64(time.Second)))
		w.env.Clock.Advance(2 * time.Second)
		w.put(s, "t", "again") // what was there had expired
		w.commit(putUntil(s, "t", "soon gone", w.now()+int64(time.Second)))
		w.env.Clock.Advance(2 * time.Second)
		w.sweep(expire(s, "t", w.get(s, "t").Stamp))
		w.put(s, "", "the empty key")
		w.setStatus(s, codec.Completed)
		for _, x := range []*backend.Scope{s, other, w.sys} {
			w.wantJournal(x)
		}
	}},
	{"R205-many-commits-of-many-keys", func(w *world) {
		s := w.scope()
		w.put(s, "hot", "0")
		for i := range 600 {
			writes := []backend.Write{put(s, "hot", fmt.Sprint(i))}
			for j := range i % 4 {
				writes = append(writes, put(s, fmt.Sprintf("%c%03d", 'a'+j, i*37%600), fmt.Sprint(i, j)))
			}
			w.commit(writes...)
			if i%50 == 0 {
				w.begin().append(s, "step", strings.Repeat("x", i*20)).mustCommit()
			}
		}
		w.wantJournal(s)
	}},
	{"a-commit-of-many-long-keys", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		var all []backend.Write
		for i := range 400 {
			all = append(all, put(s, fmt.Sprintf("%08000d", i), fmt.Sprint(i)))
		}
		w.commit(all...)
		w.put(s, "k", "1")
		w.wantJournal(s)
	}},
	{"R211-of-a-fork", func(w *world) {
		s := w.scope()
		for i := range 9 {
			w.commit(put(s, "k", fmt.Sprint(i)), put(s, fmt.Sprint(i), "parent"))
		}
		w.del(s, "3")
		all := backend.JournalRange{At: beyond, Values: backend.OldAndNewValues}
		parent := w.journal(s, all)
		fork := w.fork(s, parent[6].Version)
		require.Equal(w, parent[:7], w.journal(fork, all))
		w.put(s, "k", "of the parent alone")
		w.put(fork, "k", "of the fork")
		w.del(fork, "3")
		of := w.journal(fork, all)
		require.Len(w, of, 9)
		require.Equal(w, parent[:7], of[:7])
		require.Equal(w, []uint64{8, 9}, []uint64{of[7].Number, of[8].Number})
		require.Equal(w, text("6"), of[7].Changes[0].Old.Value, "it was inherited")
		require.Equal(w, parent[6].Version, of[7].Changes[0].Old.Version)
		require.Equal(w, text("parent"), of[8].Changes[0].Old.Value)
		child, _ := w.forkNow(fork)
		w.put(child, "k", "of the child")
		require.Equal(w, of, w.journal(child, all)[:9])
		require.Equal(w, of[5:8], w.journal(child, backend.JournalRange{
			From: 6, At: of[7].Version, Values: backend.OldAndNewValues,
		}))
		versions := w.versions(child, codec.KV, "k", beyond)
		require.Len(w, versions, 9)
		require.Equal(w, text("of the child"), versions[0].Value)
		require.Equal(w, text("of the fork"), versions[1].Value)
		require.Equal(w, w.versions(s, codec.KV, "k", parent[6].Version), versions[2:])
	}},
	{"R214-below-a-horizon", func(w *world) {
		s := w.scope()
		for i := range 10 {
			w.commit(put(s, "k", fmt.Sprint(i)), put(s, fmt.Sprint(i), "once"))
		}
		all := backend.JournalRange{At: beyond, Values: backend.OldAndNewValues}
		entries := w.journal(s, all)
		horizon := entries[4].Version
		w.prune(s, everything(horizon))
		refused := func(r backend.JournalRange) {
			w.Helper()
			for _, err := range w.b.Journal(w.ctx, s, r) {
				w.wantHorizon(err, horizon)
				return
			}
			w.Errorf("nothing was refused")
		}
		refused(all)
		refused(backend.JournalRange{At: beyond})
		at := backend.JournalRange{From: 5, At: beyond, Values: backend.OldAndNewValues}
		refused(at) // what was before it is gone
		at.Values = backend.NewValues
		require.Len(w, w.journal(s, at), 6)
		at.From, at.Values = 6, backend.OldAndNewValues
		require.Equal(w, entries[5:], w.journal(s, at))
		var versions []uint64
		var failed error
		for r, err := range w.b.Versions(w.ctx, s, codec.KV, "k", beyond) {
			if failed = err; err == nil {
				versions = append(versions, r.Version)
			}
		}
		w.wantHorizon(failed, horizon)
		require.Len(w, versions, 6)
		require.Equal(w, horizon, versions[5])
		require.Len(w, w.versions(s, codec.KV, "9", beyond), 1)
	}},
	{"R133-only-some-keys", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a1", "0"), put(s, "b1", "0"))
		w.put(s, "b2", "0")
		w.begin().append(s, "step", "0").put(s, "a2", "0").mustCommit()
		names := func(only ...backend.KeySpace) (names [][]string) {
			for _, e := range w.journal(s, backend.JournalRange{
				At: beyond, Only: only, Values: backend.NewValues,
			}) {
				of := []string{}
				for _, c := range e.Changes {
					require.NotNil(w, c.Value)
					require.Nil(w, c.Old)
					of = append(of, c.Key)
				}
				names = append(names, of)
			}
			return names
		}
		event := codec.EventUserKey(0)
		require.Equal(w, [][]string{{"a1", "b1"}, {"b2"}, {event, "a2"}}, names())
		require.Equal(w, [][]string{{"a1"}, {}, {"a2"}},
			names(backend.KeySpace{Primitive: codec.KV, Prefix: "a"}))
		require.Equal(w, [][]string{{}, {"b2"}, {event}}, names(
			backend.KeySpace{Primitive: codec.Events}, backend.KeySpace{Primitive: codec.KV, Prefix: "b2"}))
	}},
	{"stops-early-and-without-values", func(w *world) {
		s := w.scope()
		for i := range 10 {
			w.put(s, "k", fmt.Sprint(i))
		}
		seen := uint64(0)
		for e, err := range w.b.Journal(w.ctx, s, backend.JournalRange{At: beyond}) {
			require.NoError(w, err)
			require.Nil(w, e.Changes[0].Value)
			if seen = e.Number; seen == 4 {
				break
			}
		}
		require.Equal(w, uint64(4), seen)
	}},
	{"goes-on-with-what-is-committed-meanwhile", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		next := uint64(1)
		for e, err := range w.b.Journal(w.ctx, s, backend.JournalRange{At: beyond}) {
			require.NoError(w, err)
			require.Equal(w, next, e.Number)
			if next++; next < 20 {
				w.put(s, "k", fmt.Sprint(next))
			}
		}
	}},
	{"R205-costs-what-the-scope-cost", func(w *world) {
		s := w.scope()
		fill := func(s *backend.Scope) {
			for i := range 30 {
				w.put(s, fmt.Sprint("k", i), "v")
			}
		}
		fill(s)
		cost := func() uint64 {
			before := w.b.Stats().HistoryKeys
			w.journal(s, backend.JournalRange{At: beyond, Values: backend.NewValues})
			return w.b.Stats().HistoryKeys - before
		}
		require.NoError(w, w.b.Flush(w.ctx))
		alone := cost()
		require.NotZero(w, alone)
		for range 30 {
			fill(w.scope())
		}
		require.Equal(w, alone, cost())
	}},
	{"versions-of-a-key", func(w *world) {
		s := w.scope()
		require.Empty(w, w.versions(s, codec.KV, "k", beyond))
		w.put(s, "k", "0")
		w.put(s, "k\x00", "neighbour")
		w.del(s, "k")
		w.commit(putUntil(s, "k", "1", w.now()+1))
		w.env.Clock.Advance(time.Second)
		w.sweep(expire(s, "k", w.get(s, "k").Stamp))
		for i := range 200 {
			w.put(s, "k", fmt.Sprint(i))
		}
		all := w.versions(s, codec.KV, "k", beyond)
		require.Len(w, all, 204)
		for i, r := range all {
			want := w.getAt(s, "k", r.Version)
			want.Hint = 0
			require.Equal(w, want, r)
			if i > 0 {
				require.Less(w, r.Version, all[i-1].Version)
				require.Equal(w, r.Version, w.getAt(s, "k", all[i-1].Version-1).Version)
			}
		}
		require.Equal(w, all[150:], w.versions(s, codec.KV, "k", all[150].Version))
		for r, err := range w.b.Versions(w.ctx, s, codec.KV, "k", beyond) {
			require.NoError(w, err)
			require.Equal(w, all[0].Version, r.Version)
			break
		}
	}},
	{"of-a-deleted-scope", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		w.drop(s)
		for range 2 {
			for _, err := range w.b.Journal(w.ctx, s, backend.JournalRange{At: v}) {
				require.ErrorIs(w, err, backend.ErrScopeGone)
			}
			for _, err := range w.b.Versions(w.ctx, s, codec.KV, "k", v) {
				require.ErrorIs(w, err, backend.ErrScopeGone)
			}
			s = again(s)
		}
	}},
	{"cancelled-context", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		errors := 0
		for _, err := range w.b.Journal(ctx, s, backend.JournalRange{At: beyond}) {
			require.ErrorIs(w, err, context.Canceled)
			errors++
		}
		for _, err := range w.b.Versions(ctx, s, codec.KV, "k", beyond) {
			require.ErrorIs(w, err, context.Canceled)
			errors++
		}
		require.Equal(w, 2, errors)
	}},
	{"survives-a-reopen", func(w *world) {
		s := w.scope()
		for i := range 12 {
			w.commit(put(s, "k", fmt.Sprint(i)), put(s, fmt.Sprint(i), "v"))
		}
		w.reopen()
		w.wantJournal(again(s))
		w.wantJournal(w.sys)
	}},
}
