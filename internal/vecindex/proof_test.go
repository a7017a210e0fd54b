package vecindex

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// forged writes a file as if rows were what a function makes of them, and opens the database again,
// with the test as the worker.
func (w *world) forged(
	s *backend.Scope, forge func(rows vector.Index) vector.Index,
) (*index, *backend.Scope) {
	w.Helper()
	rest := func() {
		w.m.mu.Lock()
		w.m.working = make(chan struct{})
		w.m.mu.Unlock()
	}
	require.NoError(w, w.m.Settle(w.ctx))
	rest()
	k := indexKey{scope: s.Number, prefix: w.collection(s).Prefix, incarnation: w.incarnation}
	x, err := w.m.index(k, nil, s, 0)
	require.NoError(w, err)
	x.content.Load().rows.Store(&rowIndex{forge(x.content.Load().rows.Load())})
	require.NoError(w, x.save(w.ctx))
	w.open(w.b) // nobody has closed: the file stays
	s = again(s)
	rest()
	w.Cleanup(func() { w.m.working = nil })
	x, err = w.m.index(k, &Collection{Config: w.collection(s).Config}, s, 0)
	require.NoError(w, err)
	return x, s
}

// Nobody has held the file against the rows yet: what a search ranks is, and a false file is
// dropped by the first search that meets it.
func TestUnprovenHits(t *testing.T) {
	all := Query{Vector: make([]float32, dim), K: 400}
	for name, forge := range map[string]func(w *world, s *backend.Scope, rows vector.Index){
		"a row that is not there": func(w *world, s *backend.Scope, rows vector.Index) {
			_, err := rows.Add("ghost", make([]float32, dim), w.b.Published()-1)
			require.NoError(w, err)
		},
		"a row that was deleted": func(w *world, s *backend.Scope, _ vector.Index) {
			w.commit(w.del(s, "row000007"))
		},
		"a row that was replaced": func(w *world, s *backend.Scope, _ vector.Index) {
			w.commit(w.put(s, "row000007", codec.Null(), 1, 2, 3, 4))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := filed(t)
			x, s := w.forged(s, func(rows vector.Index) vector.Index {
				fresh, _, err := rows.Rebuild(w.ctx, 0)
				require.NoError(t, err)
				forge(w, s, fresh)
				w.search(s, w.b.Published(), someQuery)
				return fresh
			})
			w.check(s, w.b.Published(), all)
			require.True(t, x.disbelieved.Load())
			require.Empty(t, w.files())
		})
	}
}

// A row that the file says is dead is not found by anybody who ranks, so the dead are looked up
// before anything is believed: all of them, or where they are many one in a few.
func TestFileThatSaysRowsAreGone(t *testing.T) {
	for _, dead := range []int{1, 2 * mostGone} {
		t.Run(fmt.Sprint(dead), func(t *testing.T) {
			w, s := filed(t)
			w.fill(rand.New(rand.NewSource(5)), s, dead)
			w.search(s, w.b.Published(), someQuery)
			x, _ := w.forged(s, func(rows vector.Index) vector.Index {
				for i := range dead {
					slot, ok := rows.Find(fmt.Sprintf("row%06d", i))
					require.True(t, ok)
					require.NoError(t, rows.Kill(slot, w.b.Published()))
				}
				return rows
			})
			_, err := x.restore(w.ctx, w.b.Published())
			require.ErrorIs(t, err, errStale)
		})
	}
}

// What the proof has to find in one file, each by itself: a row without a slot, a slot that died
// before, and one that nobody knows of. All of it in pieces, of which the last one tells.
func TestProofFindsWhatIsFalse(t *testing.T) {
	const rows = proofBatch + 100
	last := fmt.Sprintf("row%06d", rows-1)
	for name, forge := range map[string]func(t *testing.T, c *content){
		"right": nil,
		"a row without a slot": func(t *testing.T, c *content) {
			slot, _ := c.rows.Load().Find(last)
			fresh, moved, err := c.rows.Load().Rebuild(t.Context(), 0)
			require.NoError(t, err)
			require.NoError(t, fresh.Kill(moved[slot], 1))
			again, _, err := fresh.Rebuild(t.Context(), 1)
			require.NoError(t, err)
			_, err = again.Add("other", make([]float32, dim), c.version.Load())
			require.NoError(t, err) // so that there are as many
			c.rows.Store(&rowIndex{again})
		},
		"a row that is dead": func(t *testing.T, c *content) {
			slot, _ := c.rows.Load().Find(last)
			born, _ := c.rows.Load().Life(slot)
			c.mu.Lock()
			defer c.mu.Unlock()
			require.NoError(t, c.rows.Load().Kill(slot, c.version.Load()))
			c.dead[last] = append(c.dead[last], slot)
			_, err := c.rows.Load().Add("other", make([]float32, dim), born)
			require.NoError(t, err)
		},
		"a slot without a row": func(t *testing.T, c *content) {
			_, err := c.rows.Load().Add("other", make([]float32, dim), c.version.Load())
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := filed(t)
			w.fill(rand.New(rand.NewSource(5)), s, rows)
			w.search(s, w.b.Published(), someQuery)
			x, s := w.forged(s, func(rows vector.Index) vector.Index { return rows })
			w.search(s, w.b.Published(), someQuery)
			c := x.content.Load()
			require.True(t, c == x.unproven.Load())
			if forge != nil {
				forge(t, c)
			}
			require.NoError(t, x.work(w.ctx))
			require.True(t, c == x.unproven.Load(), "the first piece is not all")
			require.Equal(t, proofBatch-1, c.proof.found, "and the record of the collection")
			require.NoError(t, x.work(w.ctx))
			require.Nil(t, x.unproven.Load())
			if forge == nil {
				require.True(t, c == x.content.Load())
				return
			}
			require.Nil(t, x.content.Load())
			require.True(t, c.dropped.Load())
			require.Empty(t, w.files())
			w.check(s, w.b.Published(), someQuery)
		})
	}
}

// A search that is at work when its file is found to be false begins again.
func TestFalseFileBesideASearch(t *testing.T) {
	w, s := filed(t)
	x, s := w.forged(s, func(rows vector.Index) vector.Index { return rows })
	w.search(s, w.b.Published(), someQuery)
	c := x.content.Load()
	asked := 0
	q := Query{Vector: someQuery.Vector, K: 3, Hidden: func(string) bool {
		if asked++; asked == 1 {
			require.NoError(t, x.disown(context.Background(), c))
		}
		return false
	}}
	r := w.search(s, w.b.Published(), q)
	require.Len(t, r.Hits, 3)
	require.Equal(t, 6, asked)
	require.False(t, c == x.content.Load())
}

// brokenScans is a store of which no row can be read by a walk.
type brokenScans struct {
	backend.Backend
	err error
}

func (b *brokenScans) Scan(ctx context.Context, s *backend.Scope, p codec.Primitive,
	r backend.Range, at uint64,
) backend.Cursor {
	if b.err != nil {
		return failed{b.Backend.Scan(ctx, s, p, r, at), b.err}
	}
	return b.Backend.Scan(ctx, s, p, r, at)
}

type failed struct {
	backend.Cursor
	err error
}

func (failed) Next() bool   { return false }
func (f failed) Err() error { return f.err }

// A proof that cannot read proves nothing, and takes nothing back: searches go on as before it.
func TestProofThatCannotRead(t *testing.T) {
	for _, err := range []error{backend.ErrStorage, context.Canceled, io.ErrUnexpectedEOF} {
		w, s := filed(t)
		store := &brokenScans{Backend: w.b}
		w.b = store
		x, s := w.forged(s, func(rows vector.Index) vector.Index { return rows })
		w.search(s, w.b.Published(), someQuery)
		store.err = err
		require.ErrorIs(t, x.work(w.ctx), err)
		require.True(t, x.content.Load() == x.unproven.Load())
		require.Len(t, w.files(), 1)
		require.Len(t, w.search(s, w.b.Published(), someQuery).Hits, someQuery.K)
		store.err = nil
		w.check(s, w.b.Published(), Query{Vector: someQuery.Vector, K: 400})
		require.NoError(t, x.work(w.ctx))
		require.Nil(t, x.unproven.Load())
	}
}
