package inmem_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// victim is a database that has some of everything, on a file system of its own.
type victim struct {
	fs                  *vfs.MemFS
	run, fork, deep     string
	runScope, forkScope codec.Scope
	deepScope           codec.Scope
	forkVersion         uint64
}

func victimOptions(fs vfs.FS) embedded.Options {
	return embedded.Options{
		Dir: "db", FS: fs, Mode: embedded.Batched, SweepInterval: -1, WriteBuffer: 256 << 10,
		CacheSize: 4 << 20,
	}
}

// open opens the database over what lies there.
func (v *victim) open(t testing.TB) (*inmem.DB, *embedded.DB) {
	t.Helper()
	e, err := embedded.Open(context.Background(), victimOptions(v.fs))
	require.NoError(t, err)
	d, err := inmem.OpenOn(inmem.Hooks{Backend: e, Epoch: e.BootEpoch() + 1}, nil)
	require.NoError(t, err)
	return d, e
}

// others adds a shared namespace, and a run that is gone again.
func (v *victim) others(t testing.TB, d *inmem.DB) {
	t.Helper()
	ctx := t.Context()
	s, err := d.Shared(ctx, inmem.Namespace{Tenant: "acme"})
	require.NoError(t, err)
	_, err = s.KV().Put(ctx, "k", inmem.Int(1))
	require.NoError(t, err)
	gone, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	_, err = gone.KV().Put(ctx, "k", inmem.Int(1))
	require.NoError(t, err)
	require.NoError(t, d.DeleteRun(ctx, gone.ID()))
}

func newVictim(t testing.TB) *victim {
	t.Helper()
	ctx := t.Context()
	v := &victim{fs: vfs.NewMem()}
	d, e := v.open(t)
	run, err := d.BeginRun(ctx, inmem.RunOptions{Agent: "planner", Tags: []string{"a"}})
	require.NoError(t, err)
	_, err = run.Cell("light").Define(ctx, inmem.Machine{Initial: "red",
		Transitions: []inmem.Transition{{From: "red", Event: "go", To: "green"}}})
	require.NoError(t, err)
	_, err = run.Update(ctx, func(tx *inmem.Tx) error {
		for _, key := range []string{"a", "b", "c"} {
			if _, err := tx.KV().Put(ctx, key, inmem.String("first")); err != nil {
				return err
			}
		}
		if _, err := tx.KV().PutWithTTL(ctx, "soon", inmem.Int(1), 1000*time.Hour); err != nil {
			return err
		}
		if _, err := tx.Cell("light").Init(ctx, inmem.String("red")); err != nil {
			return err
		}
		_, err := tx.Extension("mine").Put(ctx, "x", inmem.Int(1))
		return err
	})
	require.NoError(t, err)
	for _, typ := range []string{"one", "two", "three", "four"} {
		_, err := run.Events().Append(ctx, typ, inmem.String(typ))
		require.NoError(t, err)
	}
	root, err := run.Traces().Start(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "root"})
	require.NoError(t, err)
	_, err = run.Traces().Start(ctx, inmem.Span{Type: inmem.SpanQuery, Name: "leaf", Parent: root})
	require.NoError(t, err)
	require.NoError(t, d.Flush(ctx)) // what comes next shares no keys with this
	fork, err := run.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	info, err := fork.Info(ctx)
	require.NoError(t, err)
	v.forkVersion = info.ForkVersion
	for _, r := range []*inmem.Run{run, fork} {
		_, err = r.KV().Put(ctx, "a", inmem.String("second"))
		require.NoError(t, err)
		_, err = r.KV().Delete(ctx, "b")
		require.NoError(t, err)
		_, err = r.Events().Append(ctx, "five", inmem.Null())
		require.NoError(t, err)
		err = r.Traces().End(ctx, root, inmem.SpanEnd{})
		require.NoError(t, err)
	}
	deep, err := fork.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	_, err = deep.KV().Put(ctx, "c", inmem.String("deep"))
	require.NoError(t, err)
	v.others(t, d)
	for range 3100 { // numbers up to here were given out, and plants may use them
		_, err := e.AllocateScope(ctx)
		require.NoError(t, err)
	}
	v.run, v.fork, v.deep = run.ID(), fork.ID(), deep.ID()
	require.NoError(t, d.Close())
	v.stored(t, func(s *stored) {
		v.runScope, v.forkScope, v.deepScope = s.number(v.run), s.number(v.fork), s.number(v.deep)
	})
	return v
}

// stored is the store below a database, without anything that knows what is in it.
type stored struct {
	t testing.TB
	p *pebble.DB
}

func (v *victim) stored(t testing.TB, fn func(*stored)) {
	t.Helper()
	storedIn(t, v.fs, "db", fn)
}

// storedIn calls fn with the store in a directory.
func storedIn(t testing.TB, vfsys vfs.FS, dir string, fn func(*stored)) {
	t.Helper()
	p, err := pebble.Open(dir, &pebble.Options{
		FS: vfsys, Comparer: &cockroachkvs.Comparer, KeySchema: cockroachkvs.KeySchema.Name,
		KeySchemas:              sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
		BlockPropertyCollectors: cockroachkvs.BlockPropertyCollectors,
		FormatMajorVersion:      pebble.FormatValueSeparation, Logger: quiet{},
	})
	require.NoError(t, err)
	fn(&stored{t, p})
	require.NoError(t, p.Close())
}

// quiet is a logger of Pebble's.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// versions are the engine keys of a user key, the newest first.
func (s *stored) versions(n codec.Scope, p codec.Primitive, user string) [][]byte {
	key, err := codec.AppendKey(nil, n, p, user)
	require.NoError(s.t, err)
	it, err := s.p.NewIter(nil)
	require.NoError(s.t, err)
	var keys [][]byte
	for ok := it.SeekPrefixGE(key); ok; ok = it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	require.NoError(s.t, it.Close())
	return keys
}

// first are the engine keys of a primitive.
func (s *stored) all(n codec.Scope, p codec.Primitive) [][]byte {
	it, err := s.p.NewIter(&pebble.IterOptions{
		LowerBound: append(codec.KeyPrefix(nil, n, p), 0),
		UpperBound: codec.AppendRangeEnd(nil, n, p, ""),
	})
	require.NoError(s.t, err)
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	require.NoError(s.t, it.Close())
	require.NotEmpty(s.t, keys)
	return keys
}

func (s *stored) get(key []byte) []byte {
	value, closer, err := s.p.Get(key)
	require.NoError(s.t, err)
	value = bytes.Clone(value)
	require.NoError(s.t, closer.Close())
	return value
}

func (s *stored) set(key, value []byte) { require.NoError(s.t, s.p.Set(key, value, pebble.Sync)) }
func (s *stored) del(key []byte)        { require.NoError(s.t, s.p.Delete(key, pebble.Sync)) }

func (s *stored) record(id string) codec.ScopeRecord {
	env, err := codec.DecodeEnvelope(s.get(s.versions(0, codec.ScopeRecords, id)[0]))
	require.NoError(s.t, err)
	rec, err := codec.DecodeScopeRecord(env.Payload)
	require.NoError(s.t, err)
	return rec
}

func (s *stored) number(id string) codec.Scope { return s.record(id).Number }

// write writes a value in its envelope under a key of some version.
func (s *stored) write(key, payload []byte) {
	s.set(key, codec.AppendEnvelope(nil, codec.Envelope{Payload: payload}))
}

func (s *stored) rewrite(id string, change func(*codec.ScopeRecord)) {
	rec := s.record(id)
	change(&rec)
	value, err := codec.AppendScopeRecord(nil, rec)
	require.NoError(s.t, err)
	s.write(s.versions(0, codec.ScopeRecords, id)[0], value)
}

// at is an engine key.
func at(n codec.Scope, p codec.Primitive, user string, version uint64) []byte {
	key, _ := codec.AppendKey(nil, n, p, user)
	return codec.AppendVersion(key, version)
}

// plant is one way to spoil a database, and what has to be said about it.
type plant struct {
	name string
	kind inmem.ProblemKind
	key  string // that is named
	text string // a part of what is said
	do   func(v *victim, s *stored)
}

// plants has at least one of every kind that does not need a damaged file.
var plants = slices.Concat(valuePlants, orderPlants, scopePlants)

// Damage of every kind is found, and named, when it is the only one; and nothing else is said to be
// wrong that is not a consequence of it.
func TestVerifyFindsEveryKind(t *testing.T) {
	whole := newVictim(t)
	d, _ := whole.open(t)
	report, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Positive(t, report.Events)
	require.Positive(t, report.Spans)
	require.Positive(t, report.Tables)
	require.Equal(t, 4, report.Runs)
	require.Equal(t, d.Version(), report.Version)
	require.NoError(t, d.Close())
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			problems := whole.found(t, plant{p.name, p.kind, p.key, p.text, func(v *victim, s *stored) {
				s.ungroup(v.runScope, v.forkScope, v.deepScope)
				p.do(v, s)
			}})
			others := slices.DeleteFunc(problems, func(x inmem.Problem) bool {
				return x.Kind == inmem.ProblemIndex || x.Kind == inmem.ProblemUnreadable
			})
			require.LessOrEqual(t, len(others), 3, "one thing is wrong, and many are told")
		})
	}
}

// found spoils a copy of the database, and returns what Verify tells: the damage is among it.
func (v victim) found(t *testing.T, p plant) []inmem.Problem {
	whole := v.fs
	v.fs = vfs.NewMem()
	ok, err := vfs.Clone(whole, v.fs, "db", "db", vfs.CloneSync)
	require.True(t, ok)
	require.NoError(t, err)
	v.stored(t, func(s *stored) { p.do(&v, s) })
	d, _ := v.open(t)
	defer func() { require.NoError(t, d.Close()) }()
	report, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, report.Found, len(report.Problems))
	found := slices.ContainsFunc(report.Problems, func(x inmem.Problem) bool {
		return x.Kind == p.kind && strings.Contains(x.Text, p.text) && strings.Contains(x.Key, p.key)
	})
	for i := range report.Problems {
		t.Log(report.Problems[i].String())
	}
	require.True(t, found, "no problem of kind %s that says %q", p.kind, p.text)
	return report.Problems
}

// Every kind of problem has a plant, here or in the tests of damaged files.
func TestVerifyPlantsAreComplete(t *testing.T) {
	kinds := map[inmem.ProblemKind]bool{
		inmem.ProblemGuard: true, inmem.ProblemTable: true, inmem.ProblemUnreadable: true,
	}
	for _, p := range plants {
		kinds[p.kind] = true
	}
	for _, kind := range []inmem.ProblemKind{
		inmem.ProblemGuard, inmem.ProblemTable, inmem.ProblemUnreadable, inmem.ProblemKey,
		inmem.ProblemCommit, inmem.ProblemJournal, inmem.ProblemMissing, inmem.ProblemStray,
		inmem.ProblemValue, inmem.ProblemEvent, inmem.ProblemIndex, inmem.ProblemDeadline,
		inmem.ProblemRecord, inmem.ProblemFork, inmem.ProblemGrave, inmem.ProblemHorizon,
	} {
		require.True(t, kinds[kind], kind)
	}
}

// A fork whose horizon lies below its fork version has lost nothing of its own journal.
func TestVerifyOfAForkPrunedBelowItsJoint(t *testing.T) {
	ctx := t.Context()
	d, err := inmem.Open(t.TempDir(), &inmem.Options{RetentionInterval: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	parent, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	write := func(run *inmem.Run, n int) {
		for i := range n {
			_, err := run.KV().Put(ctx, "k", inmem.Int(int64(i)))
			require.NoError(t, err)
		}
	}
	write(parent, 1)
	first := d.Version()
	write(parent, 19)
	fork, err := parent.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	write(fork, 5)
	setRetention(t, d, inmem.RetentionTarget{Run: fork.ID()}, inmem.Keep{Commits: 10})
	applyRetention(t, d)
	_, err = fork.At(ctx, first)
	require.ErrorIs(t, err, inmem.ErrPruned)
	report, err := d.Verify(ctx, inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	n := 0
	for _, err := range fork.Replay(ctx, inmem.ReplayOptions{FromEarliest: true}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 10, n)
}
