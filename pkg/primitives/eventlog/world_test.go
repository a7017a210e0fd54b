package eventlog

import (
	"context"
	"iter"
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

// world is a run on some authority, with a clock that stands still until a test moves it.
type world struct {
	b      backend.Backend
	m      *txn.Manager
	system *backend.Scope
	run    *backend.Scope
	clock  *atomic.Int64
}

const start = 1767225600_000000000 // 2026-01-01

// newWorld begins a run on the dumb authority.
func newWorld(ctx context.Context, t require.TestingT) *world {
	clock := newClock()
	return beginRun(ctx, t, model.New(clock.now), clock)
}

// newEngine begins a run on the real one.
func newEngine(t testing.TB, o embedded.Options) *world {
	clock := newClock()
	if o.Clock == nil {
		o.Clock = clock.now
	}
	b, err := embedded.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return beginRun(t.Context(), t, b, clock)
}

// onBoth runs a test on both authorities.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("model", func(t *testing.T) { test(t, newWorld(t.Context(), t)) })
	t.Run("embedded", func(t *testing.T) {
		test(t, newEngine(t, embedded.Options{Mode: embedded.None}))
	})
}

// sibling is a world like this one, with a run that is new and the clock at its start.
func (w *world) sibling(t *testing.T) *world {
	if _, ok := w.b.(*model.Backend); ok {
		return newWorld(t.Context(), t)
	}
	return newEngine(t, embedded.Options{Mode: embedded.None})
}

type clock struct{ at *atomic.Int64 }

func newClock() clock {
	c := clock{new(atomic.Int64)}
	c.at.Store(start)
	return c
}

func (c clock) now() time.Time { return time.Unix(0, c.at.Load()) }

func beginRun(ctx context.Context, t require.TestingT, b backend.Backend, c clock) *world {
	w := &world{b: b, m: txn.New(b, txn.Config{}), system: &backend.Scope{}, clock: c.at}
	number, err := b.AllocateScope(ctx)
	require.NoError(t, err)
	w.run = &backend.Scope{Number: number, Record: "01000000-0000-0000-0000-000000000000"}
	_, err = w.m.Update(ctx, w.system, txn.Options{}, func(tx *txn.Tx) error {
		tx.CreateScope(w.run)
		_, err := tx.Scope(w.system).Put(ctx, codec.ScopeRecords, w.run.Record,
			w.record(t, codec.Active), 0)
		return err
	})
	require.NoError(t, err)
	return w
}

func (w *world) record(t require.TestingT, status codec.Status) []byte {
	r := codec.ScopeRecord{ID: [16]byte{1}, Number: w.run.Number, Status: status,
		Created: start, Updated: start}
	if status != codec.Active {
		r.Ended = start
	}
	data, err := codec.AppendScopeRecord(nil, r)
	require.NoError(t, err)
	return data
}

// end ends the run.
func (w *world) end(t require.TestingT, status codec.Status) {
	_, err := w.m.Scope(w.system).Put(context.Background(), codec.ScopeRecords, w.run.Record,
		w.record(t, status), 0)
	require.NoError(t, err)
}

func (w *world) log() Log { return New(w.m.Scope(w.run)) }

// update runs fn with the log inside a transaction.
func (w *world) update(ctx context.Context, o txn.Options, fn func(Log) error) error {
	_, err := w.m.Update(ctx, w.run, o, func(tx *txn.Tx) error { return fn(New(tx.Scope(w.run))) })
	return err
}

// begin starts a transaction that the test ends.
func (w *world) begin(t *testing.T, o txn.Options) (*txn.Tx, Log) {
	tx, err := w.m.Begin(t.Context(), w.run, o)
	require.NoError(t, err)
	return tx, New(tx.Scope(w.run))
}

// fill appends n events of alternating types, one microsecond apart.
func (w *world) fill(t require.TestingT, n int) {
	for i := range n {
		w.clock.Add(int64(time.Microsecond))
		_, err := w.log().Append(context.Background(), []string{"even", "odd"}[i%2],
			codec.Int(int64(i)))
		require.NoError(t, err)
	}
}

// The test-only door: bytes under the keys of the log and its index, past the primitive.

func (w *world) write(t require.TestingT, p codec.Primitive, key string, value []byte) {
	_, err := w.m.Scope(w.run).Put(context.Background(), p, key, value, 0)
	require.NoError(t, err)
}

func (w *world) erase(t require.TestingT, p codec.Primitive, key string) {
	existed, err := w.m.Scope(w.run).Delete(context.Background(), p, key)
	require.NoError(t, err)
	require.True(t, existed)
}

// stored is the record of an event.
func (w *world) stored(t require.TestingT, seq uint64) codec.EventRecord {
	e, err := w.m.Scope(w.run).Get(context.Background(), codec.Events, codec.EventUserKey(seq))
	require.NoError(t, err)
	require.True(t, e.Exists)
	r, err := codec.DecodeEventRecord(e.Value)
	require.NoError(t, err)
	return r
}

// store replaces the record of an event.
func (w *world) store(t require.TestingT, seq uint64, r codec.EventRecord) {
	data, err := codec.AppendEventRecord(nil, r)
	require.NoError(t, err)
	w.write(t, codec.Events, codec.EventUserKey(seq), data)
}

// all drains a sequence.
func all[T any](t require.TestingT, seq iter.Seq2[T, error]) []T {
	var list []T
	for x, err := range seq {
		require.NoError(t, err)
		list = append(list, x)
	}
	return list
}

// failure is the error of a sequence; it must come last, and once.
func failure[T any](t require.TestingT, seq iter.Seq2[T, error]) error {
	var last error
	for _, err := range seq {
		require.NoError(t, last, "went on after an error")
		last = err
	}
	return last
}

// seqs are the places of events.
func seqs(events []Event) []uint64 {
	list := []uint64{}
	for _, e := range events {
		list = append(list, e.Seq)
	}
	return list
}
