package runindex

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// world is the records of one database.
type world struct {
	t     require.TestingT
	ctx   context.Context
	b     backend.Backend
	m     *txn.Manager
	clock *time.Time
	epoch uint64
}

// system is a handle to the system scope.
func system() *backend.Scope { return &backend.Scope{Number: codec.SystemScope} }

// newWorld makes one on the dumb authority, with a clock that stands still.
func newWorld(t require.TestingT) *world {
	now := time.Unix(1e9, 0)
	w := &world{t: t, ctx: context.Background(), clock: &now, epoch: 1}
	w.b = model.New(func() time.Time { return *w.clock })
	w.m = txn.New(w.b, txn.Config{})
	return w
}

// newEngineWorld makes one on the engine.
func newEngineWorld(t testing.TB, o embedded.Options) *world {
	now := time.Unix(1e9, 0)
	w := &world{t: t, ctx: context.Background(), clock: &now, epoch: 1}
	o.Clock, o.SweepInterval = func() time.Time { return *w.clock }, -1
	e, err := embedded.Open(w.ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	w.b = e
	w.m = txn.New(e, txn.Config{})
	return w
}

func (w *world) tick(d time.Duration) { *w.clock = w.clock.Add(d) }

func (w *world) index() Index { return New(w.m.Scope(system()), w.epoch) }

// create begins a run as package db does.
func (w *world) create(n NewRun) (*backend.Scope, error) {
	number, err := w.b.AllocateScope(w.ctx)
	require.NoError(w.t, err)
	if n.ID == [16]byte{} {
		n.ID = uuid.New()
	}
	n.Number = number
	s := &backend.Scope{Number: number, Record: idText(n.ID)}
	_, err = w.m.Update(w.ctx, system(), txn.Options{}, func(tx *txn.Tx) error {
		tx.CreateScope(s)
		return Create(w.ctx, tx.Scope(system()), w.epoch, n)
	})
	return s, err
}

func (w *world) begin(n NewRun) *backend.Scope {
	s, err := w.create(n)
	require.NoError(w.t, err)
	return s
}

func (w *world) record(s *backend.Scope) Record {
	return NewRecord(w.m.Scope(system()), w.m.Scope(s), w.epoch)
}

// sweepBy moves up to size entries, as package db does.
func (w *world) sweepBy(size int) error {
	_, err := w.m.Update(w.ctx, system(),
		txn.Options{Isolation: txn.Serializable, Retry: &txn.Retry{}},
		func(tx *txn.Tx) error { return sweep(w.ctx, tx.Scope(system()), w.epoch, size) })
	return err
}

func (w *world) sweep() error { return w.sweepBy(sweepSize) }

func (w *world) delete(s *backend.Scope) error {
	serializable := txn.Options{Isolation: txn.Serializable}
	_, err := w.m.Update(w.ctx, system(), serializable, func(tx *txn.Tx) error {
		return DeleteRef(w.ctx, tx.Scope(system()), refOf(s))
	})
	return err
}

func refOf(s *backend.Scope) Ref { return Ref{ID: s.Record, Number: s.Number} }

// flatten does it as package db does.
func (w *world) flatten(s *backend.Scope) error {
	_, err := w.m.Update(w.ctx, system(), txn.Options{}, func(tx *txn.Tx) error {
		return SetFlattened(w.ctx, tx.Scope(system()), refOf(s))
	})
	return err
}
