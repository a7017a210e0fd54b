package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// depth is through how many runs a run reads, by the records.
func (w *world) depth(r *inmem.Run) int {
	w.t.Helper()
	n := 0
	for key := r.ID(); ; n++ {
		e, err := w.b.Get(w.ctx(), &backend.Scope{}, codec.ScopeRecords, key, w.Version())
		require.NoError(w.t, err)
		rec, err := codec.DecodeScopeRecord(e.Value)
		require.NoError(w.t, err)
		if !rec.ReadsThrough() {
			return n
		}
		key = rec.ParentKey()
	}
}

// line forks a run, and that fork, and so on; each writes its number under a key of its own.
func (w *world) line(n int) []*inmem.Run {
	w.t.Helper()
	all := []*inmem.Run{w.run}
	for i := range n {
		if i > 0 {
			all = append(all, w.fork(all[i-1], inmem.ForkOptions{}))
		}
		_, err := all[i].Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(w.ctx(), fmt.Sprintf("%03d", i), inmem.Int(int64(i)))
			_, also := tx.KV().Put(w.ctx(), "last", inmem.Int(int64(i)))
			_, appended := tx.Events().Append(w.ctx(), "step", inmem.Int(int64(i)))
			return errors.Join(err, also, appended)
		})
		require.NoError(w.t, err)
	}
	return all
}

// requireLine demands that every run of a line shows what was written up to it, now and, through
// every other one's version, then.
func (w *world) requireLine(all []*inmem.Run) {
	w.t.Helper()
	ctx := w.ctx()
	for i, r := range all {
		if r == nil {
			continue // deleted
		}
		last, _, err := inmem.Get[int](ctx, r.KV(), "last")
		require.NoError(w.t, err)
		n, err := r.KV().Count(ctx, inmem.ScanOptions{})
		require.NoError(w.t, err)
		chain, err := r.Events().Verify(ctx)
		require.NoError(w.t, err)
		info := w.info(r)
		require.Equal(w.t, []any{i, i + 2, true, uint64(i + 1), uint64(i + 1)},
			[]any{last, n, chain.Valid, chain.Length, info.Commits})
		first, err := r.At(ctx, info.FirstVersion)
		require.NoError(w.t, err)
		last, _, err = inmem.Get[int](ctx, first.KV(), "last")
		require.NoError(w.t, err)
		require.Zero(w.t, last)
		require.NoError(w.t, first.Close())
	}
}

// R211: a long line of forks of forks is kept short in the background; nothing that anybody reads
// changes, during or after that.
func TestR211ForksStayShallow(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		all := w.line(40)
		w.requireLine(all)
		deepest := func() (most int) {
			for _, r := range all {
				most = max(most, w.depth(r))
			}
			return most
		}
		require.Eventually(t, func() bool { return deepest() <= 8 }, 10*time.Second,
			5*time.Millisecond)
		w.requireLine(all)
		requireIndex(t, w.DB)
		// A broad front: what all have in common is flattened, and not each by itself.
		front := all[39]
		for w.depth(front) < 8 {
			front = w.fork(front, inmem.ForkOptions{})
		}
		for range 50 {
			w.fork(front, inmem.ForkOptions{})
		}
		require.Eventually(t, func() bool { return w.depth(front) < 8 }, 10*time.Second,
			5*time.Millisecond)
		flat := 0
		for _, id := range idsOf(t, w.Runs(), inmem.RunQuery{Parent: front.ID()}) {
			child, err := w.Run(w.ctx(), id)
			require.NoError(t, err)
			if w.depth(child) == 0 {
				flat++
			}
		}
		require.Zero(t, flat)
	})
}

// stubborn is an authority that cannot flatten until it is told to.
type stubborn struct {
	staying
	can   atomic.Bool
	tried atomic.Int64
}

func (s *stubborn) Flatten(ctx context.Context, of *backend.Scope) error {
	s.tried.Add(1)
	if !s.can.Load() {
		return errors.New("the disk is tired")
	}
	return s.staying.Flatten(ctx, of)
}

// When the keeper fails it says so, and tries again when a run is looked up, also by another
// process; reads are right meanwhile. At a hard bound Fork itself flattens, or fails.
func TestForksStayShallowLater(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		s := &stubborn{staying: staying{w.b}}
		var log lockedBuilder
		o := &inmem.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		open := func() {
			var err error
			w.DB, err = inmem.OpenOn(inmem.Hooks{Backend: s, Depth: 2}, o)
			require.NoError(t, err)
			w.run, err = w.Run(w.ctx(), w.run.ID())
			require.NoError(t, err)
		}
		open()
		all := w.line(17)
		require.Equal(t, 16, w.depth(all[16]))
		require.Eventually(t, func() bool { return strings.Contains(log.String(), "tired") },
			10*time.Second, time.Millisecond)
		require.Contains(t, log.String(), all[3].ID())
		_, err := all[16].Fork(w.ctx(), inmem.ForkOptions{})
		require.ErrorContains(t, err, "tired", "the hard bound is eight times as deep")
		w.requireLine(all)
		require.NoError(t, w.DB.Close())
		s.can.Store(true)
		tried := s.tried.Load()
		open()
		for i, r := range all {
			all[i], err = w.Run(w.ctx(), r.ID())
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool { return w.depth(all[16]) <= 2 }, 10*time.Second,
			time.Millisecond)
		require.Greater(t, s.tried.Load(), tried)
		w.fork(all[16], inmem.ForkOptions{})
		w.requireLine(all)
		requireIndex(t, w.DB)
	})
}

// lockedBuilder is a strings.Builder for several goroutines.
type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Close ends the keeper in the middle of its work.
func TestCloseEndsTheKeeper(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	entered := make(chan struct{}, 1)
	d, err := inmem.OpenOn(inmem.Hooks{Depth: 1, Backend: &waiting{staying{w.b}, entered}}, nil)
	require.NoError(t, err)
	run, err := d.Run(w.ctx(), w.run.ID())
	require.NoError(t, err)
	for range 3 {
		run, err = run.Fork(w.ctx(), inmem.ForkOptions{})
		require.NoError(t, err)
	}
	<-entered
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
}

// waiting is an authority whose Flatten lasts as long as its caller waits.
type waiting struct {
	staying
	entered chan struct{}
}

func (s *waiting) Flatten(ctx context.Context, _ *backend.Scope) error {
	s.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// A line whose members are deleted in any order, all of them in the end, shows to those that are
// left what it did.
func TestDeleteAlongALine(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		all := w.line(8)
		for _, i := range []int{3, 0, 7, 4, 5, 1, 2, 6} {
			err := w.DeleteRunWith(w.ctx(), all[i].ID(), inmem.DeleteOptions{Forks: inmem.FlattenForks})
			require.NoError(t, err)
			all[i] = nil
			w.requireLine(all)
		}
		requireIndex(t, w.DB)
	})
}
