package runindex

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// memory is an authority that remembers every key that the index ever had: where one was and is no
// more, a tombstone lies.
type memory struct {
	backend.Backend
	keys   map[string]bool
	ranges []backend.Range // that were scanned
}

func (m *memory) Scan(ctx context.Context, s *backend.Scope, p codec.Primitive, r backend.Range,
	at uint64,
) backend.Cursor {
	if p == codec.RunIndex {
		m.ranges = append(m.ranges, r)
	}
	return m.Backend.Scan(ctx, s, p, r, at)
}

func (m *memory) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	for _, w := range r.Writes {
		if w.Primitive == codec.RunIndex && w.Op == backend.Put {
			m.keys[w.Key] = true
		}
	}
	return m.Backend.Commit(ctx, r)
}

// walked is how many keys and tombstones a query for the Active runs passes.
func (m *memory) walked(t *testing.T, w *world, q Query) (n int) {
	m.ranges = nil
	for _, err := range w.index().All(w.ctx, q) {
		require.NoError(t, err)
	}
	for _, r := range m.ranges {
		for key := range m.keys {
			if r.Contains(key) {
				n++
			}
		}
	}
	return n
}

// What has been Active once is no burden for ever: as many keys lie in the way of those that are
// now as there were runs since the last sweep or two, and in proportion to those that are Active.
func TestSweepsBoundTheTombstones(t *testing.T) {
	for _, c := range []struct{ active, size, bound int }{
		{active: 3, size: 32, bound: 30}, {active: 100, size: 32, bound: 200},
		{active: 3, size: 0, bound: -1}, // without sweeps, so that the test is known to notice
	} {
		w := newWorld(t)
		m := &memory{Backend: w.b, keys: map[string]bool{}}
		w.b, w.m = m, txn.New(m, txn.Config{})
		var active []*backend.Scope
		worst := 0
		for i := range 1500 {
			w.tick(time.Second)
			active = append(active, w.begin(NewRun{}))
			if len(active) > c.active {
				// One stays for ever, the others go in no particular order.
				j := 1 + i*7%(len(active)-1)
				require.NoError(t, w.record(active[j]).Complete(w.ctx))
				active = append(active[:j], active[j+1:]...)
			}
			if i%16 == 0 && c.size > 0 {
				require.NoError(t, w.sweepBy(c.size))
			}
			if i > 100 && i%10 == 0 {
				q := Query{Status: []codec.Status{codec.Active}, Reverse: i%20 == 0}
				worst = max(worst, m.walked(t, w, q))
			}
		}
		if c.bound < 0 {
			require.Greater(t, worst, 1000)
			continue
		}
		require.Less(t, worst, c.bound, "%d active", c.active)
		n, err := w.index().Count(w.ctx, Query{Status: []codec.Status{codec.Active}})
		require.NoError(t, err)
		require.Equal(t, c.active, n)
		report, err := w.index().Verify(w.ctx)
		require.NoError(t, err)
		require.True(t, report.Healthy())
	}
}

// A sweep and a change of the same time: whichever comes second is a conflict, so no entry is left
// where nobody looks.
func TestSweepConflicts(t *testing.T) {
	serializable := txn.Options{Isolation: txn.Serializable}
	for name, change := range map[string]func(*world, *txn.Tx, *backend.Scope) error{
		"create": func(w *world, tx *txn.Tx, _ *backend.Scope) error {
			number, err := w.b.AllocateScope(w.ctx)
			require.NoError(t, err)
			id := uuid.New()
			tx.CreateScope(&backend.Scope{Number: number, Record: id.String()})
			return Create(w.ctx, tx.Scope(system()), w.epoch, NewRun{ID: id, Number: number})
		},
		"complete": func(w *world, tx *txn.Tx, s *backend.Scope) error {
			return NewRecord(tx.Scope(system()), tx.Scope(s), w.epoch).Complete(w.ctx)
		},
		"pause": func(w *world, tx *txn.Tx, s *backend.Scope) error {
			return NewRecord(tx.Scope(system()), tx.Scope(s), w.epoch).Pause(w.ctx)
		},
	} {
		for _, size := range []int{1, 10} {
			for _, first := range []string{"sweep", "change"} {
				t.Run(fmt.Sprint(name, " ", size, " ", first), func(t *testing.T) {
					w := newWorld(t)
					s := w.begin(NewRun{})
					w.tick(time.Second)
					w.begin(NewRun{})
					sweeper, err := w.m.Begin(w.ctx, system(), serializable)
					require.NoError(t, err)
					changer, err := w.m.Begin(w.ctx, nil, txn.Options{})
					require.NoError(t, err)
					require.NoError(t, sweep(w.ctx, sweeper.Scope(system()), w.epoch, size))
					require.NoError(t, change(w, changer, s))
					one, two := sweeper, changer
					if first == "change" {
						one, two = changer, sweeper
					}
					_, err = one.Commit(w.ctx)
					require.NoError(t, err)
					_, err = two.Commit(w.ctx)
					if err != nil {
						require.ErrorIs(t, err, backend.ErrConflict)
					}
					report, err := w.index().Verify(w.ctx)
					require.NoError(t, err)
					require.True(t, report.Healthy(), "%+v", report)
				})
			}
		}
	}
}

// An epoch of which no Active run is left is forgotten, the present one never.
func TestSweepForgetsEpochs(t *testing.T) {
	w := newWorld(t)
	layout := func() *layout {
		l, err := readLayout(w.ctx, w.m.Scope(system()).Get)
		require.NoError(t, err)
		return l
	}
	first := w.begin(NewRun{})
	w.epoch = 2
	second := w.begin(NewRun{})
	w.epoch = 7
	require.NoError(t, w.record(w.begin(NewRun{})).Complete(w.ctx))
	require.Equal(t, []uint64{1, 2, 7}, layout().Epochs)
	require.NoError(t, w.sweep())
	require.Equal(t, []uint64{1, 2, 7}, layout().Epochs)
	require.NoError(t, w.record(first).Resume(w.ctx))
	require.NoError(t, w.sweep())
	require.Equal(t, []uint64{2, 7}, layout().Epochs)
	require.NoError(t, w.record(second).Pause(w.ctx))
	require.NoError(t, w.sweep())
	require.Equal(t, []uint64{7}, layout().Epochs)
	require.NoError(t, w.record(first).Cancel(w.ctx))
	require.NoError(t, w.sweep())
	require.Equal(t, []uint64{7}, layout().Epochs)
}

// Sweeps are due at about one run in sweepEvery.
func TestSweepDue(t *testing.T) {
	due := 0
	for range 40 * sweepEvery {
		id, err := uuid.NewV7()
		require.NoError(t, err)
		if SweepDue(&NewRun{ID: id, Number: sweepEvery + 1}) {
			due++
		}
		require.False(t, SweepDue(&NewRun{ID: id, Number: 7}))
	}
	require.InDelta(t, 40, due, 30)
}
