package crashtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	consumers = 10 // the first half watches the database, the others one run each
	isTold    = "told"
)

// watchChild commits all it can, in one run or in all, while consumers watch, each from the version
// that the parent remembers for it. A consumer handles a commit by telling the parent.
func watchChild(k task) error {
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	l := &loader{task: k, db: db}
	if err := l.setUp(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for i := range consumers {
		wg.Go(func() {
			if err := l.consume(i, k.From[i]); err != nil {
				say(line{Is: isError, Recovery: err.Error()})
			}
		})
	}
	for i := range workers {
		rng := rand.New(rand.NewPCG(k.Seed, uint64(i)))
		wg.Go(func() {
			for {
				if err := l.step(i, rng); err != nil {
					say(line{Is: isError, Recovery: err.Error()})
				}
				time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
			}
		})
	}
	say(line{Is: isReady})
	wg.Wait()
	return nil
}

// consume watches, and now and then leaves and comes back.
func (l *loader) consume(i int, from uint64) error {
	rng := rand.New(rand.NewPCG(l.task.Seed, uint64(100+i)))
	for {
		o := inmem.WatchOptions{From: from, Values: inmem.ReplayValues(i % 3)}
		w := l.db.Watch(background, o)
		if i >= consumers/2 {
			w = l.bank[i%banks].Watch(background, o)
		}
		leave := rng.IntN(200)
		for c, err := range w {
			if err != nil {
				return err
			}
			say(line{Is: isTold, Op: fmt.Sprint(i), Version: c.Version, Run: c.Run})
			from = c.Version // its other parts are told again; the parent knows which it has
			if leave--; leave < 0 {
				break
			}
			if i%3 == 1 {
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
			}
		}
	}
}

// seen is what a consumer has handled.
type seen struct {
	order []place // run, and version as key
	has   map[place]bool
	last  uint64
}

func (s *seen) handle(t *testing.T, version uint64, run string) {
	t.Helper()
	p := place{run: run, key: fmt.Sprint(version)}
	if s.has[p] {
		require.Equal(t, s.last, version, "told again")
		return
	}
	require.GreaterOrEqual(t, version, s.last, "out of order")
	s.has[p], s.last = true, version
	s.order = append(s.order, p)
}

// Ten consumers in processes that are killed again and again: what a consumer was told is there
// after every crash, and in the end each was told every commit that is there, once and in order.
func TestKillWatchers(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Batched, inmem.Strict} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			killWatchers(t, mode)
		})
	}
}

func killWatchers(t *testing.T, mode inmem.Durability) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng, dir := rand.New(rand.NewPCG(seed, 0)), t.TempDir()
	all := make([]*seen, consumers)
	for i := range all {
		all[i] = &seen{has: map[place]bool{}}
	}
	for range rounds(t) {
		watchAndKill(t, task{Name: "watch", Dir: dir, Mode: mode, Seed: rng.Uint64()}, all,
			time.Duration(50+rng.IntN(250))*time.Millisecond)
	}
	db := open(t, dir, task{Mode: mode}.options())
	put(t, bankRun(t, db, 0).KV(), "end", "0")
	end, err := db.Update(t.Context(), func(tx *inmem.Tx) error {
		for i := range banks {
			if _, err := tx.On(bankRun(t, db, i)).KV().Put(t.Context(), "end", inmem.Int(1)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	want := map[string][]place{}
	for i, s := range all {
		w, parts := db.Watch(t.Context(), inmem.WatchOptions{From: s.last}), banks
		if i >= consumers/2 {
			w = bankRun(t, db, i%banks).Watch(t.Context(), inmem.WatchOptions{From: s.last})
			parts = 1
		}
		for c, err := range w {
			require.NoError(t, err)
			if s.handle(t, c.Version, c.Run); c.Version == end {
				if parts--; parts == 0 {
					break
				}
			}
		}
		name := "db"
		if i >= consumers/2 {
			name = bankID(i % banks)
		}
		if want[name] == nil {
			want[name] = committed(t, db, name, end)
			require.NotEmpty(t, want[name])
		}
		require.Equal(t, len(want[name]), len(s.order), "consumer %d", i)
		require.Equal(t, want[name], s.order, "consumer %d", i)
	}
	t.Logf("%d commits in the end", len(want["db"]))
	require.NoError(t, db.Close())
}

// watchAndKill runs a child until it is killed, and notes what its consumers were told.
func watchAndKill(t *testing.T, work task, all []*seen, after time.Duration) {
	for _, s := range all {
		work.From = append(work.From, s.last)
	}
	c := start(t, work)
	var once sync.Once
	c.lines(func(data []byte) {
		var l line
		require.NoError(t, json.Unmarshal(data, &l))
		switch l.Is {
		case isError:
			t.Errorf("%s", l.Recovery)
		case isReady:
			once.Do(func() { time.AfterFunc(after, c.kill) })
		case isTold:
			var i int
			_, err := fmt.Sscan(l.Op, &i)
			require.NoError(t, err)
			all[i].handle(t, l.Version, l.Run)
		}
	})
	c.wait(t)
}

func bankRun(t *testing.T, db *inmem.DB, i int) *inmem.Run {
	t.Helper()
	run, err := db.Run(t.Context(), bankID(i))
	if errors.Is(err, inmem.ErrRunNotFound) { // killed before it began
		run, err = db.BeginRun(t.Context(), inmem.RunOptions{ID: bankID(i)})
	}
	require.NoError(t, err)
	return run
}

// committed are all commits that are there, of the database or of one run.
func committed(t *testing.T, db *inmem.DB, name string, end uint64) (all []place) {
	t.Helper()
	parts := banks
	for c, err := range db.Watch(t.Context(), inmem.WatchOptions{}) {
		require.NoError(t, err)
		if name == "db" || c.Run == name {
			all = append(all, place{run: c.Run, key: fmt.Sprint(c.Version)})
		}
		if c.Version == end {
			if parts--; parts == 0 {
				return all
			}
		}
	}
	return all
}
