package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// told is what a watch told of one commit.
type told struct {
	Version, Number uint64
	Run             string
	Changes         string
	Deleted         bool
}

func tell(c inmem.Commit) told {
	changes := ""
	for i := range c.Changes {
		changes += c.Changes[i].String() + ";"
	}
	return told{c.Version, c.Number, c.Run, changes, c.Deleted}
}

// drained is for how long nothing comes when a watch has told all.
const drained = 60 * time.Millisecond

// drain takes what a watch tells until it has nothing to tell for a while, or ends; err is nil in
// the first case.
func drain(
	t *testing.T, watch func(context.Context) iter.Seq2[inmem.Commit, error],
) (all []told, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	idle := time.AfterFunc(drained, cancel)
	for c, failed := range watch(ctx) {
		require.NoError(t, err, "nothing comes after an error")
		if err = failed; err == nil {
			idle.Reset(200 * time.Millisecond)
			all = append(all, tell(c))
		}
	}
	if errors.Is(err, inmem.ErrCanceled) {
		err = nil
	}
	return all, err
}

// take takes the first commits that a watch tells.
func take(t *testing.T, w iter.Seq2[inmem.Commit, error], n int) []told {
	t.Helper()
	all := []told{}
	if n == 0 {
		return all
	}
	for c, err := range w {
		require.NoError(t, err)
		if all = append(all, tell(c)); len(all) == n {
			break
		}
	}
	return all
}

func openAs(t *testing.T, mode inmem.Durability) *inmem.DB {
	t.Helper()
	o := &inmem.Options{Durability: mode}
	if mode == inmem.Batched {
		o.SyncInterval = 5 * time.Millisecond
	}
	db, err := inmem.Open(t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func beginRun(t *testing.T, db *inmem.DB) *inmem.Run {
	t.Helper()
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{})
	require.NoError(t, err)
	return run
}

func putText(t *testing.T, kv inmem.KV, key, text string) uint64 {
	t.Helper()
	v, err := kv.Put(t.Context(), key, inmem.String(text))
	require.NoError(t, err)
	return v
}

// A watch tells each commit of its run once, in order, with its changes, and the database's watch
// tells those of all; from any version on.
func TestWatchTells(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.None} {
		t.Run(mode.String(), func(t *testing.T) { watchTells(t, openAs(t, mode)) })
	}
	t.Run("model", func(t *testing.T) {
		w := newWorld(t, engines[0], nil)
		watchTells(t, w.DB)
	})
}

func watchTells(t *testing.T, db *inmem.DB) {
	ctx := t.Context()
	a, b := beginRun(t, db), beginRun(t, db)
	shared, err := db.Shared(ctx, inmem.Namespace{Tenant: "acme", App: "shop"})
	require.NoError(t, err)
	var want []told
	add := func(v, number uint64, run, changes string) {
		want = append(want, told{Version: v, Number: number, Run: run, Changes: changes})
	}
	add(putText(t, a.KV(), "k", "0"), 1, a.ID(), `kv put "k";`)
	add(putText(t, b.KV(), "k", "0"), 1, b.ID(), `kv put "k";`)
	v, err := a.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.KV().Delete(ctx, "k"); err != nil {
			return err
		}
		if _, err := tx.Events().Append(ctx, "step", inmem.Int(1)); err != nil {
			return err
		}
		_, err := tx.Cell("state").Store(ctx, inmem.String("on"))
		return err
	})
	require.NoError(t, err)
	add(v, 2, a.ID(), `cells put "state";events append 0;kv delete "k";`)
	v, err = db.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.OnShared(shared).KV().Put(ctx, "s", inmem.Int(1)); err != nil {
			return err
		}
		if _, err := tx.On(b).KV().Put(ctx, "k", inmem.Int(1)); err != nil {
			return err
		}
		_, err := tx.On(a).Extension("mine").Put(ctx, "x", inmem.Int(1))
		return err
	})
	require.NoError(t, err)
	add(v, 3, a.ID(), `extension "mine" put "x";`)
	add(v, 2, b.ID(), `kv put "k";`)
	add(v, 1, `"acme"/"shop"`, `kv put "s";`)
	require.NoError(t, a.End(ctx, inmem.Completed))
	require.NoError(t, db.Flush(ctx))

	for from := uint64(0); from <= v; from++ {
		rest := slices.DeleteFunc(slices.Clone(want), func(x told) bool { return x.Version < from })
		o := inmem.WatchOptions{From: from, Values: inmem.ReplayValues(from % 3)}
		require.Equal(t, rest, take(t, db.Watch(ctx, o), len(rest)), "from %d", from)
		for _, run := range []*inmem.Run{a, b} {
			own := slices.DeleteFunc(slices.Clone(rest), func(x told) bool { return x.Run != run.ID() })
			require.Equal(t, own, take(t, run.Watch(ctx, o), len(own)), "from %d", from)
		}
	}
	all, err := drain(t, func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
		return db.Watch(ctx, inmem.WatchOptions{})
	})
	require.NoError(t, err)
	require.Equal(t, want, all)
	got, err := drain(t, func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
		return shared.Watch(ctx, inmem.WatchOptions{})
	})
	require.NoError(t, err)
	require.Equal(t, want[len(want)-1:], got)
}

// What a watch tells follows its options.
func TestWatchFilters(t *testing.T) {
	db := openAs(t, inmem.None)
	run, ctx := beginRun(t, db), t.Context()
	putText(t, run.KV(), "a/1", "x")
	putText(t, run.KV(), "b/1", "x")
	_, err := run.Cell("a/cell").Store(ctx, inmem.Int(1))
	require.NoError(t, err)
	_, err = run.Extension("mine").Put(ctx, "a/x", inmem.Int(1))
	require.NoError(t, err)
	_, err = run.Extension("mine").Put(ctx, "b/x", inmem.Int(1))
	require.NoError(t, err)
	for _, name := range []string{"think", "act", "think"} {
		_, err = run.Events().Append(ctx, name, inmem.String(name))
		require.NoError(t, err)
	}
	_, err = run.Update(ctx, func(tx *inmem.Tx) error {
		for _, key := range []string{"a/2", "b/2"} {
			if _, err := tx.KV().Put(ctx, key, inmem.Int(2)); err != nil {
				return err
			}
		}
		for _, name := range []string{"act", "think"} {
			if _, err := tx.Events().Append(ctx, name, inmem.Int(2)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	kv, events := inmem.PrimitiveKV, inmem.PrimitiveEvents
	for _, c := range []struct {
		name string
		o    inmem.WatchOptions
		want []string
	}{
		{"kv", inmem.WatchOptions{Primitives: []inmem.Primitive{kv}},
			[]string{`kv put "a/1";`, `kv put "b/1";`, `kv put "a/2";kv put "b/2";`}},
		{"prefix", inmem.WatchOptions{Prefix: "a/"}, []string{`kv put "a/1";`,
			`cells put "a/cell";`, `extension "mine" put "a/x";`, `kv put "a/2";`}},
		{"types", inmem.WatchOptions{EventTypes: []string{"act"}},
			[]string{"events append 1;", "events append 3;"}},
		{"types and prefix", inmem.WatchOptions{EventTypes: []string{"act"}, Prefix: "b/2"},
			[]string{"events append 1;", `events append 3;kv put "b/2";`}},
		{"kv with prefix", inmem.WatchOptions{Primitives: []inmem.Primitive{kv}, Prefix: "b/"},
			[]string{`kv put "b/1";`, `kv put "b/2";`}},
		{"events", inmem.WatchOptions{Primitives: []inmem.Primitive{events}},
			[]string{"events append 0;", "events append 1;", "events append 2;",
				"events append 3;events append 4;"}},
		{"traces", inmem.WatchOptions{Primitives: []inmem.Primitive{inmem.PrimitiveTraces}}, nil},
	} {
		for kind, watch := range map[string]func(context.Context) iter.Seq2[inmem.Commit, error]{
			"run": func(ctx context.Context) iter.Seq2[inmem.Commit, error] { return run.Watch(ctx, c.o) },
			"db":  func(ctx context.Context) iter.Seq2[inmem.Commit, error] { return db.Watch(ctx, c.o) },
		} {
			got, err := drain(t, watch)
			require.NoError(t, err)
			var changes []string
			for _, x := range got {
				changes = append(changes, x.Changes)
			}
			require.Equal(t, c.want, changes, "%s of %s", c.name, kind)
		}
	}
}

// Changes carry the values that were asked for.
func TestWatchValues(t *testing.T) {
	db := openAs(t, inmem.None)
	run, ctx := beginRun(t, db), t.Context()
	putText(t, run.KV(), "k", "old")
	putText(t, run.KV(), "k", "new")
	_, err := run.Events().Append(ctx, "act", inmem.Int(7))
	require.NoError(t, err)
	next, stop := iter.Pull2(db.Watch(ctx, inmem.WatchOptions{Values: inmem.OldAndNewValues}))
	defer stop()
	for _, want := range []string{"", "old"} {
		c, err, _ := next()
		require.NoError(t, err)
		old, ok, err := c.Changes[0].Old()
		require.NoError(t, err)
		require.Equal(t, want != "", ok)
		if ok {
			require.True(t, old.Equal(inmem.String(want)))
		}
	}
	c, err, _ := next()
	require.NoError(t, err)
	e, err := c.Changes[0].Event()
	require.NoError(t, err)
	require.Equal(t, "act", e.Type)
	require.True(t, e.Payload.Equal(inmem.Int(7)))

	next, stop = iter.Pull2(run.Watch(ctx, inmem.WatchOptions{Values: inmem.NoValues}))
	defer stop()
	c, err, _ = next()
	require.NoError(t, err)
	_, err = c.Changes[0].Value()
	require.ErrorIs(t, err, inmem.ErrInvalidArgument, "nobody asked for values")
}

// FromNow is settled by the call and not by the loop; a version in the future is refused.
func TestWatchFrom(t *testing.T) {
	db := openAs(t, inmem.Batched)
	run := beginRun(t, db)
	putText(t, run.KV(), "k", "before")
	watches := []iter.Seq2[inmem.Commit, error]{
		db.Watch(t.Context(), inmem.WatchOptions{From: inmem.FromNow}),
		run.Watch(t.Context(), inmem.WatchOptions{From: inmem.FromNow}),
	}
	v := putText(t, run.KV(), "k", "after")
	for _, w := range watches {
		for range 2 { // a sequence can be walked again
			for c, err := range w {
				require.NoError(t, err)
				require.Equal(t, v, c.Version)
				break
			}
		}
	}
	for _, w := range []iter.Seq2[inmem.Commit, error]{
		db.Watch(t.Context(), inmem.WatchOptions{From: v + 2}),
		run.Watch(t.Context(), inmem.WatchOptions{From: v + 2}),
		db.Watch(t.Context(), inmem.WatchOptions{Primitives: []inmem.Primitive{'z'}}),
	} {
		for _, err := range w {
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
	}
}

// A commit is told when it is durable, and not before.
func TestWatchTellsWhatIsDurable(t *testing.T) {
	db, err := inmem.Open(t.TempDir(), &inmem.Options{
		Durability: inmem.Async, SyncInterval: time.Hour,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	run := beginRun(t, db)
	require.NoError(t, db.Flush(t.Context()))
	commits := make(chan inmem.Commit)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, w := range []iter.Seq2[inmem.Commit, error]{
		db.Watch(ctx, inmem.WatchOptions{}), run.Watch(ctx, inmem.WatchOptions{}),
	} {
		wg.Go(func() {
			for c, err := range w {
				if err != nil {
					return
				}
				commits <- c
			}
		})
	}
	for range 3 {
		v := putText(t, run.KV(), "k", "v")
		select {
		case c := <-commits:
			t.Fatalf("told %d before it was durable", c.Version)
		case <-time.After(20 * time.Millisecond):
		}
		require.NoError(t, db.Flush(t.Context()))
		require.Equal(t, v, (<-commits).Version)
		require.Equal(t, v, (<-commits).Version)
	}
	cancel()
	wg.Wait()
}

// Neither is what lies in the log behind what is durable, nor a deletion that a crash can take
// back.
func TestWatchStopsWhereDurabilityEnds(t *testing.T) {
	db, err := inmem.Open(t.TempDir(), &inmem.Options{
		Durability: inmem.Async, SyncInterval: time.Hour,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx := t.Context()
	run, doomed := beginRun(t, db), beginRun(t, db)
	v1 := putText(t, run.KV(), "k", "1")
	require.NoError(t, db.Flush(ctx))
	v2 := putText(t, run.KV(), "k", "2")
	of := func(w func(context.Context, inmem.WatchOptions) iter.Seq2[inmem.Commit, error],
		from uint64,
	) (all []uint64) {
		got, err := drain(t, func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
			return w(ctx, inmem.WatchOptions{From: from})
		})
		require.NoError(t, err)
		for _, c := range got {
			all = append(all, c.Version)
		}
		return all
	}
	require.Equal(t, []uint64{v1}, of(db.Watch, 0))
	require.Equal(t, []uint64{v1}, of(run.Watch, 0))
	putText(t, doomed.KV(), "k", "1")
	v4 := putText(t, run.KV(), "k", "4")
	require.NoError(t, db.Flush(ctx))
	require.NoError(t, db.DeleteRun(ctx, doomed.ID()))
	deleted := db.Version()
	require.Equal(t, []uint64{v1, v2}, of(db.Watch, 0), "what was deleted may come back")
	require.Empty(t, of(doomed.Watch, 0))
	require.Equal(t, []uint64{v4}, of(run.Watch, v4))
	require.NoError(t, db.Flush(ctx))
	require.Equal(t, []uint64{v1, v2, v4, deleted}, of(db.Watch, 0))
	require.Equal(t, []uint64{deleted}, of(doomed.Watch, 0))
}

// A consumer that waits, works or lags hears of a deletion once: the run's own watch ends with it,
// the database's goes on.
func TestWatchOfADeletion(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.None} {
		t.Run(mode.String(), func(t *testing.T) { watchDeletion(t, openAs(t, mode)) })
	}
}

func watchDeletion(t *testing.T, db *inmem.DB) {
	ctx := t.Context()
	run, other := beginRun(t, db), beginRun(t, db)
	first := putText(t, run.KV(), "k", "0")
	putText(t, run.KV(), "k", "1")
	kept := putText(t, other.KV(), "k", "0")
	waits, stopWaits := iter.Pull2(run.Watch(ctx, inmem.WatchOptions{}))
	defer stopWaits()
	lags, stopLags := iter.Pull2(db.Watch(ctx, inmem.WatchOptions{}))
	defer stopLags()
	for _, next := range []func() (inmem.Commit, error, bool){waits, lags} {
		c, err, ok := next()
		require.True(t, ok && err == nil, "%v", err)
		require.Equal(t, first, c.Version)
	}
	require.NoError(t, db.DeleteRun(ctx, run.ID()))
	deleted := db.Version()
	last := putText(t, other.KV(), "k", "1")

	_, _, _ = waits() // it may have been read before the deletion
	got, err := drain(t, func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
		return run.Watch(ctx, inmem.WatchOptions{From: first + 1})
	})
	require.NoError(t, err)
	require.Equal(t, []told{{Version: deleted, Run: run.ID(), Deleted: true}}, got)

	got, err = drain(t, func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
		return db.Watch(ctx, inmem.WatchOptions{})
	})
	require.NoError(t, err)
	require.Equal(t, []told{
		{Version: kept, Number: 1, Run: other.ID(), Changes: `kv put "k";`},
		{Version: deleted, Run: run.ID(), Deleted: true},
		{Version: last, Number: 2, Run: other.ID(), Changes: `kv put "k";`},
	}, got)

	var rest []told
	for len(rest) == 0 || rest[len(rest)-1].Version < last {
		c, err, ok := lags()
		require.True(t, ok && err == nil, "%v", err)
		if c.Run != run.ID() || c.Deleted {
			rest = append(rest, tell(c))
		}
	}
	require.Equal(t, got, rest)
}

// A consumer whose commits retention has removed is told so; a watch from the beginning begins with
// what is left.
func TestWatchOfPrunedHistory(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var versions []uint64
		for i := range 20 {
			versions = append(versions, w.put(fmt.Sprint(i%3), fmt.Sprint(i)))
		}
		horizon := versions[11]
		other, err := w.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		last := putText(t, other.KV(), "k", "v")
		w.prune(horizon)
		for values := range inmem.NoValues + 1 {
			for from := range last + 1 {
				o := inmem.WatchOptions{From: from, Values: values}
				want := slices.DeleteFunc(slices.Clone(versions), func(v uint64) bool {
					return v < max(from, horizon) || v == horizon && values == inmem.OldAndNewValues
				})
				gone := from > 0 && (from < horizon ||
					from == horizon && values == inmem.OldAndNewValues)
				for name, watch := range map[string]iter.Seq2[inmem.Commit, error]{
					"run": w.run.Watch(t.Context(), o), "database": w.Watch(t.Context(), o),
				} {
					what := fmt.Sprintf("%s from %d with values %d", name, from, values)
					if gone {
						requirePruned(t, watch, horizon, what)
						continue
					}
					var all []uint64
					for _, c := range take(t, watch, len(want)) {
						all = append(all, c.Version)
					}
					require.ElementsMatch(t, want, all, what)
				}
			}
		}
	})
}

// requirePruned demands that a watch begins and ends with ErrPruned.
func requirePruned(
	t *testing.T, w iter.Seq2[inmem.Commit, error], earliest uint64, what string,
) {
	t.Helper()
	n := 0
	for _, err := range w {
		n++
		require.ErrorIs(t, err, inmem.ErrPruned, what)
		var pruned *inmem.PrunedError
		require.ErrorAs(t, err, &pruned)
		require.Equal(t, earliest, pruned.Earliest, what)
	}
	require.Equal(t, 1, n, what)
}

// A watch ends with its database, and says so.
func TestWatchEndsWithTheDatabase(t *testing.T) {
	db, err := inmem.Open("none", &inmem.Options{Durability: inmem.None})
	require.NoError(t, err)
	run := beginRun(t, db)
	ends := make(chan error, 2)
	for _, w := range []iter.Seq2[inmem.Commit, error]{
		db.Watch(t.Context(), inmem.WatchOptions{}), run.Watch(t.Context(), inmem.WatchOptions{}),
	} {
		go func() {
			var last error
			for _, err := range w {
				last = err
			}
			ends <- last
		}()
	}
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, db.Close())
	require.ErrorIs(t, <-ends, inmem.ErrClosed)
	require.ErrorIs(t, <-ends, inmem.ErrClosed)
}

// Ten consumers, fast and slow, come and go at random beside writers, runs that begin and end, and
// deletions; each goes on from the version that it remembers, and has seen every durable commit
// exactly once, in order.
func TestWatchTenConsumers(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.None} {
		t.Run(mode.String(), func(t *testing.T) { tenConsumers(t, openAs(t, mode)) })
	}
}

func tenConsumers(t *testing.T, db *inmem.DB) {
	const runs, writers, consumers = 3, 4, 10
	span := 150 * time.Millisecond
	if testing.Short() {
		span = 50 * time.Millisecond
	}
	all := make([]*inmem.Run, runs)
	for i := range all {
		all[i] = beginRun(t, db)
	}
	var mu sync.Mutex
	want := map[string][]uint64{}
	note := func(v uint64, list []*inmem.Run) {
		mu.Lock()
		defer mu.Unlock()
		for _, run := range list {
			want[run.ID()] = append(want[run.ID()], v)
		}
	}
	var done atomic.Bool
	var work, watching sync.WaitGroup
	for i := range writers {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for !done.Load() {
				note(randomCommit(t, db, all, rng))
			}
		})
	}
	seen := make([][]told, consumers)
	var end atomic.Uint64
	for i := range consumers {
		watching.Go(func() { seen[i] = consume(t, db, all, i, &end) })
	}
	time.Sleep(span)
	done.Store(true)
	work.Wait()
	v, err := db.Update(t.Context(), func(tx *inmem.Tx) error {
		for _, run := range all {
			if _, err := tx.On(run).KV().Put(t.Context(), "end", inmem.Int(1)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	note(v, all)
	end.Store(v)
	watching.Wait()
	for id := range want {
		slices.Sort(want[id])
	}
	for i, list := range seen {
		got := map[string][]uint64{}
		var last uint64
		for _, c := range list {
			require.GreaterOrEqual(t, c.Version, last)
			last = c.Version
			got[c.Run] = append(got[c.Run], c.Version)
			require.Equal(t, uint64(len(got[c.Run])), c.Number, "consumer %d", i)
		}
		for j, run := range all {
			if i >= consumers/2 && i%runs != j {
				continue
			}
			require.True(t, slices.Equal(want[run.ID()], got[run.ID()]), "consumer %d: %d of %d", i,
				len(got[run.ID()]), len(want[run.ID()]))
		}
	}
}

// randomCommit makes one commit in some of the runs, and says in which.
func randomCommit(
	t *testing.T, db *inmem.DB, all []*inmem.Run, rng *rand.Rand,
) (uint64, []*inmem.Run) {
	ctx, list := context.Background(), []*inmem.Run{all[rng.IntN(len(all))]}
	key, value := fmt.Sprint(rng.IntN(20)), inmem.Int(rng.Int64())
	if rng.IntN(3) == 0 {
		list = all
	}
	v, err := db.Update(ctx, func(tx *inmem.Tx) error {
		for _, run := range list {
			if _, err := tx.On(run).KV().Put(ctx, key, value); err != nil {
				return err
			}
			if rng.IntN(2) == 0 {
				if _, err := tx.On(run).Events().Append(ctx, "act", value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return v, list
}

// consume watches as consumer i does, leaves and comes back, until writing has ended with a commit
// in all runs; then it takes the rest.
func consume(
	t *testing.T, db *inmem.DB, all []*inmem.Run, i int, end *atomic.Uint64,
) (seen []told) {
	rng := rand.New(rand.NewPCG(2, uint64(i)))
	next := uint64(0) // all before it are handled
	watch := func(ctx context.Context) iter.Seq2[inmem.Commit, error] {
		o := inmem.WatchOptions{From: next, Values: inmem.ReplayValues(i % 3)}
		if i < 5 {
			return db.Watch(ctx, o)
		}
		return all[i%len(all)].Watch(ctx, o)
	}
	for end.Load() == 0 {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(rng.IntN(40))*time.Millisecond, cancel)
		leave := rng.IntN(300)
		for c, err := range watch(ctx) {
			if errors.Is(err, inmem.ErrCanceled) {
				break
			}
			if err != nil {
				t.Error(err)
				break
			}
			// A commit over several runs is told again as a whole if it was not handled as a whole.
			if c.Version > next {
				next = c.Version
			}
			seen = append(seen, tell(c))
			if i%4 == 1 {
				time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
			}
			if leave--; leave < 0 {
				break
			}
		}
		cancel()
		seen = slices.DeleteFunc(seen, func(c told) bool { return c.Version >= next })
	}
	parts := 1
	if i < 5 {
		parts = len(all)
	}
	for c, err := range watch(context.Background()) {
		if err != nil {
			t.Error(err)
			return seen
		}
		if seen = append(seen, tell(c)); c.Version == end.Load() {
			if parts--; parts == 0 {
				break
			}
		}
	}
	return seen
}
