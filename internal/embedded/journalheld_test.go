package embedded

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// heldEntry is an entry that somebody keeps, and what it said when it was told.
type heldEntry struct {
	entry backend.JournalEntry
	said  string
}

func sayEntry(e *backend.JournalEntry) string {
	var b bytes.Buffer
	for i := range e.Changes {
		c := &e.Changes[i]
		fmt.Fprintf(&b, "%d/%d %c %v %s %x %d\n", e.Version, e.Number, c.Primitive, c.Op, c.Key,
			c.Value, c.Expiry)
	}
	return b.String()
}

// What a journal has told stays as it was, however long it is held: behind other journals, the end
// of the scope and collections of garbage.
func TestToldEntriesStayValid(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	db := mustOpen(t, memOptions())
	a, b := newScope(t, db, 1), newScope(t, db, 2)
	for range 300 {
		commit(t, db, manyWrites(rng, a, 30)...)
		commit(t, db, manyWrites(rng, b, 3)...)
	}
	r := backend.JournalRange{At: db.Published(), Values: backend.NewValues}
	r.Values = backend.OldAndNewValues
	looked := told(t, db, a, r)
	r.Values = backend.NewValues
	require.Equal(t, looked, told(t, db, a, r))

	var held []heldEntry
	for _, s := range []*backend.Scope{a, b, a} {
		n := 0
		for e, err := range db.Journal(ctx, s, r) {
			require.NoError(t, err)
			held = append(held, heldEntry{e, sayEntry(&e)})
			if n++; n%100 == 0 {
				runtime.GC()
			}
		}
	}
	_, err := db.Commit(ctx, deletion(a))
	require.NoError(t, err)
	for range 3 {
		told(t, db, b, r)
		runtime.GC()
	}
	for i := range held {
		require.Equal(t, held[i].said, sayEntry(&held[i].entry))
	}
}

// A journal whose context ends while a page is told ends with it soon, and tells what is right
// until then; one that is left early does not disturb the next.
func TestJournalEndsInTheMiddleOfAPage(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	db := mustOpen(t, memOptions())
	s := newScope(t, db, 1)
	const commits = 500
	for range commits {
		commit(t, db, manyWrites(rng, s, 20)...)
	}
	r := backend.JournalRange{At: db.Published(), Values: backend.NewValues}
	var all []string
	for e, err := range db.Journal(ctx, s, r) {
		require.NoError(t, err)
		all = append(all, sayEntry(&e))
	}
	require.Len(t, all, commits)
	for _, end := range []int{1, firstPage, commits / 2, commits - 1} {
		until, cancel := context.WithCancel(ctx)
		n, left := 0, false
		for e, err := range db.Journal(until, s, r) {
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				left = true
				break
			}
			require.Equal(t, all[n], sayEntry(&e))
			if n++; n == end {
				cancel()
			}
		}
		cancel()
		require.LessOrEqual(t, n, end+firstPage)
		require.True(t, left || n == commits)
		n = 0
		for e, err := range db.Journal(ctx, s, r) {
			require.NoError(t, err)
			require.Equal(t, all[n], sayEntry(&e))
			if n++; n == end {
				break
			}
		}
	}
}
