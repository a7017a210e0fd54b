package embedded

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// toldUntil is which commits a walk of a journal told, and the error that ended it.
func toldUntil(db *DB, s *backend.Scope, r backend.JournalRange) (versions []uint64, err error) {
	for e, err := range db.Journal(ctx, s, r) {
		if err != nil {
			return versions, err
		}
		for i := range e.Changes {
			c := &e.Changes[i]
			if r.Values != backend.NoValues && string(c.Value) != fmt.Sprint(e.Number, c.Key) {
				return versions, fmt.Errorf("version %d: %s holds %q", e.Version, c.Key, c.Value)
			}
		}
		versions = append(versions, e.Version)
	}
	return versions, nil
}

// R214: where the history of one primitive is pruned and that of another is whole, a walk with
// values tells all commits before the first whose values are gone, wherever in a page that is, and
// ends with PrunedError; a walk that asks for nothing of what is pruned tells everything.
func TestR214JournalTellsWhatLiesBeforeWhatIsPruned(t *testing.T) {
	const commits, each = 1200, 3
	for _, first := range []int{1, 2, firstPage / each, 500, shortRun/each + 50, commits - 2} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			db := mustOpen(t, pruningOptions())
			s := newScope(t, db, 1)
			var versions []uint64
			for n := range commits {
				p := codec.Cells
				if n+1 >= first {
					p = codec.KV
				}
				var writes []backend.Write
				for i := range each {
					key := fmt.Sprintf("%04d", (n*each+i)*37%500)
					writes = append(writes, backend.Write{Scope: s, Primitive: p, Key: key,
						Op: backend.Put, Value: []byte(fmt.Sprint(n+1, key))})
				}
				versions = append(versions, commit(t, db, writes...))
			}
			horizon := versions[commits-2]
			_, err := db.Prune(ctx, s, backend.PruneOptions{
				Upto: backend.Horizons{{Primitive: codec.KV, Version: horizon}},
			})
			require.NoError(t, err)
			r := backend.JournalRange{At: db.Published()}
			got, err := toldUntil(db, s, r)
			require.NoError(t, err)
			require.Equal(t, versions, got)
			r.Only = []backend.KeySpace{{Primitive: codec.Cells}}
			r.Values = backend.NewValues
			got, err = toldUntil(db, s, r)
			require.NoError(t, err)
			require.Equal(t, versions, got)
			r.Only = nil
			for _, r.Values = range []backend.JournalValues{
				backend.NewValues, backend.OldAndNewValues,
			} {
				for _, r.From = range []uint64{0, uint64(max(1, first-1)), uint64(first)} {
					from := max(1, int(r.From)) - 1
					got, err = toldUntil(db, s, r)
					var pruned *backend.PrunedError
					require.ErrorAs(t, err, &pruned)
					require.Equal(t, horizon, pruned.Earliest)
					require.Less(t, pruned.Version, horizon)
					require.Equal(t, versions[from:first-1], append([]uint64{}, got...))
				}
			}
		})
	}
}
