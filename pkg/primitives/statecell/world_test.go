package statecell

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// world is a run on an authority whose commits a test can watch.
type world struct {
	b      backend.Backend
	m      *txn.Manager
	run    *backend.Scope
	now    time.Time
	guards Guards
	stub   *stub
}

// stub passes everything on; between, if set, is called once, before the next commit.
type stub struct {
	backend.Backend
	between func()
	commits int
}

func (s *stub) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	s.commits++
	if between := s.between; between != nil {
		s.between = nil
		between()
	}
	return s.Backend.Commit(ctx, r)
}

// newWorld begins a run on the dumb authority, with a clock that stands still.
func newWorld(t require.TestingT) *world {
	w := &world{now: time.Unix(1e9, 0)}
	w.stub = &stub{Backend: model.New(func() time.Time { return w.now })}
	w.begin(t, w.stub)
	return w
}

// engineWorld begins a run on the real one.
func engineWorld(t testing.TB, o embedded.Options) *world {
	o.SweepInterval = -1
	b, err := embedded.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	w := &world{}
	w.begin(t, b)
	return w
}

func (w *world) begin(t require.TestingT, b backend.Backend) {
	w.b, w.m = b, txn.New(b, txn.Config{
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	w.run = w.newRun(t, "the-run", codec.Active)
}

// newRun begins a run as package db does.
func (w *world) newRun(t require.TestingT, name string, status codec.Status) *backend.Scope {
	ctx := context.Background()
	number, err := w.b.AllocateScope(ctx)
	require.NoError(t, err)
	run := &backend.Scope{Number: number, Record: name}
	data, err := codec.AppendScopeRecord(nil, codec.ScopeRecord{
		ID: [16]byte{1}, Number: number, Status: status,
	})
	require.NoError(t, err)
	system := &backend.Scope{Number: codec.SystemScope}
	_, err = w.m.Update(ctx, system, txn.Options{}, func(tx *txn.Tx) error {
		tx.CreateScope(run)
		_, err := tx.Scope(system).Put(ctx, codec.ScopeRecords, run.Record, data, 0)
		return err
	})
	require.NoError(t, err)
	return run
}

func (w *world) cells() Cells            { return NewWithGuards(w.m.Scope(w.run), w.guards) }
func (w *world) cell(name string) Cell   { return w.cells().Cell(name) }
func (w *world) inside(tx *txn.Tx) Cells { return NewWithGuards(tx.Scope(w.run), w.guards) }

// update runs fn in a transaction.
func (w *world) update(fn func(Cells) error) (uint64, error) {
	return w.m.Update(context.Background(), w.run, txn.Options{}, func(tx *txn.Tx) error {
		return fn(w.inside(tx))
	})
}

// view runs fn in a view.
func (w *world) view(fn func(Cells) error) error {
	return w.m.View(context.Background(), func(v *txn.View) error {
		return fn(NewWithGuards(v.Scope(w.run), w.guards))
	})
}

// form is a way to reach a cell: directly, or in a transaction of its own that is then committed.
type form struct {
	name string
	on   func(w *world, fn func(Cells) error) error
}

// forms run a test of one operation directly and inside a transaction.
var forms = []form{
	{"direct", func(w *world, fn func(Cells) error) error { return fn(w.cells()) }},
	{"transaction", func(w *world, fn func(Cells) error) error {
		_, err := w.update(fn)
		return err
	}},
}

// must returns the version of a write that has to succeed.
func must(t require.TestingT) func(version uint64, err error) uint64 {
	return func(version uint64, err error) uint64 {
		require.NoError(t, err)
		return version
	}
}

// shows requires the cell's value and version.
func shows(t require.TestingT, c Cell, value codec.Value, version uint64) {
	s, err := c.Get(context.Background())
	require.NoError(t, err)
	require.Equal(t, State{Value: value, Version: version, Exists: true}, s)
}

// plus adds to an Int.
func plus(n int64) func(codec.Value) (codec.Value, error) {
	return func(v codec.Value) (codec.Value, error) {
		i, err := v.AsInt()
		return codec.Int(i + n), err
	}
}

func set(v codec.Value) func(codec.Value) (codec.Value, error) {
	return func(codec.Value) (codec.Value, error) { return v, nil }
}
