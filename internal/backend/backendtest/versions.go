package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// versionChecks are semantics 1 and requirements R090-R095.
var versionChecks = []Check{
	{"R090-every-writing-commit-is-greater", func(w *world) {
		s := w.scope()
		last := w.b.Published()
		for i := range 100 {
			v := w.put(s, fmt.Sprint(i%7), fmt.Sprint(i))
			require.Greater(w, v, last)
			require.Equal(w, v, w.b.Published())
			last = v
		}
	}},
	{"R090-unique-from-many-goroutines", func(w *world) {
		s := w.scope()
		var mu sync.Mutex
		var versions []uint64
		w.parallel(16, func(i int) {
			var mine []uint64
			for n := range rounds(50) {
				mine = append(mine, w.put(s, fmt.Sprintf("%d/%d", i, n), "0"))
			}
			require.True(w, slices.IsSorted(mine), "a later commit has a greater version: %v", mine)
			mu.Lock()
			defer mu.Unlock()
			versions = append(versions, mine...)
		})
		slices.Sort(versions)
		require.Len(w, slices.Compact(slices.Clone(versions)), len(versions), "a version twice")
		require.Equal(w, versions[len(versions)-1], w.b.Published())
	}},
	{"E81-no-op-and-refused-commits-take-none", func(w *world) {
		s := w.scope()
		now := w.put(s, "k", "0")
		x := w.begin()
		x.get(s, "k")
		x.mustCommit()
		w.del(s, "never")
		_, err := w.begin().cas(s, "k", 0, "1").commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		require.Equal(w, now, w.b.Published())
		next := w.put(s, "k", "1")
		require.Equal(w, now, w.commitRecord(next).Previous, "the history has no hole")
	}},
	{"commit-record-tells-all", func(w *world) {
		a, b := w.scope(), w.scope()
		first := w.put(a, "k", "0")
		w.clock.Advance(time.Second)
		v := w.commit(put(b, "k", "0"), put(a, "k", "1")).Version
		require.Equal(w, codec.CommitRecord{Version: v, Previous: first, Time: w.now(),
			Scopes: []codec.ScopeCommit{{Scope: a.Number, Number: 2}, {Scope: b.Number, Number: 1}},
		}, w.commitRecord(v))
		require.Zero(w, w.commitRecord(v+1).Version, "the future")
		require.Zero(w, w.commitRecord(beyond).Version)
		require.Zero(w, w.commitRecord(0).Version)
	}},
	{"commit-numbers-are-dense-per-scope", func(w *world) {
		a, b := w.scope(), w.scope()
		for i := range 20 {
			switch i % 4 {
			case 0:
				w.put(a, "k", fmt.Sprint(i))
			case 1:
				w.del(a, "never")
			case 2:
				// The delete has nothing to do, so this is no commit of a's.
				w.commit(put(b, "k", fmt.Sprint(i)), del(a, "never"))
			case 3:
				_, err := w.begin().put(a, "k", "x").cas(b, "k", beyond, "x").commit()
				require.ErrorIs(w, err, backend.ErrConflict)
			}
		}
		require.Equal(w, []uint64{1, 2, 3, 4, 5}, w.numbers(a))
		require.Equal(w, []uint64{1, 2, 3, 4, 5}, w.numbers(b))
	}},
	{"commit-time-never-goes-back", func(w *world) {
		s := w.scope()
		w.clock.Advance(time.Hour)
		at := func() int64 { return w.commitRecord(w.put(s, "k", "0")).Time }
		high := w.now()
		require.Equal(w, high, at())
		w.clock.Advance(-30 * time.Minute)
		require.Equal(w, high, at())
		require.Equal(w, high, at())
		w.clock.Advance(40 * time.Minute)
		require.Equal(w, w.now(), at())
	}},
	{"waits-for-versions", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		require.NoError(w, w.b.WaitPublished(w.ctx, 0))
		require.NoError(w, w.b.WaitDurable(w.ctx, 0))
		require.NoError(w, w.b.WaitPublished(w.ctx, v))
		require.NoError(w, w.b.Flush(w.ctx))
		require.GreaterOrEqual(w, w.b.Durable(), v, "Flush makes every earlier commit durable")
		require.NoError(w, w.b.WaitDurable(w.ctx, v))
		for _, wait := range []func(context.Context, uint64) error{
			w.b.WaitPublished, w.b.WaitDurable} {
			require.ErrorIs(w, wait(w.ctx, beyond), codec.ErrInvalidArgument)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		if err := w.b.WaitDurable(ctx, v); err != nil {
			require.ErrorIs(w, err, context.Canceled)
		}
	}},
	{"waiting-for-durable-alone-ends", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		require.NoError(w, w.b.WaitDurable(w.ctx, v), "without a Flush, within the mode's interval")
		require.GreaterOrEqual(w, w.b.Durable(), v)
	}},
	{"durable-commit-is-durable-when-it-returns", func(w *world) {
		s := w.scope()
		w.put(s, "earlier", "0")
		out := w.must(w.b.Commit(w.ctx, &backend.Request{Durability: backend.Durable,
			Writes: []backend.Write{put(s, "k", "0")}}))
		require.GreaterOrEqual(w, w.b.Durable(), out.Version)
		require.GreaterOrEqual(w, w.b.Published(), out.Version)
	}},
	{"E19-published-rises-and-is-complete", publishedIsComplete},
}

func (w *world) commitRecord(version uint64) codec.CommitRecord {
	w.Helper()
	r, err := w.b.CommitRecord(w.ctx, version)
	require.NoError(w, err)
	time, err := w.b.CommitTime(w.ctx, version)
	require.NoError(w, err)
	require.Equal(w, r.Time, time)
	return r
}

// numbers are the commit numbers of a scope in the order of its commits.
func (w *world) numbers(s *backend.Scope) []uint64 {
	w.Helper()
	var all []uint64
	for _, c := range w.tail(0) {
		for _, changes := range c.Scopes {
			if changes.Scope == s.Number {
				all = append(all, changes.Number)
			}
		}
	}
	return all
}

// publishedIsComplete lets writers put the same value under eight keys, and readers who take the
// published version find eight equal values there, at once and again a moment later (R073).
func publishedIsComplete(w *world) {
	s := w.scope()
	const width = 8
	all := func(value string) []backend.Write {
		var writes []backend.Write
		for i := range width {
			writes = append(writes, put(s, fmt.Sprint(i), value))
		}
		return writes
	}
	w.commit(all("start")...)
	ctx, stop := context.WithCancel(w.ctx)
	w.parallel(6, func(i int) {
		if i < 3 {
			defer stop()
			for n := range rounds(200) {
				w.commit(all(fmt.Sprintf("%d/%d", i, n))...)
			}
			return
		}
		var last uint64
		for ctx.Err() == nil {
			durable := w.b.Durable()
			at := w.b.Published()
			require.GreaterOrEqual(w, at, last, "published only rises")
			require.GreaterOrEqual(w, at, durable, "what is durable is published")
			last = at
			var seen []backend.Record
			for j := range width {
				seen = append(seen, bare(w.getAt(s, fmt.Sprint(j), at)))
			}
			for j, p := range w.scan(s, backend.Range{}, at) {
				require.Equal(w, seen[0], bare(p.record), "a part of a commit shows at %d", at)
				require.Equal(w, seen[0], seen[j], "a part of a commit shows at %d", at)
			}
			require.LessOrEqual(w, seen[0].Version, at)
		}
	})
	require.False(w, errors.Is(w.ctx.Err(), context.DeadlineExceeded), "out of time")
}
