package crashtest

import (
	"encoding/json"
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

// checkpointChild commits, makes checkpoints and restores them, until it is killed. It tells the
// version of each checkpoint and what is committed.
func checkpointChild(k task) error {
	db, err := inmem.Open(filepath.Join(k.Dir, "db"), k.options())
	if err != nil {
		return err
	}
	l := &loader{task: k, db: db}
	if err := l.setUp(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for i := range workers {
		rng := rand.New(rand.NewPCG(k.Seed, uint64(i)))
		wg.Go(func() {
			for {
				if err := l.step(i, rng); err != nil {
					say(line{Is: isError, Recovery: err.Error()})
				}
			}
		})
	}
	say(line{Is: isReady})
	for n := 0; ; n++ {
		name := fmt.Sprintf("%x-%d", k.Seed, n)
		info, err := db.Checkpoint(background, filepath.Join(k.Dir, "copy-"+name))
		if err != nil {
			return err
		}
		say(line{Is: isDurable, Version: info.Version, Run: "copy-" + name})
		_, err = inmem.Restore(background, filepath.Join(k.Dir, "copy-"+name),
			filepath.Join(k.Dir, "restored-"+name))
		if err != nil {
			return err
		}
		say(line{Is: isDurable, Version: info.Version, Run: "restored-" + name})
	}
}

// R123, R124, with real processes: a kill at any moment of a checkpoint or a restore leaves either
// all of it or nothing in its place, and the database itself has everything that was promised, what
// is in a checkpoint included.
func TestR123KillWhileCheckpointing(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Batched, inmem.Strict} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng, dir := rand.New(rand.NewPCG(seed, 0)), t.TempDir()
			known := newLedger()
			checked := 0
			for range rounds(t) {
				versions := killCheckpoints(t, task{
					Name: "checkpoint", Dir: dir, Mode: mode, Seed: rng.Uint64(),
				}, known, time.Duration(rng.IntN(200))*time.Millisecond)
				db := open(t, filepath.Join(dir, "db"), task{Mode: mode}.options())
				known.verify(t, db, mode)
				checked += checkCopies(t, dir, db, versions)
				require.NoError(t, db.Close())
			}
			t.Logf("%d copies", checked)
		})
	}
}

// killCheckpoints runs a child and kills it; it returns the versions of what the child has made.
func killCheckpoints(
	t *testing.T, k task, known *ledger, after time.Duration,
) map[string]uint64 {
	c := start(t, k)
	versions := map[string]uint64{}
	var once sync.Once
	c.lines(func(data []byte) {
		known.note(t, data)
		var l line
		require.NoError(t, json.Unmarshal(data, &l))
		switch {
		case l.Is == isReady:
			once.Do(func() { time.AfterFunc(after, c.kill) })
		case l.Is == isDurable && l.Run != "":
			versions[l.Run] = l.Version
		}
	})
	c.wait(t)
	return versions
}

// checkCopies opens what is there, holds it to what was told and to the database, and removes it.
func checkCopies(t *testing.T, dir string, db *inmem.DB, versions map[string]uint64) (n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Name() == "db" {
			continue
		}
		if filepath.Ext(path) != ".partial" {
			n++
			c := open(t, path, nil)
			r := c.Recovery()
			require.True(t, r.Clean)
			require.False(t, r.Created)
			require.LessOrEqual(t, r.Version, db.Recovery().Version, "a copy outlives its source")
			if v, ok := versions[e.Name()]; ok {
				require.Equal(t, v, r.Version)
				delete(versions, e.Name())
			}
			equalAt(t, db, c, r.Version)
			require.NoError(t, c.Close())
		}
		require.NoError(t, os.RemoveAll(path))
	}
	require.Empty(t, versions, "told and not there")
	return n
}

// equalAt compares what the banks held in two databases at a version.
func equalAt(t *testing.T, a, b *inmem.DB, version uint64) {
	t.Helper()
	for i := range banks {
		var pairs [2]map[string]string
		for j, db := range []*inmem.DB{a, b} {
			run, err := db.Run(t.Context(), bankID(i))
			require.NoError(t, err)
			view, err := run.At(t.Context(), version)
			require.NoError(t, err)
			pairs[j] = map[string]string{}
			for p, err := range view.KV().Scan(t.Context(), inmem.ScanOptions{}) {
				require.NoError(t, err)
				pairs[j][p.Key] = p.Value.String()
			}
			require.NoError(t, view.Close())
		}
		require.NotEmpty(t, pairs[0])
		require.Equal(t, pairs[0], pairs[1])
	}
}

// What another process holds is neither opened nor restored from, and
// the error names the process.
func TestRestoreFromWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	c := held(t, dir)
	before := files(t, dir)
	to := filepath.Join(t.TempDir(), "new")
	_, err := inmem.Restore(t.Context(), dir, to)
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.ErrorContains(t, err, fmt.Sprint(c.pid()))
	_, err = inmem.Open(dir, nil) // nobody else can make a checkpoint of it
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.ErrorContains(t, err, fmt.Sprint(c.pid()))
	_, err = os.Stat(to)
	require.ErrorIs(t, err, os.ErrNotExist)
	after := files(t, dir)
	for _, name := range []string{"INMEM", "INMEM.tmp"} {
		delete(before, name)
		delete(after, name)
	}
	require.Equal(t, before, after)
	c.kill()
	c.wait(t)
	_, err = inmem.Restore(t.Context(), dir, to)
	require.ErrorIs(t, err, inmem.ErrInvalidArgument, "it was not closed")
	db := open(t, dir, nil)
	require.NoError(t, db.Close())
	_, err = inmem.Restore(t.Context(), dir, to)
	require.NoError(t, err)
	db = open(t, to, nil)
	require.True(t, db.Recovery().Clean)
}
