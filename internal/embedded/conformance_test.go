package embedded

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
)

// The engine keeps the contract of a commit authority, in every durability mode, with a memtable
// that holds everything and with one that has to spill all the time.
func TestConformance(t *testing.T) {
	run := func(name string, mode Mode, spilling bool, also ...func(*Options)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a disk of its own
			backendtest.Run(t, func(t testing.TB) backendtest.Env {
				return newEnv(t, mode, spilling, also...)
			})
		})
	}
	run("batched", Batched, false)
	run("strict", Strict, false)
	// The other databases hand over when they must: their load is more than most tests write.
	run("eager hand-over, spilling", Batched, true, eagerHandover)
	if testing.Short() {
		return // the rest differs in when things happen, which these have at both ends
	}
	run("async", Async, false)
	run("none", None, false)
	run("spilling", Batched, true)
	run("eager hand-over", Batched, false, eagerHandover)
}

// eagerHandover has every commit handed over as soon as it is queued.
func eagerHandover(o *Options) { o.load = 1 }

// newEnv opens an engine on a file system in memory for the suite.
func newEnv(t testing.TB, mode Mode, spilling bool, also ...func(*Options)) backendtest.Env {
	clock := backendtest.NewClock()
	o := memOptions()
	o.Mode, o.Clock, o.SweepInterval, o.evictEagerly = mode, clock.Now, -1, spilling
	o.readGrace = -1
	for _, change := range also {
		change(&o)
	}
	db, err := Open(context.Background(), o)
	require.NoError(t, err)
	env := backendtest.Env{
		Backend: db, Clock: clock,
		Settle: settle,
		Sweep: func(ctx context.Context, b backend.Backend) error {
			_, err := b.(*DB).Sweep(ctx)
			return err
		},
	}
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	if mode != None {
		env.Reopen = func() (backend.Backend, error) {
			if err := db.Close(); err != nil {
				return nil, err
			}
			var err error
			db, err = Open(context.Background(), o)
			return db, err
		}
	}
	return env
}

// settle waits until the space of all deleted scopes is freed.
func settle(ctx context.Context, b backend.Backend) error {
	d := b.(*DB)
	for d.graveyard.count() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
