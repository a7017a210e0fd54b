package embedded

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// However many wait for the disk when it fails, all are answered, nobody hears of success whose
// commit a crash takes away, and the database can be closed. Some ask for a sync in a database that
// does not wait for it; some commits are so large that they go to Pebble directly.
func TestFaultAnswersAllWhoWaitForTheDisk(t *testing.T) {
	for _, mode := range []Mode{Strict, Batched} {
		for n := int64(2); n < 40; n += 3 {
			t.Run(fmt.Sprintf("%s/%d", mode, n), func(t *testing.T) { failTogether(t, mode, n) })
		}
	}
}

func failTogether(t *testing.T, mode Mode, n int64) {
	mem := disktest.New()
	b := &breaker{kinds: []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData,
		errorfs.OpFileSyncTo}, at: n, forGood: n%2 == 0, err: syscall.EIO}
	b.off.Store(true)
	slow := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			time.Sleep(200 * time.Microsecond) // so that they come together
		}
		return b.MaybeError(op)
	})
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = mode, -1, 64<<10
	o.FS, o.SyncInterval = errorfs.Wrap(mem, slow), time.Millisecond
	db, err := Open(ctx, o)
	require.NoError(t, err)
	s := newScope(t, db, 1)
	b.off.Store(false)

	const committers = 12
	var acknowledged [committers]int // how many of each
	var wg sync.WaitGroup
	for g := range committers {
		wg.Go(func() {
			for i := 1; i < 10000; i++ {
				text := fmt.Sprint(i)
				if g == 0 && i%3 == 0 {
					text += strings.Repeat(" ", 40<<10)
				}
				_, err := db.Commit(ctx, &backend.Request{Durability: backend.Durable,
					Writes: []backend.Write{put(s, fmt.Sprintf("%d/%d", g, i), text)}})
				if err != nil {
					return
				}
				acknowledged[g] = i
			}
		})
	}
	wg.Wait()
	require.Error(t, db.fault.err())
	require.Error(t, db.Close())
	o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
	again := mustOpen(t, o)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	for g, n := range acknowledged {
		for i := range n {
			key := fmt.Sprintf("%d/%d", g, i+1)
			got := value(t, again, s, key, again.Published())
			require.Equal(t, fmt.Sprint(i+1), strings.TrimSpace(got), key)
		}
	}
}
