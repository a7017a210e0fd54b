package crashtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Processes are killed under load, again and again in one directory (R002, R004, R100, R104, R127).
// After each the database is held to the ledger of what its owner was promised:
//
//  1. Strict loses nothing; the other modes a suffix, in which nothing is that was flushed, waited
//     for, or committed as Strict;
//  2. what is there is exactly what the commits up to the recovered version make, to the version of
//     every key; what was under way is there in whole or not at all; no sum over runs changes;
//  3. no version of any life comes again;
//  4. the database takes commits, closes, and opens again as it was.
func TestKillUnderLoad(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			k := &killer{
				rng: rand.New(rand.NewPCG(seed, 0)), mode: mode, dir: t.TempDir(), known: newLedger(),
			}
			for round := range rounds(t) {
				k.round(t, round)
			}
			t.Logf("%d acknowledged, %d lost, %d in total before the last kill",
				k.acknowledged, k.lost, k.known.greater)
			require.NotZero(t, k.acknowledged)
		})
	}
}

// killer kills the owners of one directory.
type killer struct {
	rng                *rand.Rand
	mode               inmem.Durability
	dir                string
	known              *ledger
	acknowledged, lost int
}

func (k *killer) round(t *testing.T, round int) {
	work := task{
		Name: "load", Dir: k.dir, Mode: k.mode, Seed: k.rng.Uint64(), Bulk: round%3 == 1,
	}
	if round%2 == 1 {
		work.Budget = 1 << 20 // the least: much is read from disk
	}
	atOnce := round > 0 && k.rng.IntN(4) == 0
	c := start(t, work)
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
}

// inspect opens the directory twice.
func (k *killer) inspect(t *testing.T, round int) {
	for _, o := range k.known.ops {
		if o.done > 0 {
			k.acknowledged++
		}
	}
	db := open(t, k.dir, task{Mode: k.mode}.options())
	k.lost += k.known.verify(t, db, k.mode)
	run, err := db.Run(t.Context(), bankID(0))
	if errors.Is(err, inmem.ErrRunNotFound) {
		require.NoError(t, db.Close())
		return // killed before it did anything
	}
	require.NoError(t, err)
	value := fmt.Sprint(round)
	version := put(t, run.KV(), "parent", value)
	require.GreaterOrEqual(t, version, db.Recovery().Next)
	k.known.state[place{run.ID(), "parent"}] = cell{value: value, versions: []uint64{version}}
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
	k.known.greater = r.Version
	require.NoError(t, db.Close())
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
