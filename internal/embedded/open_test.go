package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

func TestReopenKeepsEverything(t *testing.T) { // R002, R005, R093
	for _, mode := range []Mode{Batched, Strict, Async} {
		t.Run(mode.String(), func(t *testing.T) {
			o := memOptions()
			o.Mode = mode
			db := mustOpen(t, o)
			require.True(t, db.Recovery().Created)
			s := newScope(t, db, 1)
			v1 := commit(t, db, put(s, "a", "one"), put(s, "b", "two"))
			v2 := commit(t, db, put(s, "a", "three"))
			require.Equal(t, "one", value(t, db, s, "a", v1))
			require.Equal(t, "three", value(t, db, s, "a", v2))
			require.NoError(t, db.Close())

			db = mustOpen(t, o)
			r := db.Recovery()
			require.True(t, r.Clean)
			require.Equal(t, v2, r.Last)
			require.Equal(t, v2, db.Published())
			require.Zero(t, r.BootEpoch)
			s = &backend.Scope{Number: s.Number, Record: s.Record}
			require.Equal(t, "one", value(t, db, s, "a", v1))
			require.Equal(t, "three", value(t, db, s, "a", v2))
			require.Equal(t, "two", value(t, db, s, "b", v2))
			require.Equal(t, "", value(t, db, s, "c", v2))
			v3 := commit(t, db, put(s, "c", "four"))
			require.Equal(t, v2+1, v3, "versions go on without a gap after a clean close")
			require.Equal(t, "four", value(t, db, s, "c", v3))
		})
	}
}
