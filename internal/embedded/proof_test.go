package embedded

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The proof catches up on a database that has become idle: what was synced long ago cannot be a
// torn tail (keeper.go: proofInterval is how far it may lag behind).
func TestDamageProofOfAnIdleDatabase(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		o := memOptions()
		o.Mode, o.SweepInterval = mode, -1
		db := mustOpen(t, o)
		s := newScope(t, db, 1)
		version := commit(t, db, put(s, "a", "b"))
		require.Eventually(t, func() bool { return db.keeper.proven.Load() >= version },
			2*proofInterval, 50*time.Millisecond)
	}
}
