package inmem_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What names nothing is refused, and does not panic.
func TestNilArgumentsOfHistory(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		_, err := w.ExportRun(ctx, w.run.ID(), nil, inmem.ExportOptions{})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = w.ImportRun(ctx, nil, inmem.ImportOptions{})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = inmem.VerifyBundle(ctx, nil)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = w.Promote(ctx, nil, inmem.PromoteOptions{})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = w.Diff(ctx, inmem.Point{Run: w.run}, inmem.Point{}, inmem.DiffOptions{})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		for _, err := range w.DiffEntries(ctx, inmem.Point{}, inmem.Point{}, inmem.DiffOptions{}) {
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
	})
}

// Pins are known in memory, and refused all the same once the database is closed.
func TestPinsAfterClose(t *testing.T) {
	d, err := inmem.Open("", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	run, err := d.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Pin(t.Context(), "a", run, 0))
	require.NoError(t, d.Close())
	_, err = d.Pins(t.Context())
	require.ErrorIs(t, err, inmem.ErrClosed)
	require.ErrorIs(t, d.Unpin(t.Context(), "b"), inmem.ErrClosed)
	require.ErrorIs(t, d.Pin(t.Context(), "a", run, 0), inmem.ErrClosed)
}
