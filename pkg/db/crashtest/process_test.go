package crashtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// held starts a child that holds the directory, and returns when it does.
func held(t *testing.T, dir string) *child {
	t.Helper()
	c := start(t, task{Name: "hold", Dir: dir, Mode: inmem.Batched})
	opened := make(chan struct{})
	var once sync.Once
	go c.lines(func([]byte) { once.Do(func() { close(opened) }) })
	select {
	case <-opened:
	case <-time.After(30 * time.Second):
		t.Fatalf("the child does not open: %s", c.stderr)
	}
	return c
}

// A second process is refused at once, with the owner's pid, and changes nothing; when the owner is
// killed, the directory is free.
func TestKillOwnerFreesTheDirectory(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	db := open(t, dir, nil)
	run := begin(t, db)
	put(t, run.KV(), "k", "v")
	require.NoError(t, db.Close())
	for range 3 {
		c := held(t, dir)
		before := files(t, dir)
		at := time.Now()
		_, err := inmem.Open(dir, nil)
		require.ErrorIs(t, err, inmem.ErrLocked)
		require.ErrorContains(t, err, fmt.Sprint(c.pid()))
		require.ErrorContains(t, err, dir)
		require.Less(t, time.Since(at), 2*time.Second)
		after := files(t, dir)
		requireSame(t, before, after)

		c.kill()
		c.wait(t)
		db := open(t, dir, nil)
		require.False(t, db.Recovery().Clean)
		again, err := db.Run(t.Context(), run.ID())
		require.NoError(t, err)
		require.Equal(t, "v", get(t, again.KV(), "k"))
		require.NoError(t, db.Close())
	}
}

// A second handle of the same process is refused, and the refusal does not take the first one's
// lock away.
func TestSecondHandleIsRefused(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "db")
	db := open(t, dir, nil)
	run := begin(t, db)
	link := filepath.Join(parent, "link")
	require.NoError(t, os.Symlink(dir, link))
	for _, name := range []string{dir, dir + "/", filepath.Join(parent, "x", "..", "db")} {
		_, err := inmem.Open(name, nil)
		require.ErrorIs(t, err, inmem.ErrLocked, name)
	}
	c := start(t, task{Name: "hold", Dir: dir, Mode: inmem.Batched})
	c.lines(func(text []byte) { t.Errorf("a second owner: %s", text) })
	require.Error(t, c.cmd.Wait())
	require.Contains(t, c.stderr.String(), fmt.Sprintf("process %d", os.Getpid()))
	put(t, run.KV(), "still", "works")
	require.NoError(t, db.Close())
	db = open(t, link, nil)
	require.NoError(t, db.Close())
}

// R007: databases in one process know nothing of each other.
func TestR007DatabasesDoNotCrossTalk(t *testing.T) {
	const many = 4
	var dbs [many]*inmem.DB
	var runs [many]*inmem.Run
	id := bankID(0) // the same everywhere
	for i := range dbs {
		dbs[i] = open(t, t.TempDir(), &inmem.Options{Durability: inmem.Durability(1 + i)})
		var err error
		runs[i], err = dbs[i].BeginRun(t.Context(), inmem.RunOptions{ID: id})
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for i := range dbs {
		wg.Go(func() {
			for n := range 50 * (i + 1) {
				if _, err := runs[i].KV().Put(background, fmt.Sprint(n), inmem.Int(int64(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, dbs[1].Close())
	for i, run := range runs {
		if i == 1 {
			_, _, err := run.KV().Get(t.Context(), "0")
			require.ErrorIs(t, err, inmem.ErrClosed)
			continue
		}
		n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, 50*(i+1), n)
		for p, err := range run.KV().Scan(t.Context(), inmem.ScanOptions{}) {
			require.NoError(t, err)
			require.True(t, p.Value.Equal(inmem.Int(int64(i))))
		}
	}
	// A run of one database in a transaction of another must be refused, not written somewhere.
	_, err := dbs[0].Update(t.Context(), func(tx *inmem.Tx) error {
		_, err := tx.On(runs[2]).KV().Put(t.Context(), "foreign", inmem.Int(1))
		return err
	})
	require.Error(t, err)
	for _, i := range []int{0, 2} {
		ok, err := runs[i].KV().Exists(t.Context(), "foreign")
		require.NoError(t, err)
		require.False(t, ok, "database %d", i)
	}
}

// R012: a copy of a closed directory is an identical clone, and lives a life of its own.
func TestReopenCopyIsAClone(t *testing.T) {
	dir, clone := t.TempDir(), filepath.Join(t.TempDir(), "clone")
	db := open(t, dir, nil)
	run := begin(t, db)
	for i := range 100 {
		put(t, run.KV(), fmt.Sprint(i%30), fmt.Sprint(i))
	}
	_, err := run.KV().Delete(t.Context(), "7")
	require.NoError(t, err)
	version := db.Version()
	require.NoError(t, db.Close())
	require.NoError(t, os.CopyFS(clone, os.DirFS(dir)))
	a, b := open(t, dir, nil), open(t, clone, nil)
	require.Equal(t, version, a.Version())
	require.Equal(t, version, b.Version())
	ra, err := a.Run(t.Context(), run.ID())
	require.NoError(t, err)
	rb, err := b.Run(t.Context(), run.ID())
	require.NoError(t, err)
	for i := range 30 {
		ea, err := ra.KV().GetVersioned(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		eb, err := rb.KV().GetVersioned(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		require.Equal(t, ea, eb)
	}
	put(t, ra.KV(), "only", "a")
	require.Empty(t, get(t, rb.KV(), "only"))
	require.NoError(t, a.Close())
	put(t, rb.KV(), "only", "b")
	require.NoError(t, b.Close())
}

// requireSame holds a directory against what it was, but for what its owner does meanwhile: it is
// alive, notes in INMEM what has become durable, and removes logs that its opening has read.
func requireSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for _, name := range []string{"INMEM", "INMEM.tmp"} {
		delete(before, name)
		delete(after, name)
	}
	for name := range before {
		if _, there := after[name]; !there && filepath.Ext(name) == ".log" {
			delete(before, name)
		}
	}
	require.Equal(t, before, after, "a refused open changed a file")
}

// files is the content of a directory, without what is removed meanwhile.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	m := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		m[e.Name()] = string(data)
	}
	return m
}
