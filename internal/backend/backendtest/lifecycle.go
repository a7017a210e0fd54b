package backendtest

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// lifecycleChecks are about contexts, pins, counters and the end.
var lifecycleChecks = []Check{
	{"cancelled-context-commits-nothing", func(w *world) {
		s := w.scope()
		before := w.b.Published()
		cancelled, cancel := context.WithCancel(w.ctx)
		cancel()
		late, stop := context.WithTimeout(w.ctx, 0)
		defer stop()
		for ctx, want := range map[context.Context]error{
			cancelled: context.Canceled, late: context.DeadlineExceeded} {
			out, err := w.b.Commit(ctx, &backend.Request{
				Writes:  []backend.Write{put(s, "k", "0")},
				Appends: []backend.Append{event(s, "step", "0")}})
			require.ErrorIs(w, err, want)
			require.Zero(w, out)
		}
		require.Equal(w, before, w.b.Published())
		w.wantAbsent(s, "k")
		require.Zero(w, w.begin().append(s, "step", "0").mustCommit().Appends[0].Sequence)
	}},
	{"cancelling-while-many-commit", cancelRace},
	{"pins-hold-their-version", func(w *world) {
		s := w.scope()
		var pins []backend.Pin
		var versions []uint64
		for i := range 50 {
			versions = append(versions, w.put(s, "k", fmt.Sprint(i)))
			pin, err := w.b.Begin()
			require.NoError(w, err)
			require.NoError(w, pin.Err())
			pins = append(pins, pin)
		}
		require.Equal(w, int64(50), w.b.Stats().OpenPins)
		for i, pin := range pins {
			require.Equal(w, versions[i], pin.Version())
			require.Equal(w, text(fmt.Sprint(i)), w.getAt(s, "k", pin.Version()).Value)
		}
		for i := range pins {
			pins[(i*7)%50].Release() // in no order; 7 and 50 have no common factor
		}
		require.Zero(w, w.b.Stats().OpenPins)
	}},
	{"a-pin-serves-commits-that-fail", func(w *world) {
		s := w.scope()
		x := w.begin()
		x.get(s, "k")
		w.put(s, "k", "T2")
		x.put(s, "j", "T1")
		for range 3 {
			_, err := w.b.Commit(w.ctx, &x.req)
			require.ErrorIs(w, err, backend.ErrConflict, "the pin stays: the answer does not change")
		}
		x.rollback()
		require.Zero(w, w.b.Stats().OpenPins)
	}},
	{"an-old-pin-still-validates", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "0"), put(s, "b", "0"))
		x, y := w.beginSerializable(), w.beginSerializable()
		x.get(s, "a")
		x.get(s, "never")
		y.scan(s, backend.Range{Start: "a", End: "c"})
		for i := range 2000 {
			w.put(s, fmt.Sprintf("noise/%d", i%100), fmt.Sprint(i))
		}
		x.put(s, "j", "T1").mustCommit()
		now := w.put(s, "aa", "T2")
		y.put(s, "j", "T1").wantConflict(readAt(s, "aa", 0, now))
	}},
	{"stats-count", func(w *world) {
		s := w.scope()
		before := w.b.Stats()
		for i := range 5 {
			w.put(s, "k", fmt.Sprint(i))
		}
		for range 3 {
			w.del(s, "never")
		}
		for range 2 {
			_, err := w.begin().cas(s, "k", 0, "x").commit()
			require.ErrorIs(w, err, backend.ErrConflict)
		}
		w.setStatus(s, codec.Completed)
		_, err := w.begin().put(s, "k", "x").commit()
		require.ErrorIs(w, err, backend.ErrScopeNotActive)
		after := w.b.Stats()
		require.Equal(w, uint64(6), after.Commits-before.Commits)
		require.Equal(w, uint64(3), after.ReadOnly-before.ReadOnly)
		require.Equal(w, uint64(2), after.Conflicts-before.Conflicts)
		require.Equal(w, uint64(1), after.Refused-before.Refused)
	}},
	{"closed-answers-closed", closedAnswers},
	{"close-with-cursor-and-pin-open", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "0"), put(s, "b", "0"))
		pin, err := w.b.Begin()
		require.NoError(w, err)
		c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, pin.Version())
		require.True(w, c.Next())
		r := c.Record()
		c.Close()
		require.NoError(w, w.b.Close())
		pin.Release()
		require.Equal(w, text("0"), r.Value, "what was read stays")
	}},
}

func closedAnswers(w *world) {
	s := w.scope()
	v := w.put(s, "k", "0")
	x := w.begin()
	x.put(s, "k", "late")
	require.NoError(w, w.b.Close())
	require.NoError(w, w.b.Close(), "a second Close returns nil")
	_, err := x.commit()
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{put(s, "k", "1")}})
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.Begin()
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.AllocateScope(w.ctx)
	require.ErrorIs(w, err, backend.ErrClosed)
	_, err = w.b.Get(w.ctx, s, codec.KV, "k", v)
	require.ErrorIs(w, err, backend.ErrClosed)
	c := w.b.Scan(w.ctx, s, codec.KV, backend.Range{}, v)
	require.False(w, c.Next())
	require.ErrorIs(w, c.Err(), backend.ErrClosed)
	c.Close()
	_, err = w.b.CommitRecord(w.ctx, v)
	require.ErrorIs(w, err, backend.ErrClosed)
	errs := 0
	for _, err := range w.b.Tail(w.ctx, 0) {
		require.ErrorIs(w, err, backend.ErrClosed)
		errs++
	}
	require.Equal(w, 1, errs)
	for _, wait := range []func(context.Context, uint64) error{
		w.b.WaitPublished, w.b.WaitDurable} {
		if err := wait(w.ctx, v); err != nil { // nil: it was reached before
			require.ErrorIs(w, err, backend.ErrClosed)
		}
	}
	require.ErrorIs(w, w.b.Flush(w.ctx), backend.ErrClosed)
	_ = w.b.Stats()
	_, _ = w.b.Published(), w.b.Durable()
}

// cancelRace cancels commits at any moment. An error that is not an *UnknownOutcomeError means that
// nothing was written, and a version that was told is in the history.
func cancelRace(w *world) {
	s := w.scope()
	const writers = 8
	from := w.b.Published() + 1
	type result struct {
		key     string
		version uint64 // 0: refused
	}
	results := make([][]result, writers)
	w.parallel(writers, func(i int) {
		for n := range rounds(100) {
			ctx, cancel := context.WithCancel(w.ctx)
			go cancel()
			key := fmt.Sprintf("%d/%d", i, n)
			out, err := w.b.Commit(ctx, &backend.Request{
				Writes: []backend.Write{put(s, key, "0")}})
			cancel()
			version := out.Version
			if unknown := unknownOutcome(err); unknown != nil {
				version = unknown.Version
			} else if err != nil {
				require.ErrorIs(w, err, context.Canceled)
			}
			results[i] = append(results[i], result{key, version})
		}
	})
	require.NoError(w, w.b.Flush(w.ctx))
	found := map[string]uint64{}
	for _, c := range w.tail(from) {
		for _, change := range c.Scopes[0].Changes {
			found[change.Key] = c.Version
		}
	}
	for _, mine := range results {
		for _, r := range mine {
			require.Equal(w, r.version, found[r.key], "commit of %s", r.key)
		}
	}
}
