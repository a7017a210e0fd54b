package crashtest

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// inspectedChild has a database open, lets others look, and goes on committing until its input
// ends.
func inspectedChild(k task) error {
	o := k.options()
	o.Inspect = inmem.InspectBySocket
	db, err := inmem.Open(k.Dir, o)
	if err != nil {
		return err
	}
	run, err := db.BeginRun(background, inmem.RunOptions{})
	if err != nil {
		return err
	}
	version, err := run.KV().Put(background, "k", inmem.Int(0))
	if err != nil {
		return err
	}
	say(line{Is: isReady, Run: run.ID(), Version: version})
	for i := 1; ; i++ {
		if _, err := run.KV().Put(background, "k", inmem.Int(int64(i))); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// ready waits until a child is at work, and returns what it said.
func ready(t *testing.T, c *child) line {
	t.Helper()
	found := make(chan line, 1)
	go c.lines(func(data []byte) {
		var l line
		if json.Unmarshal(data, &l) == nil && l.Is == isReady {
			found <- l
		}
	})
	select {
	case l := <-found:
		return l
	case <-time.After(time.Minute):
		t.Fatal("the child is not ready", c.stderr)
		return line{}
	}
}

func needsSockets(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no sockets in directories")
	}
}

// copiesOf are the directories that were made for those who look.
func copiesOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(dir + ".inspect-*")
	require.NoError(t, err)
	return found
}

// A database that another process holds is looked at through a checkpoint, while that process goes
// on; the checkpoint goes with whoever looks; and what a killed owner leaves is in nobody's way.
func TestInspectAcrossProcesses(t *testing.T) {
	needsSockets(t)
	dir := filepath.Join(t.TempDir(), "d")
	if runtime.GOOS == "linux" { // a path that no socket can have
		dir = filepath.Join(t.TempDir(), strings.Repeat("long", 20), strings.Repeat("path", 20))
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(dir), 0o755))
	c := start(t, task{Name: "inspected", Dir: dir, Mode: inmem.Batched})
	told := ready(t, c)
	info, err := os.Stat(filepath.Join(dir, "INSPECT"))
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o600, info.Mode())
	_, err = inmem.Open(dir, nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	last := told.Version
	for range 3 {
		d, found, err := inmem.Inspect(t.Context(), dir, nil)
		require.NoError(t, err)
		require.Equal(t, c.pid(), found.PID)
		require.GreaterOrEqual(t, found.Version, last)
		require.Equal(t, found.Version, d.Version())
		last = found.Version
		run, err := d.Run(t.Context(), told.Run)
		require.NoError(t, err)
		_, ok, err := run.KV().Get(t.Context(), "k")
		require.NoError(t, err)
		require.True(t, ok)
		require.Len(t, copiesOf(t, dir), 1)
		require.NoError(t, d.Close())
		require.Empty(t, copiesOf(t, dir))
	}
	// Who looks when the owner is killed keeps what it has.
	d, _, err := inmem.Inspect(t.Context(), dir, nil)
	require.NoError(t, err)
	c.kill()
	c.wait(t)
	report, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.NoError(t, d.Close())
	// The socket of the dead is there, and nobody answers; the next owner puts its own there.
	_, _, err = inmem.Inspect(t.Context(), dir, nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	next := start(t, task{Name: "inspected", Dir: dir, Mode: inmem.Strict})
	ready(t, next)
	d, found, err := inmem.Inspect(t.Context(), dir, nil)
	require.NoError(t, err)
	require.Equal(t, next.pid(), found.PID)
	require.NoError(t, d.Close())
}

// Whatever is said on the socket, or not said, the owner goes on, serves others, and closes.
func TestInspectWithstandsItsGuests(t *testing.T) {
	needsSockets(t)
	dir := filepath.Join(t.TempDir(), "d")
	d, err := inmem.Open(dir, &inmem.Options{Inspect: inmem.InspectBySocket})
	require.NoError(t, err)
	socket := filepath.Join(dir, "INSPECT")
	dial := func() net.Conn {
		c, err := net.Dial("unix", socket)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for _, said := range []string{
		"", "\n", "{}\n", "null\n", "[1]\n", `{"inmem":2,"ask":"checkpoint"}` + "\n",
		`{"inmem":1,"ask":"everything"}` + "\n", strings.Repeat("x", 10_000) + "\n", "\x00\xff\n",
	} {
		c := dial()
		_, _ = c.Write([]byte(said)) // the other side may have ended already
		require.NoError(t, c.Close())
	}
	// One that asks and goes away leaves nothing behind. (It is sent away, and its write may fail,
	// until those before it are served.)
	require.Eventually(t, func() bool {
		c := dial()
		_, err := c.Write([]byte(`{"inmem":1,"ask":"checkpoint"}` + "\n"))
		require.NoError(t, c.Close())
		return err == nil
	}, time.Minute, time.Millisecond)
	look := func() (*inmem.DB, error) {
		d, _, err := inmem.Inspect(t.Context(), dir, nil)
		return d, err
	}
	require.Eventually(t, func() bool {
		copied, err := look()
		return err == nil && copied.Close() == nil && len(copiesOf(t, dir)) == 0
	}, time.Minute, time.Millisecond)
	// Many that say nothing keep others out for a while only, and Close for no time.
	for range 30 {
		dial()
	}
	if _, err := look(); err != nil {
		require.ErrorIs(t, err, inmem.ErrLocked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = inmem.Inspect(ctx, dir, nil)
	require.ErrorIs(t, err, inmem.ErrCanceled)
	require.NoError(t, d.Close())
	_, err = os.Stat(socket)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, d.Close())
}

// Without the option the error says who has it, and what to do.
func TestInspectIsOptIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	d, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	_, _, err = inmem.Inspect(t.Context(), dir, nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.ErrorContains(t, err, "Options.Inspect")
	require.NoError(t, d.Close())
	_, err = inmem.Open("", &inmem.Options{Durability: inmem.None, Inspect: inmem.InspectBySocket})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}
