package backendtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// clockChecks hold an authority to its time: it never goes back, whatever the wall clock does.
var clockChecks = []Check{
	{"now-never-lies-behind-the-newest-commit", func(w *world) {
		s := w.scope()
		start := w.b.Now()
		require.GreaterOrEqual(w, start, w.now())
		old := w.commit(putUntil(s, "k", "v", start+10*second)).Version
		w.clock.Advance(100 * time.Second)
		w.put(s, "other", "x")
		w.clock.Advance(-99 * time.Second)
		w.wantNow(start + 100*second)
		require.LessOrEqual(w, w.get(s, "k").Expiry, w.b.Now(), "for a reader it has expired")
		require.Equal(w, backend.Outcome{}, w.del(s, "k"), "and for a delete")
		require.NotZero(w, w.sweep(expire(s, "k", old)).Version, "and for the sweeper")
	}},
	{"now-never-lies-behind-an-earlier-answer", func(w *world) {
		s := w.scope()
		start := w.b.Now()
		w.commit(putUntil(s, "k", "v", start+10*second))
		w.clock.Advance(100 * time.Second)
		require.Equal(w, start+100*second, w.b.Now())
		w.clock.Advance(-99 * time.Second)
		w.wantNow(start + 100*second)
		require.Equal(w, backend.Outcome{}, w.del(s, "k"), "told to a reader, so it stays expired")
		version := w.put(s, "other", "x")
		record, err := w.b.CommitRecord(w.ctx, version)
		require.NoError(w, err)
		require.GreaterOrEqual(w, record.Time, start+100*second)
	}},
	{"deadlines-while-the-clock-lags", func(w *world) {
		s := w.scope()
		w.clock.Advance(100 * time.Second)
		w.put(s, "other", "x")
		w.clock.Advance(-99 * time.Second)
		w.commit(putUntil(s, "k", "v", w.b.Now()+10*second))
		require.Greater(w, w.get(s, "k").Expiry, w.b.Now())
		require.Equal(w, 1, w.del(s, "k").Existed)
	}},
	{"now-over-a-restart", func(w *world) {
		s := w.scope()
		start := w.b.Now()
		w.commit(putUntil(s, "k", "v", start+10*second))
		w.clock.Advance(100 * time.Second)
		w.put(s, "other", "x")
		w.clock.Advance(-99 * time.Second)
		w.reopen()
		w.wantNow(start + 100*second)
		require.Equal(w, backend.Outcome{}, w.del(again(s), "k"))
	}},
}

// wantNow demands that the authority's time has come that far.
func (w *world) wantNow(least int64) {
	w.Helper()
	require.GreaterOrEqual(w, w.b.Now(), least)
}
