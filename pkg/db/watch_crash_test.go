package inmem_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What a watch has told is there after every crash: the machine stops before every operation of the
// file system while commits are made, with none, half and all of what was not synced kept.
func TestWatchSurvivesCrashes(t *testing.T) {
	for _, mode := range []embedded.Mode{embedded.Strict, embedded.Batched, embedded.Async} {
		for _, kept := range []int{0, 50, 100} {
			t.Run(fmt.Sprintf("%v/kept=%d", mode, kept), func(t *testing.T) {
				watchAndCrash(t, mode, kept)
			})
		}
	}
}

// toldBefore is a disk, and what had been told when it was copied.
type toldBefore struct {
	fs   *disktest.Disk
	told []told
}

func watchAndCrash(t *testing.T, mode embedded.Mode, kept int) {
	mem := disktest.New()
	var mu sync.Mutex // guards what follows
	var points []toldBefore
	var so []told
	rng := rand.New(rand.NewPCG(uint64(kept), uint64(mode)))
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		known := so[:len(so):len(so)]
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
		points = append(points, toldBefore{fs: clone, told: known})
		return nil
	})
	o := embedded.Options{
		Dir: "db", FS: errorfs.Wrap(mem, crash), Mode: mode, SweepInterval: -1,
		SyncInterval: 2 * time.Millisecond,
	}
	db, run := openWatched(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		for c, err := range db.Watch(ctx, inmem.WatchOptions{}) {
			if err != nil {
				return
			}
			mu.Lock()
			so = append(so, tell(c))
			mu.Unlock()
		}
	})
	for i := range 40 {
		putText(t, run.KV(), fmt.Sprint(i%7), fmt.Sprint(i))
		time.Sleep(time.Duration(i%4) * time.Millisecond)
	}
	require.NoError(t, db.Flush(t.Context()))
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(so) == 40
	}, 10*time.Second, time.Millisecond)
	cancel()
	watching.Wait()
	require.NoError(t, db.Close())

	o.SyncInterval = 0
	step := 1 + len(points)/40
	for i := len(points) - 1; i >= 0; i -= step {
		p := points[i]
		if len(p.told) == 0 {
			continue
		}
		o.FS = p.fs
		e, err := embedded.Open(t.Context(), o)
		require.NoError(t, err)
		db, err := inmem.OpenOn(inmem.Hooks{Backend: e}, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, db.Version(), p.told[len(p.told)-1].Version)
		require.Equal(t, p.told, take(t, db.Watch(t.Context(), inmem.WatchOptions{}), len(p.told)))
		require.NoError(t, db.Close())
	}
}

func openWatched(t *testing.T, o embedded.Options) (*inmem.DB, *inmem.Run) {
	t.Helper()
	e, err := embedded.Open(t.Context(), o)
	require.NoError(t, err)
	db, err := inmem.OpenOn(inmem.Hooks{Backend: e}, nil)
	require.NoError(t, err)
	return db, beginRun(t, db)
}
