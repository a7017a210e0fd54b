package crashtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Processes are killed under load, again and again in one directory (R002, R004, R100, R104, R127).
// The load is all primitives, transactions over runs, forks, deleted runs, retention, checkpoints
// and a watch. After each kill the database is held to the ledger of what its owner was promised:
//
//  1. Strict loses nothing; the other modes a suffix, in which nothing is that was flushed, waited
//     for, watched, in a checkpoint, or committed as Strict;
//  2. the commits that are there are those that were acknowledged up to the recovered version, each
//     with exactly its writes, and some that were under way, each as a whole;
//  3. what all primitives show is what these commits make, to the version of every key; no sum over
//     runs changes; a fork shows what its parent showed; what was deleted stays away;
//  4. no version of any life comes again;
//  5. Verify finds nothing; the database takes commits, closes, and opens again as it was.
//
// The long form is make kill: INMEM_CRASH_ROUNDS rounds over all modes, and a summary.
func TestKillUnderLoad(t *testing.T) {
	sum := newSummary(3 * rounds(t))
	t.Run("modes", func(t *testing.T) {
		for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
			t.Run(mode.String(), func(t *testing.T) {
				t.Parallel()
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				k := &killer{rng: rand.New(rand.NewPCG(seed, 0)), mode: mode, sum: sum}
				for round := range rounds(t) {
					if round%lifetimes == 0 {
						k.dir, k.known = t.TempDir(), newLedger()
					}
					k.round(t, round)
					sum.progress(t)
				}
				require.NotZero(t, sum.of(mode).acknowledged)
			})
		}
	})
	t.Logf("\n%s", sum)
}

// lifetimes is after how many kills a new directory is taken: a check looks at all that is there.
const lifetimes = 10

// killer kills the owners of one directory.
type killer struct {
	rng   *rand.Rand
	mode  inmem.Durability
	dir   string
	known *ledger
	sum   *summary
}

func (k *killer) round(t *testing.T, round int) {
	work := task{
		Name: "load", Dir: k.dir, Mode: k.mode, Seed: k.rng.Uint64(), Bulk: round%3 == 1,
	}
	if round%2 == 1 {
		work.Budget = 1 << 20 // the least: much is read from disk
	}
	atOnce := round > 0 && k.rng.IntN(4) == 0
	c, started := start(t, work), time.Now()
	ready := make(chan struct{})
	go func() {
		if !atOnce {
			select {
			case <-ready:
			case <-time.After(20 * time.Second):
			}
		}
		time.Sleep(time.Duration(k.killAfter(atOnce)))
		c.kill()
	}()
	told := false
	c.lines(func(data []byte) {
		k.known.note(t, data)
		if k.known.ready && !told {
			told = true
			close(ready)
		}
	})
	c.wait(t)
	k.sum.kill(k.mode, time.Since(started), atOnce)
	for k.rng.IntN(2) == 0 {
		k.killWhileOpening(t)
	}
	k.inspect(t, round)
}

func (k *killer) killAfter(atOnce bool) time.Duration {
	most := 250 * time.Millisecond
	if atOnce {
		most = 60 * time.Millisecond
	}
	return time.Duration(k.rng.Int64N(int64(most)))
}

// killWhileOpening starts another owner and kills it, mostly in its recovery.
func (k *killer) killWhileOpening(t *testing.T) {
	c := start(t, task{Name: "hold", Dir: k.dir, Mode: k.mode})
	after := time.Duration(k.rng.Int64N(int64(50 * time.Millisecond)))
	timer := time.AfterFunc(after, c.kill)
	defer timer.Stop()
	c.lines(func([]byte) {})
	c.wait(t)
	k.sum.killOpening(k.mode)
}

// inspect opens the directory twice.
func (k *killer) inspect(t *testing.T, round int) {
	db := open(t, k.dir, task{Mode: k.mode}.options())
	k.sum.add(k.mode, k.known.verify(t, db, k.mode))
	run, err := db.Run(t.Context(), bankID(0))
	if errors.Is(err, inmem.ErrRunNotFound) {
		require.NoError(t, db.Close())
		return // killed before it did anything
	}
	require.NoError(t, err)
	value := fmt.Sprint(round)
	version := put(t, run.KV(), "parent", value)
	require.GreaterOrEqual(t, version, db.Recovery().Next)
	k.known.state[write{Run: run.ID(), Key: "parent"}.place()] =
		cell{value: value, versions: []uint64{version}}
	k.known.greater = version
	places := k.known.places()
	before := look(t, db, places)
	require.NoError(t, db.Close())

	db = open(t, k.dir, task{Mode: k.mode}.options())
	r := db.Recovery()
	require.True(t, r.Clean)
	require.GreaterOrEqual(t, r.Version, version) // the sweeper commits, too
	after := look(t, db, places)
	require.Equal(t, before, after)
	k.known.greater, k.known.since = r.Version, r.Version
	require.NoError(t, db.Close())
}

// In mode None a kill takes everything, and there is nothing on disk before and after.
func TestKillInMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	c := start(t, task{Name: "load", Dir: dir, Mode: inmem.None})
	known := newLedger()
	var once sync.Once
	c.lines(func(data []byte) {
		known.note(t, data)
		if len(known.acknowledged()) > 50 {
			once.Do(c.kill)
		}
	})
	c.wait(t)
	require.Empty(t, known.errors)
	_, err := os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	db := open(t, dir, &inmem.Options{Durability: inmem.None})
	require.True(t, db.Recovery().Created)
	n, err := db.Runs().Count(t.Context(), inmem.RunQuery{})
	require.NoError(t, err)
	require.Zero(t, n)
}

// What a kill may take is bounded by the interval, also when the database idles (R101, R102).
func TestKillLosesNoMoreThanTheInterval(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Batched, inmem.Async} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := start(t, task{Name: "once", Dir: dir, Mode: mode})
			c.lines(func([]byte) {
				time.Sleep(400 * time.Millisecond) // the interval is 20 ms
				c.kill()
			})
			c.wait(t)
			db := open(t, dir, nil)
			run, err := db.Run(t.Context(), bankID(0))
			require.NoError(t, err)
			require.Equal(t, "v", get(t, run.KV(), "k"))
		})
	}
}
