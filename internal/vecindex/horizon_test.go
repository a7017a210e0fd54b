package vecindex

import (
	"bytes"
	"io"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Vectors that stay in the rows are found although retention has removed the history in which they
// were written: a row that lives is as old as it likes.
func TestPrunedRowsAreFetched(t *testing.T) {
	onBothClocks(t, func(w *world, clock *backendtest.Clock) {
		w.budget = 1
		w.open(w.b)
		r := rand.New(rand.NewSource(1))
		s := w.scope()
		w.fill(r, s, 20)
		w.check(s, w.b.Published(), someQuery)
		require.True(w, w.isCompact(s))
		w.fill(r, s, 5)
		w.prune(s, clock)
		at := w.b.Published()
		w.commit(w.del(s, "row000001"), w.random(r, s, "row000002"))
		q := Query{Vector: someQuery.Vector, K: 40}
		w.check(s, w.b.Published(), q)
		w.check(s, at, q)
	})
}

// The same of vectors that wait for their file to be proven, and of the proof.
func TestPrunedRowsOfAFile(t *testing.T) {
	clock := backendtest.NewClock()
	w, s := filedIn(t, model.New(clock.Now))
	w.reopenModel()
	s = again(s)
	x := w.unproven(s)
	w.prune(s, clock)
	q := Query{Vector: someQuery.Vector, K: 400}
	w.check(s, w.b.Published(), q)
	require.NotNil(t, x.unproven.Load())
	w.fill(rand.New(rand.NewSource(3)), s, 1)
	w.prune(s, clock)
	require.Less(t, x.content.Load().version.Load(), w.b.Published())
	for x.hasWork() {
		require.NoError(t, x.work(w.ctx)) // nobody has searched since, so it has to pull
	}
	require.Nil(t, x.unproven.Load())
	require.NotNil(t, x.content.Load())
	w.check(s, w.b.Published(), q)
}

// Filters whose values are asked for after retention has passed the birth of rows that are seen.
func TestColumnsOfRowsBelowTheHorizon(t *testing.T) {
	onBothClocks(t, func(w *world, clock *backendtest.Clock) {
		r := rand.New(rand.NewSource(2))
		s, parent := w.scope(), w.scope()
		w.fill(r, s, 20)
		w.fill(r, parent, 5)
		child := w.fork(parent, w.b.Published())
		w.fill(r, child, 20)
		for _, scope := range []*backend.Scope{s, child} {
			w.check(scope, w.b.Published(), someQuery)
			w.fill(r, scope, 1)
			w.check(scope, w.b.Published(), someQuery)
			w.prune(scope, clock)
		}
		at := w.b.Published()
		w.commit(w.del(s, "row000004"), w.random(r, s, "row000002"),
			w.put(child, "new", codec.Null(), 1, 2, 3, 4))
		for _, scope := range []*backend.Scope{s, child} {
			for _, at := range []uint64{at, w.b.Published()} {
				w.check(scope, at, Query{Vector: someQuery.Vector, K: 60, Filter: vector.Lt("n", 9)})
			}
		}
	})
}

// A file of another database, or of another past of this one, in which the run had as many commits
// of the same versions: not even the first search believes it.
func TestFileOfAnotherPast(t *testing.T) {
	last := func(late time.Duration, id string, x float32) (*world, *backend.Scope) {
		clock := backendtest.NewClock()
		w, s := filedIn(t, model.New(clock.Now))
		clock.Advance(late)
		w.commit(w.put(s, id, codec.Null(), x, x, x, x))
		w.search(s, w.b.Published(), someQuery)
		require.NoError(t, w.m.Settle(w.ctx))
		k := indexKey{scope: s.Number, prefix: w.collection(s).Prefix, incarnation: w.incarnation}
		of, err := w.m.index(k, nil, s, 0)
		require.NoError(t, err)
		require.NoError(t, of.save(w.ctx))
		return w, s
	}
	theirs, _ := last(0, "theirs", -99)
	ours, s := last(1, "ours", 99)
	require.Equal(t, theirs.files(), ours.files())
	f, err := theirs.b.OpenDerived(theirs.files()[0])
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, ours.m.Close())
	require.NoError(t, ours.b.WriteDerived(ours.ctx, ours.files()[0], bytes.NewReader(text)))
	ours.open(ours.b)
	got := ours.check(s, ours.b.Published(), Query{Vector: []float32{99, 99, 99, 99}, K: 1})
	require.Equal(t, "ours", got.Hits[0].ID)
}
