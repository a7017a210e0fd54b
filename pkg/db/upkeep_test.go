package inmem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// upkeep is a family of runs that is pruned, flattened, swept and reopened while it lives.
type upkeep struct {
	*inmem.DB
	t      *testing.T
	r      *rand.Rand
	clock  *testClock
	fs     vfs.FS
	engine *embedded.DB
	runs   []*inmem.Run
	log    []string // what was done, for who has to find out
	// What each run showed at each version, and its replay, before anything was removed.
	hashes  map[string][]inmem.Hash
	replays map[string]string
}

func (u *upkeep) open() {
	var err error
	u.engine, err = embedded.Open(u.t.Context(), embedded.Options{
		Dir: "db", FS: u.fs, Clock: u.clock.now, SweepInterval: -1, MemoryBudget: 1 << 20,
	})
	require.NoError(u.t, err)
	u.DB, err = inmem.OpenOn(inmem.Hooks{Backend: u.engine}, &inmem.Options{RetentionInterval: -1})
	require.NoError(u.t, err)
	for i, run := range u.runs {
		u.runs[i], err = u.Run(u.t.Context(), run.ID())
		require.NoError(u.t, err)
	}
}

func (u *upkeep) note(format string, a ...any) { u.log = append(u.log, fmt.Sprintf(format, a...)) }

// act writes, forks, or lets time pass.
func (u *upkeep) act() {
	ctx, i := u.t.Context(), u.r.Intn(len(u.runs))
	switch n := u.r.Intn(20); {
	case n < 13:
		v, err := u.runs[i].Update(ctx, u.write)
		require.NoError(u.t, err)
		u.note("write %d: %d", i, v)
	case n < 17:
		at := uint64(u.r.Int63n(int64(u.Version() + 1)))
		fork, err := u.runs[i].Fork(ctx, inmem.ForkOptions{At: at})
		if errors.Is(err, inmem.ErrPruned) {
			return
		}
		require.NoError(u.t, err)
		u.note("fork %d of %d at %d: %s", len(u.runs), i, at, fork.ID())
		u.runs = append(u.runs, fork)
	case n < 19:
		d := time.Duration(u.r.Intn(12)-4) * time.Second
		u.clock.advance(d)
		u.note("clock %v", d)
	default:
		_, err := u.engine.Sweep(ctx)
		require.NoError(u.t, err)
		u.note("sweep")
	}
}

func (u *upkeep) write(tx *inmem.Tx) error {
	ctx, key := u.t.Context(), fmt.Sprint("k", u.r.Intn(4))
	value := inmem.Int(u.r.Int63n(100))
	var err error
	switch u.r.Intn(5) {
	case 0:
		_, err = tx.KV().Put(ctx, key, value)
	case 1:
		_, err = tx.KV().PutWithTTL(ctx, key, value, time.Duration(1+u.r.Intn(10))*time.Second)
	case 2:
		_, err = tx.KV().Delete(ctx, key)
	case 3:
		_, err = tx.Events().Append(ctx, key, value)
	default:
		_, err = tx.Cell(key).Store(ctx, value)
	}
	return err
}

// replay is the text of a run's replay, and how it ended.
func (u *upkeep) replay(run *inmem.Run, to uint64) (text string, err error) {
	var b strings.Builder
	o := inmem.ReplayOptions{To: to, Values: inmem.OldAndNewValues}
	for c, err := range run.Replay(u.t.Context(), o) {
		if err != nil {
			return b.String(), err
		}
		line, err := json.Marshal(&c)
		require.NoError(u.t, err)
		b.Write(append(line, '\n'))
	}
	return b.String(), nil
}

func (u *upkeep) remember(to uint64) {
	u.hashes, u.replays = map[string][]inmem.Hash{}, map[string]string{}
	for _, run := range u.runs {
		var err error
		u.replays[run.ID()], err = u.replay(run, to)
		require.NoError(u.t, err)
		for v := range to + 1 {
			h, err := run.StateHash(u.t.Context(), v)
			require.NoError(u.t, err)
			u.hashes[run.ID()] = append(u.hashes[run.ID()], h)
		}
	}
}

// want demands that everything is as it was, or refused: below some version, and only there.
func (u *upkeep) want(what string) {
	for _, run := range u.runs {
		was, ok := u.hashes[run.ID()]
		if !ok {
			continue
		}
		refused := true
		for v := 1; v < len(was); v++ {
			h, err := run.StateHash(u.t.Context(), uint64(v))
			var pruned *inmem.PrunedError
			if errors.As(err, &pruned) && refused && pruned.Earliest > uint64(v) {
				continue
			}
			refused = false
			if err != nil || h != was[v] {
				u.fail("%s: run %s at version %d: %v", what, run.ID(), v, err)
			}
		}
		text, err := u.replay(run, uint64(len(was)-1))
		whole := u.replays[run.ID()]
		if err == nil && text != whole ||
			err != nil && (!errors.Is(err, inmem.ErrPruned) || !strings.HasPrefix(whole, text)) {
			u.fail("%s: replay of %s: %v\nwas %s\nis %s", what, run.ID(), err, whole, text)
		}
		if _, err = run.KV().Count(u.t.Context(), inmem.ScanOptions{}); err != nil {
			u.fail("%s: run %s as it is: %v", what, run.ID(), err)
		}
	}
}

func (u *upkeep) fail(format string, a ...any) {
	u.t.Fatalf(format+"\n%s", append(a, strings.Join(u.log, "\n"))...)
}

// prune sets a policy, and carries out all.
func (u *upkeep) prune() {
	var t inmem.RetentionTarget
	if u.r.Intn(3) > 0 {
		t.Run = u.runs[u.r.Intn(len(u.runs))].ID()
	}
	if u.r.Intn(4) == 0 {
		t.Primitive = inmem.PrimitiveKV
	}
	k := inmem.Keep{Commits: uint64(1 + u.r.Intn(4))}
	_, err := u.SetRetention(u.t.Context(), t, k)
	require.NoError(u.t, err)
	_, err = u.ApplyRetention(u.t.Context(), nil)
	require.NoError(u.t, err)
	u.note("policy %v %v", t, k)
}

// drop deletes a run, after all that read through it were flattened.
func (u *upkeep) drop(ctx context.Context) {
	i := u.r.Intn(len(u.runs))
	id := u.runs[i].ID()
	u.note("delete %d", i)
	o := inmem.DeleteOptions{Forks: inmem.FlattenForks}
	require.NoError(u.t, u.DeleteRunWith(ctx, id, o))
	u.runs = append(u.runs[:i:i], u.runs[i+1:]...)
}

// R214, R211: whatever order forks are made, pruned, flattened, swept and reopened in, history is
// as it was or is refused, never wrong.
func TestR214UpkeepOfForks(t *testing.T) {
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel() // a prune waits for readers most of the time
			u := &upkeep{
				t: t, r: rand.New(rand.NewSource(int64(seed))), clock: newTestClock(), fs: vfs.NewMem(),
			}
			u.open()
			run, err := u.BeginRun(t.Context(), inmem.RunOptions{})
			require.NoError(t, err)
			u.runs = append(u.runs, run)
			for range 40 {
				u.act()
			}
			u.remember(u.Version())
			for _, step := range []string{
				"pruned", "flattened", "pruned", "reopened", "flattened", "pruned",
			} {
				switch step {
				case "pruned":
					u.prune()
				case "flattened":
					u.drop(t.Context())
				default:
					require.NoError(t, u.Close())
					u.open()
				}
				u.want(step)
				for range 5 {
					u.act()
				}
				u.want(step + " and written")
			}
			require.NoError(t, u.Close())
		})
	}
}
