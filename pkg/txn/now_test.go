package txn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A transaction and a view stand still in time, a direct scope does not.
func TestNow(t *testing.T) {
	w := newWorld(t, Config{})
	direct := w.Scope(w.scope)
	start := w.clock.Load()
	_, inside := w.begin(Options{})
	err := w.View(t.Context(), func(v *View) error {
		w.clock.Add(int64(time.Hour))
		require.Equal(t, start, v.Scope(w.scope).Now())
		require.Equal(t, start, inside.Now())
		require.Equal(t, start+int64(time.Hour), direct.Now())
		w.clock.Add(-2 * int64(time.Hour))
		require.Equal(t, start+int64(time.Hour), direct.Now(), "it never goes back")
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, Scope{}.Now())
}
