package backendtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// importing makes a scope that is being imported.
func (w *world) importing() *backend.Scope {
	w.Helper()
	s := w.allocate()
	r := w.creation(s, codec.Paused)
	r.Writes = []backend.Write{w.importRecord(s, codec.Paused, codec.KindImport)}
	w.must(w.b.Commit(w.ctx, r))
	return s
}

// importRecord is the write of the record of a scope that is being imported, or was.
func (w *world) importRecord(
	s *backend.Scope, status codec.Status, kind codec.ScopeKind,
) backend.Write {
	w.Helper()
	value := encodeScope(w, codec.ScopeRecord{
		Number: s.Number, Status: status, Kind: kind, Created: 1, Updated: 1,
	})
	return backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Put, Value: value}
}

// imported is a commit that was made elsewhere, some time before now.
func (w *world) imported(
	version uint64, ago time.Duration, writes []backend.Write, appends ...backend.Append,
) (backend.Outcome, error) {
	return w.b.Commit(w.ctx, &backend.Request{Writes: writes, Appends: appends,
		Origin: codec.Origin{Version: version, Time: w.now() - int64(ago)}})
}

// events are the records of a scope's events.
func (w *world) events(s *backend.Scope, at uint64) []codec.EventRecord {
	w.Helper()
	var all []codec.EventRecord
	for _, p := range w.scanOf(s, codec.Events, backend.Range{}, at) {
		e, err := codec.DecodeEventRecord(p.record.Value)
		require.NoError(w, err)
		all = append(all, e)
	}
	return all
}

// importChecks are about commits that were made in another database.
var importChecks = []Check{
	{"R213-the-journal-keeps-version-and-time", func(w *world) {
		s := w.importing()
		out := w.must(w.imported(900, time.Hour, []backend.Write{put(s, "k", "1")},
			event(s, "step", "0")))
		want := codec.Origin{Version: 900, Time: w.now() - int64(time.Hour)}
		check := func() {
			tail := w.tail(out.Version)
			require.Equal(w, out.Version, tail[0].Version)
			require.Equal(w, w.now(), tail[0].Time, "the commit is of this database")
			require.Equal(w, want, tail[0].Scopes[0].Origin)
			entries := w.journal(s, backend.JournalRange{At: beyond, Values: backend.NewValues})
			require.Len(w, entries, 1)
			require.Equal(w, want, entries[0].Origin)
			require.Equal(w, want.Time, entries[0].Judged())
			require.Equal(w, tail[0].Time, entries[0].Time)
			e := w.events(s, beyond)[0]
			require.Equal(w, want.Time, e.Time)
			require.Equal(w, codec.EventHash(codec.EventDigest{}, 0, want.Time, "step",
				codec.PayloadDigest(text("0"))), e.Hash)
		}
		check()
		own := w.put(w.scope(), "k", "1")
		require.Zero(w, w.tail(own)[0].Scopes[0].Origin, "made here")
		w.reopen()
		check()
	}},
	{"R213-many-changes-and-their-origin", func(w *world) {
		s := w.importing()
		var writes []backend.Write
		for i := range 600 {
			writes = append(writes, put(s, string(rune('a'+i%26))+string(rune('a'+i/26)), "v"))
		}
		out := w.must(w.imported(7, time.Hour, writes))
		x := w.tail(out.Version)[0].Scopes[0]
		require.Len(w, x.Changes, 600)
		require.Equal(w, uint64(7), x.Origin.Version)
	}},
	{"deletes-are-judged-by-the-time-they-had", func(w *world) {
		s := w.importing()
		deadline := w.now() - int64(time.Minute) // over by now
		w.must(w.imported(1, time.Hour, []backend.Write{putUntil(s, "k", "1", deadline)}))
		out := w.must(w.imported(2, 30*time.Minute, []backend.Write{del(s, "k")}))
		require.Equal(w, 1, out.Existed, "it existed then")
		w.must(w.imported(3, 20*time.Minute, []backend.Write{putUntil(s, "k", "2", deadline)}))
		require.Zero(w, w.must(w.imported(4, time.Second, []backend.Write{del(s, "k")})).Version)
		r := w.get(s, "k")
		x := expire(s, "k", r.Stamp)
		x.Expiry = deadline
		require.Zero(w, w.must(w.imported(5, 2*time.Minute, []backend.Write{x})).Version)
		require.NotZero(w, w.must(w.imported(6, 0, []backend.Write{x})).Version)
		require.Equal(w, r.Stamp, w.get(s, "k").Stamp)
	}},
	{"nothing-else-is-taken-and-nobody-else-takes-them", func(w *world) {
		s, run := w.importing(), w.scope()
		var status *backend.ScopeStatusError
		_, err := w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{put(s, "k", "1")}})
		require.ErrorAs(w, err, &status)
		_, err = w.imported(1, 0, []backend.Write{put(run, "k", "1")})
		require.ErrorAs(w, err, &status)
		_, err = w.imported(1, 0, []backend.Write{put(s, "k", "1"), put(run, "k", "1")})
		require.ErrorAs(w, err, &status)
		require.Zero(w, w.get(s, "k").Version)
		w.must(w.imported(1, 0, []backend.Write{putUntil(s, "k", "1", w.now()+1)}))
		w.commit(w.importRecord(s, codec.Active, codec.KindImport))
		_, err = w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{put(s, "k", "1")}})
		require.ErrorAs(w, err, &status, "whatever the status")
		w.commit(w.importRecord(s, codec.Active, codec.KindRun))
		w.put(s, "k", "2")
		_, err = w.imported(2, 0, []backend.Write{put(s, "k", "3")})
		require.ErrorAs(w, err, &status, "it is a run now")
		w.reopen()
		w.put(s, "k", "4")
	}},
	{"a-sweep-leaves-it-alone-until-it-is-a-run", func(w *world) {
		if w.env.Sweep == nil {
			w.skip("no Sweep")
			return
		}
		s := w.importing()
		w.must(w.imported(1, time.Hour, []backend.Write{putUntil(s, "k", "1", w.now()-1)}))
		require.NoError(w, w.env.Sweep(w.ctx, w.b))
		w.wantValue(s, "k", "1")
		w.commit(w.importRecord(s, codec.Active, codec.KindRun))
		require.NoError(w, w.env.Sweep(w.ctx, w.b))
		w.wantAbsent(s, "k")
	}},
	{"times-of-events-do-not-fall", func(w *world) {
		s := w.importing()
		ahead := w.must(w.imported(1, -time.Hour, nil, event(s, "step", "0")))
		w.must(w.imported(2, time.Hour, nil, event(s, "step", "1")))
		w.commit(w.importRecord(s, codec.Active, codec.KindRun))
		w.begin().append(s, "step", "2").mustCommit()
		check := func(s *backend.Scope) {
			var previous codec.EventDigest
			for i, e := range w.events(s, beyond) {
				require.Equal(w, w.now()+int64(time.Hour), e.Time)
				require.Equal(w, previous, e.Previous)
				require.Equal(w, codec.EventHash(previous, uint64(i), e.Time, e.Type,
					codec.PayloadDigest(e.Payload)), e.Hash)
				previous = e.Hash
			}
		}
		check(s)
		f := w.fork(s, ahead.Version)
		w.begin().append(f, "step", "1").mustCommit()
		check(f)
		w.reopen()
		w.begin().append(s, "step", "3").mustCommit()
		require.Len(w, w.events(s, beyond), 4)
		check(s)
		w.begin().append(f, "step", "2").mustCommit()
		require.Len(w, w.events(f, beyond), 3)
		check(f)
	}},
}
