package machine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThisMachine(t *testing.T) {
	m := This(t.TempDir())
	require.NotEmpty(t, m.CPU)
	require.Positive(t, m.Cores)
	require.NotEmpty(t, m.Go)
	name, _ := filesystem("/no/such/directory")
	require.Empty(t, name)
}
