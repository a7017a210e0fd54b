package alloctest

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// spy is a test that goes on after it has failed.
type spy struct {
	testing.TB
	failed bool
}

func (s *spy) Helper() {}

func (s *spy) Fatalf(string, ...any) { s.failed = true }

func TestWithin(t *testing.T) {
	var kept []byte
	s, calls := &spy{TB: t}, 0
	Within(s, 1<<20, func() { calls++; kept = make([]byte, 8<<20) })
	require.True(t, s.failed)
	require.Equal(t, attempts, calls)

	s = &spy{TB: t}
	Within(s, 1<<20, func() { kept = make([]byte, 1<<10) })
	require.False(t, s.failed)

	// What happens once only is not the input's fault.
	calls = 0
	Within(s, 1<<20, func() {
		if calls++; calls == 1 {
			kept = make([]byte, 8<<20)
		}
	})
	require.False(t, s.failed)
	require.Equal(t, 2, calls)
	runtime.KeepAlive(kept)
}
