package invariants

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckOnlyBitesInCheckedBuilds(t *testing.T) {
	require.NotPanics(t, func() { Check(true, "holds") })
	for _, broken := range []func(){
		func() { Check(false, "found %d", 3) },
		func() { Failf("found %d", 3) },
	} {
		if Enabled {
			require.PanicsWithError(t, "invariant violated: found 3", broken)
		} else {
			require.NotPanics(t, broken)
		}
	}
}

func TestMangleOnlyBitesInCheckedBuilds(t *testing.T) {
	b := []byte("abc")
	Mangle(b)
	require.Equal(t, Enabled, string(b) != "abc")
}
