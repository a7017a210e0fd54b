package trace

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// world is a run with a clock that moves when it is told to.
type world struct {
	m     *txn.Manager
	b     backend.Backend
	run   *backend.Scope
	clock *atomic.Int64
}

const epoch = 1_700_000_000_000_000_000

// onModel is a world on the dumb authority, onEngine one on the real one.
func onModel(ctx context.Context, t require.TestingT) *world {
	clock := newClock()
	return newWorld(ctx, t, model.New(clock.now), clock, txn.Config{})
}

func onEngine(t testing.TB, o embedded.Options) *world {
	clock := newClock()
	if o.Clock == nil {
		o.Clock = clock.now
	}
	db, err := embedded.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return newWorld(t.Context(), t, db, clock, txn.Config{})
}

// onBoth runs a test on the dumb authority and on the real one.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("model", func(t *testing.T) { test(t, onModel(t.Context(), t)) })
	t.Run("engine", func(t *testing.T) { test(t, onEngine(t, inMemory)) })
}

var inMemory = embedded.Options{Mode: embedded.None}

type clock struct{ *atomic.Int64 }

func newClock() clock {
	c := clock{new(atomic.Int64)}
	c.Store(epoch)
	return c
}

func (c clock) now() time.Time { return time.Unix(0, c.Load()) }

// newWorld begins a run as package db does.
func newWorld(ctx context.Context, t require.TestingT, b backend.Backend, c clock, cfg txn.Config,
) *world {
	w := &world{b: b, m: txn.New(b, cfg), clock: c.Int64}
	w.run = w.begin(ctx, t, 1)
	return w
}

func (w *world) begin(ctx context.Context, t require.TestingT, id byte) *backend.Scope {
	number, err := w.b.AllocateScope(ctx)
	require.NoError(t, err)
	run := &backend.Scope{Number: number, Record: "run-" + string('0'+rune(id))}
	_, err = w.m.Update(ctx, system(), txn.Options{}, func(tx *txn.Tx) error {
		tx.CreateScope(run)
		return putRecord(ctx, tx, run, id, codec.Active)
	})
	require.NoError(t, err)
	return run
}

// system is a new handle each time: the authority that sees a handle keeps what it knows in it.
func system() *backend.Scope { return &backend.Scope{Number: codec.SystemScope} }

func putRecord(ctx context.Context, tx *txn.Tx, run *backend.Scope, id byte, status codec.Status,
) error {
	data, err := codec.AppendScopeRecord(nil, codec.ScopeRecord{
		ID: [16]byte{id}, Number: run.Number, Status: status,
	})
	if err != nil {
		return err
	}
	_, err = tx.Scope(system()).Put(ctx, codec.ScopeRecords, run.Record, data, 0)
	return err
}

// end ends the run.
func (w *world) end(t *testing.T) {
	_, err := w.m.Update(t.Context(), system(), txn.Options{}, func(tx *txn.Tx) error {
		return putRecord(t.Context(), tx, w.run, 1, codec.Completed)
	})
	require.NoError(t, err)
}

func (w *world) scope() txn.Scope { return w.m.Scope(w.run) }
func (w *world) traces() Traces   { return New(w.scope()) }

// at is a time so many seconds after the epoch of the clock.
func at(seconds int) time.Time {
	return time.Unix(0, epoch).Add(time.Duration(seconds) * time.Second).UTC()
}

// collect reads a whole sequence.
func collect(t require.TestingT, seq func(func(Span, error) bool)) (all []Span) {
	for s, err := range seq {
		require.NoError(t, err)
		all = append(all, s)
	}
	return all
}

func idsOf(spans []Span) (ids []string) {
	for _, s := range spans {
		ids = append(ids, s.ID)
	}
	return ids
}

// keysOf lists the keys of a primitive.
func keysOf(t require.TestingT, s txn.Scope, p codec.Primitive) (keys []string) {
	c := s.Scan(context.Background(), p, txn.Range{})
	defer c.Close()
	for c.Next() {
		keys = append(keys, c.Key())
	}
	require.NoError(t, c.Err())
	return keys
}

// mustRecord records a span.
func mustRecord(t require.TestingT, tr Traces, s Span) string {
	id, err := tr.Record(context.Background(), s)
	require.NoError(t, err)
	return id
}
