package vecindex

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	randv2 "math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// reopenModel stands for a restart of a world over the model.
func (w *world) reopenModel() {
	w.Helper()
	require.NoError(w, w.m.Close())
	w.open(w.b.(*model.Backend).Reopen())
}

// filed is a world with one collection that has a file.
func filed(t testing.TB) (*world, *backend.Scope) { return filedIn(t, newModel()) }

func filedIn(t testing.TB, b backend.Backend) (*world, *backend.Scope) {
	w := newWorld(t, b)
	w.kind, w.least = vector.KindGraph, 1
	w.open(w.b)
	s := w.scope()
	w.commit(backend.Write{Scope: s, Primitive: codec.Vectors, Key: codec.VectorCollectionKey(docs),
		Op: backend.Put, Value: []byte{0xf6}})
	w.incarnation = w.b.Published()
	r := rand.New(rand.NewSource(7))
	w.fill(r, s, 300)
	w.search(s, w.b.Published(), someQuery)
	w.fill(r, s, 50)
	w.search(s, w.b.Published(), someQuery)
	require.NoError(t, w.m.Settle(w.ctx))
	return w, s
}

var someQuery = Query{Vector: []float32{0, 1, 0, 1}, K: 5}

func (w *world) files() []string {
	w.Helper()
	names, err := w.b.ListDerived()
	require.NoError(w, err)
	return names
}

func again(s *backend.Scope) *backend.Scope {
	return &backend.Scope{Number: s.Number, Record: s.Record}
}

// A restart finds the graph in its file, and goes on from there.
func TestFileBringsGraphBack(t *testing.T) {
	w, s := filed(t)
	old := w.b.Published()
	before := w.m.Stats(w.collection(s))
	want := w.search(s, old, someQuery).Hits
	require.Len(t, w.files(), 1, "the worker wrote it")
	w.reopenModel()
	s = again(s)
	w.commit(w.put(s, "new", codec.Null(), 0, 1, 0, 1))
	got := w.search(s, old, someQuery)
	after := w.m.Stats(w.collection(s))
	require.Equal(t, before.Base, after.Base)
	require.Equal(t, before.Rows+1, after.Rows)
	require.Equal(t, want, got.Hits)
	require.LessOrEqual(t, got.Plan.Tail, 1)
	require.Equal(t, "new", w.check(s, w.b.Published(), someQuery).Hits[0].ID)
	for at := before.Base; at <= w.b.Published(); at++ {
		w.check(s, at, Query{Vector: []float32{1, 1, 1, 1}, K: 400}) // dead rows are fetched
	}
}

// A Close that comes while the worker writes a file ends that, and writes the file itself.
func TestCloseBesideSave(t *testing.T) {
	w := newWorld(t, newModel())
	w.kind, w.least = vector.KindGraph, 1
	w.open(w.b)
	s := w.scope()
	w.fill(rand.New(rand.NewSource(7)), s, 300)
	w.m.mu.Lock()
	w.m.working = make(chan struct{}) // the worker of this test
	w.m.mu.Unlock()
	w.search(s, w.b.Published(), someQuery)
	c := w.collection(s)
	x := w.m.indexes[indexKey{scope: s.Number, prefix: c.Prefix, incarnation: c.Incarnation}]
	for x.content.Load().tail() > 0 {
		require.NoError(t, x.work(w.ctx))
	}
	require.True(t, x.unsaved(5))
	closing, cancel := context.WithCancel(w.ctx)
	cancel()
	require.NoError(t, x.work(closing))
	require.Empty(t, w.files())
	close(w.m.working)
	w.commit(backend.Write{Scope: s, Primitive: codec.Vectors, Key: codec.VectorCollectionKey(docs),
		Op: backend.Put, Value: []byte{0xf6}})
	x.key.incarnation = w.b.Published() // the file of a collection that there is
	require.NoError(t, w.m.Close())
	require.Len(t, w.files(), 1)
}

// A fork of a version before the file hides what it wrote in all slots of the file.
func TestForkOverFile(t *testing.T) {
	w, s := filed(t)
	at := w.m.Stats(w.collection(s)).Base
	w.reopenModel()
	s = again(s)
	w.check(s, w.b.Published(), someQuery)
	child := w.fork(s, at)
	r := rand.New(rand.NewSource(10))
	w.fill(r, child, 30)
	w.commit(w.del(child, "row000002"), w.del(child, "row000035"))
	require.Equal(t, 2, w.check(child, w.b.Published(),
		Query{Vector: someQuery.Vector, K: 300}).Plan.Layers)
	require.Zero(t, w.m.Stats(w.collection(s)).Frozen)
}

// A file whose header and length are right, and whose rows are not those of the store.
func TestForgedFile(t *testing.T) {
	for name, forge := range map[string]func(rows vector.Index, version uint64) error{
		"a dead row": func(rows vector.Index, version uint64) error {
			return rows.Kill(349, version)
		},
		"a row that is not there": func(rows vector.Index, version uint64) error {
			_, err := rows.Add("ghost", make([]float32, dim), version)
			return err
		},
		"a row of another version": func(rows vector.Index, version uint64) error {
			_, err := rows.Add(rows.ID(349), make([]float32, dim), version-1)
			return errors.Join(err, rows.Kill(349, version-1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, s := filed(t)
			x, err := w.m.index(indexKey{scope: s.Number, prefix: w.collection(s).Prefix,
				incarnation: w.incarnation}, nil, s, 0)
			require.NoError(t, err)
			require.NoError(t, forge(x.content.Load().rows.Load(), w.b.Published()))
			require.NoError(t, x.save(w.ctx))
			c, err := x.restore(w.ctx, w.b.Published())
			for done := false; err == nil && !done; {
				done, err = c.proveSome(w.ctx, &c.proof)
			}
			require.ErrorIs(t, err, errStale)
			w.open(w.b)
			w.check(s, w.b.Published(), Query{Vector: make([]float32, dim), K: 400})
		})
	}
}

// unproven is the index of a collection that was just read from its file. The test is the worker.
func (w *world) unproven(s *backend.Scope) *index {
	w.Helper()
	w.m.mu.Lock()
	w.m.working = make(chan struct{})
	w.m.mu.Unlock()
	w.Cleanup(func() {
		w.m.mu.Lock()
		defer w.m.mu.Unlock()
		w.m.working = nil
	})
	w.check(s, w.b.Published(), someQuery)
	x, err := w.m.index(indexKey{scope: s.Number, prefix: w.collection(s).Prefix,
		incarnation: w.incarnation}, nil, s, 0)
	require.NoError(w, err)
	require.NotNil(w, x.unproven.Load())
	return x
}

// Before a file was held against the rows, no search returns a row that is not there, and all find
// what was written since; then its vectors are in memory. A file that misses a row, which nobody
// writes, is found out behind the searches, and removed.
func TestProof(t *testing.T) {
	w, s := filed(t)
	k := indexKey{scope: s.Number, prefix: w.collection(s).Prefix, incarnation: w.incarnation}
	reopened := func() *index {
		w.reopenModel()
		s = again(s)
		x := w.unproven(s)
		c := x.content.Load()
		c.proof = proof{at: c.version.Load(), after: k.prefix} // what dies after that is right
		w.commit(w.put(s, "new", codec.Null(), 0, 1, 0, 1), w.random(rand.New(rand.NewSource(1)), s,
			"row000004"), w.del(s, "row000005"))
		require.NotNil(t, x.unproven.Load())
		require.False(t, x.unsaved(1))
		for at := x.content.Load().base; at <= w.b.Published(); at++ {
			w.check(s, at, Query{Vector: make([]float32, dim), K: 400})
		}
		return x
	}
	x := reopened()
	has, err := x.hasWork(), x.work(w.ctx)
	close(w.m.working)
	w.m.working = nil
	require.True(t, has)
	require.NoError(t, err)
	require.Nil(t, x.unproven.Load())
	require.NotNil(t, x.content.Load())
	w.check(s, w.b.Published(), Query{Vector: make([]float32, dim), K: 400})

	rows := x.content.Load().rows.Load()
	slot, ok := rows.Find("row000007")
	require.True(t, ok)
	born, _ := rows.Life(slot)
	fresh, _, err := rows.Rebuild(w.ctx, 0)
	require.NoError(t, err)
	require.NoError(t, fresh.Kill(slot, born)) // as if it had never been
	x.content.Load().rows.Store(&rowIndex{fresh})
	require.NoError(t, x.save(w.ctx))
	w.open(w.b) // nobody has closed: the file stays
	require.Len(t, w.files(), 1)
	w.search(s, w.b.Published(), someQuery)
	require.NoError(t, w.m.Settle(w.ctx))
	w.check(s, w.b.Published(), Query{Vector: make([]float32, dim), K: 400})
}

// Whatever is wrong with a file, the rows decide.
func TestFileThatDoesNotFit(t *testing.T) {
	w, s := filed(t)
	require.NoError(t, w.m.Close())
	name := w.files()[0]
	f, err := w.b.OpenDerived(name)
	require.NoError(t, err)
	whole, err := io.ReadAll(f)
	require.NoError(t, err)
	r := rand.New(rand.NewSource(8))
	for i := range 60 {
		bad := bytes.Clone(whole)
		if i%3 == 0 {
			bad = bad[:r.Intn(len(bad))]
		} else {
			bad[r.Intn(len(bad)/(1+i%2*20))] ^= 1 << r.Intn(8)
		}
		require.NoError(t, w.b.WriteDerived(w.ctx, name, bytes.NewReader(bad)))
		w.open(w.b)
		w.check(s, w.b.Published(), someQuery)
		require.NotEqual(t, 350, w.m.Stats(w.collection(s)).Rows, "a damaged file was believed")
		require.NoError(t, w.m.Close())
	}
	// Another past: the file says what never happened.
	require.NoError(t, w.b.WriteDerived(w.ctx, name, bytes.NewReader(whole)))
	w.open(w.b)
	h, err := readHeader(bytes.NewReader(whole))
	require.NoError(t, err)
	head, err := h.encode()
	require.NoError(t, err)
	for _, change := range []func(*fileHeader){
		func(h *fileHeader) { h.Commits-- }, func(h *fileHeader) { h.Version++ },
		func(h *fileHeader) { h.Time++ },
		func(h *fileHeader) { h.Live++ }, func(h *fileHeader) { h.Record = "x" },
		func(h *fileHeader) { h.Incarnation++ }, func(h *fileHeader) { h.Version = 1 << 40 },
	} {
		other := h
		change(&other)
		b, err := other.encode()
		require.NoError(t, err)
		require.NoError(t, w.b.WriteDerived(w.ctx, name,
			bytes.NewReader(append(b, whole[len(head):]...))))
		x, err := w.m.index(indexKey{scope: s.Number, prefix: codec.VectorCollectionKey(docs),
			incarnation: w.incarnation}, &Collection{Config: w.collection(s).Config}, s, 0)
		require.NoError(t, err)
		_, err = x.restore(w.ctx, w.b.Published())
		require.Error(t, err)
	}
}

func TestFilesOfWhatIsGoneAreRemoved(t *testing.T) {
	w, s := filed(t)
	w.commit(w.put(s, "x", codec.Null(), 1, 2, 3, 4))
	w.reopenModel()
	require.Len(t, w.files(), 1)
	s = again(s)
	w.drop(s)
	w.reopenModel()
	require.Empty(t, w.files())

	w, s = filed(t)
	w.commit(backend.Write{Scope: s, Primitive: codec.Vectors, Op: backend.Delete,
		Key: codec.VectorCollectionKey(docs)})
	w.reopenModel()
	require.Empty(t, w.files())
}

// A crash at any operation of the disk: what searches find is what the rows say.
func TestCrashes(t *testing.T) {
	disk := disktest.New()
	r := rand.New(rand.NewSource(9))
	open := func(fs vfs.FS) (*embedded.DB, error) {
		return embedded.Open(context.Background(), embedded.Options{Dir: "db", FS: fs,
			Clock: backendtest.NewClock().Now, SweepInterval: -1, WriteBuffer: 64 << 10,
			CacheSize: 1 << 20})
	}
	db, err := open(disk)
	require.NoError(t, err)
	w := newWorld(t, db)
	w.kind, w.least = vector.KindGraph, 1
	w.open(db)
	s := w.scope()
	w.fill(r, s, 40)
	for round := range 12 {
		w.check(s, w.b.Published(), someQuery)
		require.NoError(t, w.m.Settle(w.ctx))
		for range 5 {
			w.fill(r, s, 8)
			w.commit(w.del(s, "row000003"))
			w.check(s, w.b.Published(), someQuery)
		}
		if round%2 == 0 {
			require.NoError(t, w.m.Settle(w.ctx))
		}
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50,
			RNG: randv2.New(randv2.NewPCG(r.Uint64(), 1))})
		require.NoError(t, w.m.Close())
		require.NoError(t, db.Close())
		disk = clone
		db, err = open(disk)
		require.NoError(t, err)
		w.open(db)
		s = again(s)
		for _, at := range []uint64{w.b.Published(), w.b.Published() - 3} {
			w.check(s, at, Query{Vector: []float32{1, 1, 0, 1}, K: 100})
		}
	}
	require.NoError(t, w.m.Close())
	require.NoError(t, db.Close())
}
