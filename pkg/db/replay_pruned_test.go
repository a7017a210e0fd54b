package inmem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// semantics 6.2: where retention has cut, a replay answers ErrPruned, or begins with the earliest
// state on request; folded, it leads to the same state.
func TestR214ReplayOfPrunedHistory(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		tale(t, w.run)
		for i := range 20 {
			w.put(fmt.Sprint(i%5), fmt.Sprint(i))
		}
		horizon := w.Version() - 6
		w.prune(horizon)
		for _, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{}) {
			require.ErrorIs(t, err, inmem.ErrPruned)
		}
		_, err := w.run.At(w.ctx(), horizon-1)
		require.ErrorIs(t, err, inmem.ErrPruned)
		require.Len(t, recounted(t, w.run, inmem.ReplayOptions{From: horizon + 1,
			Values: inmem.OldAndNewValues}), 6)
		state := folded{}
		n := 0
		for c, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{FromEarliest: true}) {
			require.NoError(t, err)
			require.Equal(t, n == 0, c.State)
			c.Changes = append([]inmem.Change{}, c.Changes...)
			for i := range c.Changes {
				x := &c.Changes[i]
				k := foldedKey{x.Primitive, x.Key}
				if x.Primitive == inmem.PrimitiveEvents {
					k.key = fmt.Sprintf("%012x", x.Seq)
				} else if x.Primitive == inmem.PrimitiveExtensions {
					k.key = string(codec.Tuple(nil).AppendString(x.Extension)) + x.Key
				}
				state[k] = foldedItem{value: string(storedForm(t, x)), expires: x.Expires()}
			}
			n++
		}
		require.Equal(t, 7, n)
		want, err := w.run.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.Equal(t, want, state.hash(w.clock.now()))
		var failed error
		past := 0
		for _, err := range w.run.KV().History(w.ctx(), "1") {
			failed = err
			past++
		}
		require.ErrorIs(t, failed, inmem.ErrPruned)
		require.LessOrEqual(t, past, 4)
	})
}

// prune removes the history of the run below a version.
func (w *world) prune(horizon uint64) {
	w.t.Helper()
	system := &backend.Scope{Number: codec.SystemScope}
	r, err := w.b.Get(w.ctx(), system, codec.ScopeRecords, w.run.ID(), w.Version())
	require.NoError(w.t, err)
	rec, err := codec.DecodeScopeRecord(r.Value)
	require.NoError(w.t, err)
	var upTo backend.Horizons
	for _, p := range backend.Prunable() {
		upTo = append(upTo, backend.Horizon{Primitive: p, Version: horizon})
	}
	scope := &backend.Scope{Number: rec.Number, Record: w.run.ID()}
	report, err := w.b.Prune(w.ctx(), scope, backend.PruneOptions{Upto: upTo})
	require.NoError(w.t, err)
	if report.After.Newest() != horizon {
		require.NoError(w.t, errors.New("it was held back"), "%+v", report)
	}
}
