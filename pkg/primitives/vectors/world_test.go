package vectors

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// world is a run with a clock that stands still.
type world struct {
	m   *txn.Manager
	b   backend.Backend
	run *backend.Scope
	ids byte // of the runs that were begun
}

const epoch = 1_700_000_000_000_000_000

func standing() time.Time { return time.Unix(0, epoch) }

func onModel(ctx context.Context, t require.TestingT, cfg txn.Config) *world {
	return newWorld(ctx, t, model.New(standing), cfg)
}

func onEngine(t testing.TB, cfg txn.Config) *world {
	db, err := embedded.Open(t.Context(), embedded.Options{Mode: embedded.None, Clock: standing})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return newWorld(t.Context(), t, db, cfg)
}

// onBoth runs a test on the dumb authority and on the real one.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("model", func(t *testing.T) { test(t, onModel(t.Context(), t, txn.Config{})) })
	t.Run("engine", func(t *testing.T) { test(t, onEngine(t, txn.Config{})) })
}

// newWorld begins a run as package db does.
func newWorld(ctx context.Context, t require.TestingT, b backend.Backend, cfg txn.Config) *world {
	w := &world{b: b, m: txn.New(b, cfg)}
	w.run = w.begin(ctx, t, nil, 0)
	return w
}

// system is a new handle each time: the authority that sees a handle keeps what it knows in it.
func system() *backend.Scope { return &backend.Scope{Number: codec.SystemScope} }

// begin begins a run, or forks one from a parent at a version.
func (w *world) begin(ctx context.Context, t require.TestingT, parent *backend.Scope, at uint64,
) *backend.Scope {
	number, err := w.b.AllocateScope(ctx)
	require.NoError(t, err)
	w.ids++
	id := [16]byte{w.ids}
	record := codec.ScopeRecord{ID: id, Number: number, Status: codec.Active}
	if parent != nil {
		record.Parent, record.ParentNumber = idOf(parent), parent.Number
		record.ForkVersion = at
	}
	run := &backend.Scope{Number: number, Record: nameOf(id)}
	w.put(ctx, t, run, record)
	return run
}

// nameOf is the key of a run's record: forks look for their parent under its id.
func nameOf(id [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func idOf(s *backend.Scope) (id [16]byte) {
	_, _ = fmt.Sscanf(s.Record, "%02x", &id[0])
	return id
}

func (w *world) put(ctx context.Context, t require.TestingT, run *backend.Scope,
	record codec.ScopeRecord,
) {
	data, err := codec.AppendScopeRecord(nil, record)
	require.NoError(t, err)
	_, err = w.m.Update(ctx, system(), txn.Options{}, func(tx *txn.Tx) error {
		if record.Status == codec.Active {
			tx.CreateScope(run)
		}
		_, err := tx.Scope(system()).Put(ctx, codec.ScopeRecords, run.Record, data, 0)
		return err
	})
	require.NoError(t, err)
}

// end ends the run.
func (w *world) end(t *testing.T) {
	w.put(t.Context(), t, w.run, codec.ScopeRecord{
		ID: idOf(w.run), Number: w.run.Number, Status: codec.Completed,
	})
}

func (w *world) scope() txn.Scope { return w.m.Scope(w.run) }

func (w *world) in(name string) Collection { return New(w.scope()).Collection(name) }

// create makes a collection of two dimensions.
func (w *world) create(t require.TestingT, name string, m vector.Metric) Collection {
	c := w.in(name)
	_, err := c.Create(context.Background(), CollectionOptions{Dim: 2, Metric: m})
	require.NoError(t, err)
	return c
}

// counting is a world whose commits are counted.
type counting struct {
	backend.Backend
	commits atomic.Int64
}

func (c *counting) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	c.commits.Add(1)
	return c.Backend.Commit(ctx, r)
}

func mustUpsert(t require.TestingT, c Collection, id string, v ...float32) {
	_, err := c.Upsert(context.Background(), id, v, codec.Null())
	require.NoError(t, err)
}

// metadata makes a Map.
func metadata(t require.TestingT, entries map[string]any) codec.Value {
	v, err := codec.ValueOf(entries)
	require.NoError(t, err)
	return v
}

// find searches, and shows the ids of the hits.
func find(t require.TestingT, c Collection, k int, v ...float32) []string {
	r, err := c.Search(context.Background(), SearchOptions{Vector: v, K: k})
	require.NoError(t, err)
	return idsOf(r.Hits)
}

func idsOf(hits []Hit) []string {
	ids := make([]string, 0, len(hits))
	for _, h := range hits {
		ids = append(ids, h.ID)
	}
	return ids
}

func list(t require.TestingT, c Collection, o ScrollOptions) []string {
	ids := []string{}
	for id, err := range c.List(context.Background(), o) {
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

func names(t require.TestingT, s txn.Scope) []string {
	all := []string{}
	for name, err := range New(s).List(context.Background()) {
		require.NoError(t, err)
		all = append(all, name)
	}
	return all
}

// keysOf lists what is stored.
func keysOf(t require.TestingT, s txn.Scope) (keys []string) {
	c := s.Scan(context.Background(), codec.Vectors, txn.Range{})
	defer c.Close()
	for c.Next() {
		keys = append(keys, c.Key())
	}
	require.NoError(t, c.Err())
	return keys
}

// begin starts a transaction of the run, and shows a collection in it.
func (w *world) tx(t require.TestingT, o txn.Options, name string) (*txn.Tx, Collection) {
	tx, err := w.m.Begin(context.Background(), w.run, o)
	require.NoError(t, err)
	return tx, New(tx.Scope(w.run)).Collection(name)
}

// view is the collection as it was at a version; end ends the view.
func (w *world) view(t require.TestingT, run *backend.Scope, at uint64, name string,
) (c Collection, end func()) {
	v, err := w.m.ViewAt(context.Background(), run, at)
	require.NoError(t, err)
	return New(v.Scope(run)).Collection(name), func() { require.NoError(t, v.End()) }
}
