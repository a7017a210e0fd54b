package embedded

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// A crash at every file system operation of a workload, with none, half and all of the unsynced
// data kept (R100, R101, R104, R108, R113, R127). After each the test demands:
//
//  1. the database opens, and what it holds is what some prefix of the commits had made of it;
//  2. every commit that was acknowledged as durable is in the prefix;
//  3. no version that was ever handed out is handed out again;
//  4. the database takes commits, closes, opens again, and still holds the same.
func TestCrashAtEveryStep(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		for _, kept := range keptShares() {
			t.Run(fmt.Sprintf("%s/kept=%d", mode, kept), func(t *testing.T) {
				crashAtEveryStep(t, mode, kept)
			})
		}
	}
}

// ledger is what an outside observer knows of a workload.
type ledger struct {
	mu sync.Mutex
	knowledge
}

// knowledge is what a ledger holds at one moment.
type knowledge struct {
	history []entry // in version order
	taken   uint64  // greatest version that Commit returned
	durable uint64  // greatest version acknowledged as durable
}

type entry struct {
	version uint64
	key     string // "" for commits without a key of the workload
	value   string // "" for a delete
}

func (l *ledger) note(e entry, durable bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, e)
	l.taken = max(l.taken, e.version)
	if durable {
		l.durable = max(l.durable, e.version)
	}
}

func (l *ledger) clone() knowledge {
	l.mu.Lock()
	defer l.mu.Unlock()
	return knowledge{history: slices.Clone(l.history), taken: l.taken, durable: l.durable}
}

// state is what the commits up to a version make of the keys.
func (l *knowledge) state(upTo uint64) map[string]string {
	slices.SortFunc(l.history, func(a, b entry) int { return int(a.version) - int(b.version) })
	m := map[string]string{}
	for _, e := range l.history {
		if e.version <= upTo && e.key != "" {
			m[e.key] = e.value
		}
	}
	return m
}

// crashPoint is the disk at one moment, and what the observer knew then.
type crashPoint struct {
	op   string
	fs   *disktest.Disk
	what knowledge
}

func crashAtEveryStep(t *testing.T, mode Mode, kept int) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(uint64(kept), uint64(mode)))
	var points []crashPoint
	var mu sync.Mutex
	known := &ledger{}
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			// What the observer knows is noted before the disk is looked at.
			what := known.clone()
			clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
			name := fmt.Sprintf("%v %s", op.Kind, op.Path)
			points = append(points, crashPoint{op: name, fs: clone, what: what})
		}
		return nil
	})
	o := memOptions()
	o.Mode, o.FS, o.SweepInterval = mode, errorfs.Wrap(mem, crash), -1
	o.WriteBuffer = 64 << 10
	full := crashWorkload(t, o, known)
	t.Logf("%d crash points", len(points))
	require.Greater(t, len(points), 50)
	step := 1
	if testing.Short() {
		step = 1 + len(points)/60
	}
	for i := 0; i < len(points); i += step {
		p := points[i]
		p.what.history = full.history // the commit under way may have lasted
		if !t.Run(fmt.Sprintf("%d", i), func(t *testing.T) { checkAfterCrash(t, p, o) }) {
			t.Fatalf("crash before %s", p.op)
		}
	}
}

// crashWorkload opens, commits, overwrites, deletes, flushes, closes and opens again.
func crashWorkload(t *testing.T, o Options, known *ledger) *ledger {
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	known.note(entry{version: db.Published()}, o.Mode == Strict)
	for round := range 3 {
		for i := range 12 {
			key := fmt.Sprintf("key-%d", i%7)
			text := fmt.Sprintf("%d-%d-%s", round, i, strings.Repeat("x", 200*i))
			w := put(s, key, text)
			if i%5 == 4 {
				w, text = backend.Write{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Delete}, ""
			}
			asked := backend.AsMode
			if i%4 == 3 {
				asked = backend.Durable
			}
			out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{w}, Durability: asked})
			require.NoError(t, err)
			if out.Version != 0 {
				known.note(entry{out.Version, key, text}, o.Mode == Strict || asked == backend.Durable)
			}
		}
		require.NoError(t, db.Flush(ctx))
		known.note(entry{version: db.Published()}, true)
		if round == 1 {
			require.NoError(t, db.Close())
			db, err = Open(ctx, o)
			require.NoError(t, err)
			s = &backend.Scope{Number: s.Number, Record: s.Record}
		}
	}
	require.NoError(t, db.Close())
	return known
}

func checkAfterCrash(t *testing.T, p crashPoint, o Options) {
	o.FS = p.fs
	db, err := Open(ctx, o)
	require.NoError(t, err)
	last := db.Published()
	require.GreaterOrEqual(t, last, p.what.durable, "a durable commit is gone")
	require.Greater(t, db.Recovery().Next, max(p.what.taken, last), "a version comes again")
	if last == 0 { // the scope was never there
		require.NoError(t, db.Close())
		return
	}
	holds(t, db, p.what.state(last), last)
	s := &backend.Scope{Number: 1, Record: scopeName(1)}
	after := commit(t, db, put(s, "after", "crash"))
	require.Greater(t, after, p.what.taken)
	require.NoError(t, db.Close())

	db, err = Open(ctx, o)
	require.NoError(t, err)
	require.True(t, db.Recovery().Clean)
	require.Equal(t, after, db.Published())
	holds(t, db, p.what.state(last), last)
	require.Equal(t, "crash", value(t, db, s, "after", after))
	require.NoError(t, db.Close())
}

// holds compares gets and a scan at a version with what must be there.
func holds(t *testing.T, db *DB, want map[string]string, at uint64) {
	t.Helper()
	s := &backend.Scope{Number: 1, Record: scopeName(1)}
	live := map[string]string{}
	for key, text := range want {
		require.Equal(t, text, value(t, db, s, key, at), "key %s at version %d", key, at)
		if text != "" {
			live[key] = text
		}
	}
	got := map[string]string{}
	c := db.Scan(ctx, s, codec.KV, backend.Range{}, at)
	defer c.Close()
	for c.Next() {
		v, err := codec.DecodeValue(c.Record().Value)
		require.NoError(t, err)
		got[c.Key()], err = v.AsString()
		require.NoError(t, err)
	}
	require.NoError(t, c.Err())
	delete(got, "after")
	require.Equal(t, live, got)
	requireTail(t, db)
}

// requireTail walks all commits: the chain has no hole and every journal is there.
func requireTail(t *testing.T, db *DB) {
	t.Helper()
	var previous uint64
	for c, err := range db.Tail(ctx, 0) {
		require.NoError(t, err)
		require.Equal(t, previous, c.Previous)
		previous = c.Version
		require.Len(t, c.Scopes, len(c.CommitRecord.Scopes))
	}
	require.Equal(t, db.Published(), previous)
}

// keptShares are how much of what was not synced a power cut leaves, in percent. In the middle it
// is left to chance, so that is what short runs do.
func keptShares() []int {
	if testing.Short() {
		return []int{50}
	}
	return []int{0, 50, 100}
}
