package inmem_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// testClock is a wall clock that stands still until it is moved.
type testClock struct{ ns atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.ns.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *testClock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// world is a database of one test with one run in it.
type world struct {
	*inmem.DB
	t     testing.TB
	clock *testClock
	b     backend.Backend
	sweep func() error
	run   *inmem.Run
	// waits are the sleeps that were asked for; none is slept. Guarded by mu.
	waits []time.Duration
	mu    sync.Mutex
}

// engine makes an authority; the same tests run on each.
type engine struct {
	name string
	open func(testing.TB, *testClock) (b backend.Backend, sweep func() error)
}

var engines = []engine{
	{"model", func(t testing.TB, clock *testClock) (backend.Backend, func() error) {
		m := model.New(clock.now)
		return m, func() error { return m.Sweep(t.Context(), clock.now()) }
	}},
	{"embedded", func(t testing.TB, clock *testClock) (backend.Backend, func() error) {
		e, err := embedded.Open(t.Context(), embedded.Options{
			Mode: embedded.None, Clock: clock.now, SweepInterval: -1,
		})
		require.NoError(t, err)
		return e, func() error {
			_, err := e.Sweep(t.Context())
			return err
		}
	}},
}

// onEngines runs a test on each engine.
func onEngines(t *testing.T, test func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// newWorld opens a database on an engine.
func newWorld(t testing.TB, e engine, o *inmem.Options) *world {
	t.Helper()
	w := &world{t: t, clock: newTestClock()}
	w.b, w.sweep = e.open(t, w.clock)
	w.open(o)
	return w
}

// open assembles the database and begins the run.
func (w *world) open(o *inmem.Options) {
	w.t.Helper()
	var err error
	w.DB, err = inmem.OpenOn(inmem.Hooks{
		Backend: w.b,
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waits = append(w.waits, d)
			return ctx.Err()
		},
		Int64N: func(n int64) int64 { return n - 1 }, // the longest wait
	}, o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, w.Close()) })
	w.run, err = w.BeginRun(w.t.Context(), inmem.RunOptions{})
	require.NoError(w.t, err)
}

func (w *world) ctx() context.Context { return w.t.Context() }

// begin starts a transaction by hand.
func (w *world) begin(o inmem.TxOptions) *inmem.Tx {
	w.t.Helper()
	tx, err := w.run.Begin(w.ctx(), o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// put writes a string directly.
func (w *world) put(key, value string) uint64 {
	w.t.Helper()
	v, err := w.run.KV().Put(w.ctx(), key, inmem.String(value))
	require.NoError(w.t, err)
	return v
}

// text reads a string; "(absent)" if there is none.
func text(t testing.TB, k inmem.KV, key string) string {
	t.Helper()
	s, ok, err := inmem.Get[string](context.Background(), k, key)
	require.NoError(t, err)
	if !ok {
		return "(absent)"
	}
	return s
}
