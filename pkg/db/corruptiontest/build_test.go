package corruptiontest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// files are the content of a directory, by path in it.
type files map[string][]byte

func (f files) names() []string { return slices.Sorted(maps.Keys(f)) }

func load(t testing.TB, dir string) files {
	t.Helper()
	all, err := tryLoad(dir)
	require.NoError(t, err)
	return all
}

func tryLoad(dir string) (files, error) {
	all := files{}
	return all, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[name], err = os.ReadFile(path)
		return err
	})
}

// loadLive reads the directory of an open database that is left alone, when what the store does in
// the background has come to rest.
func loadLive(t testing.TB, dir string) files {
	t.Helper()
	var before, now files
	require.Eventually(t, func() (rests bool) {
		all, err := tryLoad(dir)
		if err != nil {
			return false // a file went away meanwhile
		}
		before, now = now, all
		return before != nil && difference(digests(before), digests(now)) == ""
	}, time.Minute, 20*time.Millisecond)
	return now
}

func (f files) store(t testing.TB, dir string) {
	t.Helper()
	for _, name := range f.names() {
		put(t, dir, name, f[name])
	}
}

// put writes one file of a directory; nil removes it.
func put(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if data == nil {
		require.NoError(t, os.RemoveAll(path))
		return
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// scratch is a directory in memory where there is one: the tests open some thousand databases.
func scratch(t testing.TB) string {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "inmem-corruption-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// subject is what is damaged: the files, older copies of them, and what is in them.
type subject struct {
	name  string
	now   files
	older []files // of earlier lives and of the same one, the oldest first
	want  parts
	last  uint64
	clean bool // it was closed
	// cuts are what the database was at its newest versions: a torn log may end at one of them.
	cuts   map[uint64]parts
	proven uint64 // commits up to here are proven durable
	reader *reader
}

// builder makes a database with some of everything.
type builder struct {
	t      testing.TB
	ctx    context.Context
	rng    *rand.Rand
	root   string
	d      *inmem.DB
	reader *reader
	plan   string // the run that has all primitives
	writer string // a run that goes on
	rows   int    // of the collection of vectors
}

func options() *inmem.Options {
	return &inmem.Options{
		RetentionInterval: -1, MemoryBudget: 1 << 20, CacheSize: 1 << 20, SyncInterval: time.Hour,
		SyncCommits: 1 << 30,
	}
}

func (b *builder) dir(name string) string { return filepath.Join(b.root, name) }

func (b *builder) open() {
	b.t.Helper()
	d, err := inmem.Open(b.dir("db"), options())
	require.NoError(b.t, err)
	b.d = d
}

func (b *builder) noise(n int) inmem.Value {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(b.rng.Uint32())
	}
	return inmem.Bytes(data)
}

func (b *builder) begin(o inmem.RunOptions) *inmem.Run {
	b.t.Helper()
	r, err := b.d.BeginRun(b.ctx, o)
	require.NoError(b.t, err)
	return r
}

func (b *builder) run(id string) *inmem.Run {
	b.t.Helper()
	r, err := b.d.Run(b.ctx, id)
	require.NoError(b.t, err)
	return r
}

// step is one commit over several primitives.
func (b *builder) step(r *inmem.Run, i int) {
	b.t.Helper()
	_, err := r.Update(b.ctx, func(tx *inmem.Tx) error {
		key := fmt.Sprintf("key-%02d", i*7%31)
		_, err := tx.KV().Put(b.ctx, key, b.noise(50+i*13%400))
		if i%9 == 8 {
			_, err = tx.KV().Delete(b.ctx, key)
		}
		if err == nil && i%2 == 0 {
			_, err = tx.Events().Append(b.ctx, fmt.Sprint("type ", i%3), b.noise(40))
		}
		if err == nil && i%5 == 0 {
			_, err = tx.Cell("state").Store(b.ctx, inmem.Int(int64(i)))
		}
		return err
	})
	require.NoError(b.t, err)
}

// upsert writes rows of a collection that is large enough to have a file of its own.
func (b *builder) upsert(r *inmem.Run, name string, from, to int) {
	b.t.Helper()
	c := r.Vectors(name)
	require.NoError(b.t, c.Ensure(b.ctx, inmem.CollectionOptions{
		Dim: dim, Metric: inmem.L2, Kind: kindGraph, M: 4, EfConstruction: 8,
	}))
	var rows []inmem.VectorRow
	for i := from; i < to; i++ {
		vec := make([]float32, dim)
		for j := range vec {
			vec[j] = b.rng.Float32()
		}
		rows = append(rows, inmem.VectorRow{ID: fmt.Sprintf("row-%05d", i), Vector: vec})
	}
	for chunk := range slices.Chunk(rows, 1000) {
		_, err := c.UpsertMany(b.ctx, chunk)
		require.NoError(b.t, err)
	}
	_, err := c.Search(b.ctx, inmem.SearchOptions{Vector: rows[0].Vector, K: 1})
	require.NoError(b.t, err)
}

// firstLife makes runs of all kinds, and closes.
func (b *builder) firstLife() {
	t, ctx := b.t, b.ctx
	b.open()
	r := b.begin(inmem.RunOptions{Tenant: "acme", Agent: "planner", Tags: []string{"a", "b"}})
	b.plan = r.ID()
	_, err := r.Cell("light").Define(ctx, inmem.Machine{Initial: "red",
		Transitions: []inmem.Transition{{From: "red", Event: "go", To: "green"}}})
	require.NoError(t, err)
	_, err = r.Cell("light").Init(ctx, inmem.String("red"))
	require.NoError(t, err)
	_, err = r.Cell("state").Init(ctx, inmem.Int(0))
	require.NoError(t, err)
	for i := range 40 {
		b.step(r, i)
	}
	_, err = r.KV().PutWithTTL(ctx, "later", inmem.Int(1), 1e6*time.Hour)
	require.NoError(t, err)
	_, err = r.Extension("mine").Put(ctx, "x", inmem.Int(1))
	require.NoError(t, err)
	root, err := r.Traces().Start(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "root"})
	require.NoError(t, err)
	for range 5 {
		_, err = r.Traces().Record(ctx, inmem.Span{Type: inmem.SpanQuery, Name: "leaf",
			Parent: root, Tags: []string{"t"}, Start: time.Unix(1, 0), End: time.Unix(2, 0)})
		require.NoError(t, err)
	}
	b.upsert(r, "facts", 0, b.rows)
	fork, err := r.Fork(ctx, inmem.ForkOptions{At: b.d.Version() - 8, Tags: []string{"fork"}})
	require.NoError(t, err)
	_, err = fork.KV().Put(ctx, "own", inmem.Int(1))
	require.NoError(t, err)
	deep, err := fork.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	_, err = deep.KV().Put(ctx, "key-07", inmem.Int(2))
	require.NoError(t, err)
	done := b.begin(inmem.RunOptions{Agent: "done"})
	for i := range 5 {
		_, err = done.KV().Put(ctx, fmt.Sprint(i), b.noise(700))
		require.NoError(t, err)
	}
	require.NoError(t, done.End(ctx, inmem.Completed))
	gone := b.begin(inmem.RunOptions{})
	_, err = gone.KV().Put(ctx, "k", inmem.Int(1))
	require.NoError(t, err)
	require.NoError(t, b.d.DeleteRun(ctx, gone.ID()))
	s, err := b.d.Shared(ctx, inmem.Namespace{Tenant: "acme"})
	require.NoError(t, err)
	_, err = s.KV().Put(ctx, "common", inmem.Int(7))
	require.NoError(t, err)
	b.reader = &reader{shared: []inmem.Namespace{{Tenant: "acme"}}, at: []uint64{b.d.Version()}}
	b.checkpoint("first")
	require.NoError(t, b.d.Close())
}

func (b *builder) checkpoint(name string) uint64 {
	b.t.Helper()
	info, err := b.d.Checkpoint(b.ctx, b.dir(name))
	require.NoError(b.t, err)
	return info.Version
}

// secondLife goes on until there are tables at several levels and a log: it returns the database
// as a killed process leaves it, and what it was at its newest versions.
func (b *builder) secondLife(older []files) (killed *subject, second files) {
	t := b.t
	b.open()
	w := b.begin(inmem.RunOptions{Agent: "writer"})
	_, err := w.Cell("state").Init(b.ctx, inmem.Int(0))
	require.NoError(t, err)
	b.writer = w.ID()
	plan := b.run(b.plan)
	b.upsert(plan, "facts", b.rows/2, b.rows+b.rows/20)
	for i := range 3 {
		for j := range 20 {
			b.step(w, i*20+j)
			b.step(plan, i+j)
		}
		b.checkpoint(fmt.Sprint("second", i))
	}
	b.reader.at = append(b.reader.at, b.d.Version())
	require.NoError(t, b.d.Flush(b.ctx))
	older = append(older, loadLive(t, b.dir("db")))
	for j := range 20 {
		b.step(w, j)
	}
	b.checkpoint("last")
	second = load(t, b.dir("second2"))
	killed = &subject{name: "killed", cuts: map[uint64]parts{}, older: older, reader: b.reader}
	// The sentinel is the one of before the last commits: nothing proves them, however slowly they
	// are made.
	unproven := loadLive(t, b.dir("db"))["INMEM"]
	killed.cuts[b.d.Version()] = b.reader.mustRead(t, b.d)
	for j := range tailCommits {
		b.tail(w, j)
		require.NoError(t, b.d.Flush(b.ctx))
		killed.last = b.d.Version()
		killed.want = b.reader.mustRead(t, b.d)
		killed.cuts[killed.last] = killed.want
	}
	killed.now = loadLive(t, b.dir("db"))
	killed.now["INMEM"] = unproven
	killed.proven = sentinelNumber(t, unproven, "durable")
	return killed, second
}

const tailCommits = 8

// tail makes one of the last commits.
func (b *builder) tail(w *inmem.Run, j int) {
	b.t.Helper()
	switch j {
	case 2:
		b.begin(inmem.RunOptions{Agent: "late"})
	case 4:
		_, err := w.KV().Put(b.ctx, "big", b.noise(40<<10))
		require.NoError(b.t, err)
	case 6:
		require.NoError(b.t, b.run(b.plan).Record().AddTags(b.ctx, "late"))
	default:
		b.step(w, j)
	}
}

// build makes the subjects: closed, killed, and a checkpoint.
func build(t testing.TB, seed uint64, rows int) (closed, killed, copied *subject) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	b := &builder{t: t, ctx: t.Context(), rng: rng, root: scratch(t), rows: rows}
	b.firstLife()
	older := []files{load(t, b.dir("db"))}
	first := load(t, b.dir("first"))
	killed, second := b.secondLife(older)
	require.NoError(t, b.d.Close())
	closed = &subject{name: "closed", now: load(t, b.dir("db")), older: killed.older, clean: true,
		want: killed.want, last: killed.last, reader: b.reader}
	copied = &subject{name: "checkpoint", now: load(t, b.dir("last")), clean: true,
		older: []files{first, second}, reader: b.reader}
	d, err := inmem.Open(b.dir("last"), options())
	require.NoError(t, err)
	copied.last, copied.want = d.Version(), b.reader.mustRead(t, d)
	require.NoError(t, d.Close())
	return closed, killed, copied
}

// sentinelNumber reads a line of the file INMEM.
func sentinelNumber(t testing.TB, data []byte, name string) (n uint64) {
	t.Helper()
	_, rest, ok := strings.Cut(string(data), "\n"+name+" ")
	require.True(t, ok)
	_, err := fmt.Sscan(rest, &n)
	require.NoError(t, err)
	return n
}
