//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// asCommand makes the test binary the command itself: a process of its own, with signals and pipes.
const asCommand = "INMEM_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process is a command in a process of its own.
type process struct {
	*exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errs   bytes.Buffer
	closer io.Closer // of out
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{Cmd: exec.Command(exe, args...)}
	p.Env = append(os.Environ(), asCommand+"=1", environment+"="+dir, "TZ=UTC")
	p.Stderr = &p.errs
	p.in, err = p.StdinPipe()
	require.NoError(t, err)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.out, p.closer = bufio.NewReader(out), out
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		_ = p.Process.Kill() // it has ended, unless the test failed
		_ = p.Wait()
	})
	return p
}

// ends waits for the end, and returns the exit code.
func (p *process) ends(t *testing.T) int {
	t.Helper()
	_, err := io.Copy(io.Discard, p.out)
	require.NoError(t, err)
	_ = p.Wait() // the code tells
	return p.ProcessState.ExitCode()
}

// sound opens the database as the next process would: it was closed, and nothing is missing.
func sound(t *testing.T, dir string) {
	t.Helper()
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	require.True(t, db.Recovery().Clean, "the process that was stopped has closed it")
	run, err := db.Run(context.Background(), planned)
	require.NoError(t, err)
	v, err := run.Events().Verify(context.Background())
	require.NoError(t, err)
	require.True(t, v.Valid, v.Reason)
	require.NoError(t, db.Close())
}

// put gives the fork a large value.
func put(t *testing.T, w *world, v inmem.Value) {
	t.Helper()
	db, err := inmem.Open(w.dir(), nil)
	require.NoError(t, err)
	run, err := db.Run(context.Background(), forking)
	require.NoError(t, err)
	_, err = run.KV().Put(context.Background(), "large", v)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// Ctrl-C while a command waits for input, with the database open: it is closed, the code says so.
func TestCtrlCClosesTheDatabase(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	p := start(t, w.dir(), "replay", planned, "--step")
	_, err := p.out.ReadString('\n')
	require.NoError(t, err)
	_, err = inmem.Open(w.dir(), nil)
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.Equal(t, exitStopped, p.ends(t))
	require.Empty(t, p.errs.String())
	sound(t, w.dir())
}

// Ctrl-C in the middle of an import: nothing of the run is there.
func TestCtrlCInAnImport(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	noise := make([]byte, 512<<10) // half of it is more than a pipe holds: the process reads by then
	_, err := rand.NewChaCha8([32]byte{}).Read(noise)
	require.NoError(t, err)
	put(t, w, inmem.Bytes(noise))
	w.do("export", forking, "--out", "-")
	require.Zero(t, w.code, w.err)
	bundle := w.out
	const id = "01a20000-0000-7000-8000-0000000000aa"
	p := start(t, w.dir(), "import", "-", "--id", id)
	_, err = io.WriteString(p.in, bundle[:len(bundle)/2])
	require.NoError(t, err)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.Equal(t, exitStopped, p.ends(t))
	sound(t, w.dir())
	w.do("show", id)
	require.Equal(t, exitNotFound, w.code)
}

// beside opens the database as soon as the other process has closed it for a moment.
func beside(t *testing.T, dir string, fn func(db *inmem.DB)) {
	t.Helper()
	for {
		db, err := inmem.Open(dir, nil)
		if err == nil {
			fn(db)
			require.NoError(t, db.Close())
			return
		}
		require.ErrorIs(t, err, inmem.ErrLocked)
	}
}

// Watching shows a page again when it has changed.
func TestWatchRuns(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	p := start(t, w.dir(), "runs", "--watch", "--interval", "5ms", "--json", "--limit", "1")
	line, err := p.out.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, forking)
	const id = "01a40000-0000-7000-8000-000000000001"
	beside(t, w.dir(), func(db *inmem.DB) {
		_, err := db.BeginRun(context.Background(), inmem.RunOptions{ID: id})
		require.NoError(t, err)
	})
	line, err = p.out.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, id)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.Equal(t, exitOK, p.ends(t))
	sound(t, w.dir())
}

// Following ends with Ctrl-C, which is no failure; meanwhile others write, and are told.
func TestFollowEvents(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	p := start(t, w.dir(), "events", forking, "--follow", "--interval", "5ms", "--json")
	line, err := p.out.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"seq":0`)
	beside(t, w.dir(), func(db *inmem.DB) {
		run, err := db.Run(context.Background(), forking)
		require.NoError(t, err)
		_, err = run.Events().Append(context.Background(), "more", inmem.Int(7))
		require.NoError(t, err)
	})
	line, err = p.out.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"seq":1`)
	require.Contains(t, line, `"more"`)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.Equal(t, exitOK, p.ends(t))
	sound(t, w.dir())
}

// Whoever reads the output may go away: inmem scan | head.
func TestBrokenPipeIsQuiet(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	put(t, w, inmem.Bytes(make([]byte, 1<<20))) // more than any pipe holds
	for _, args := range [][]string{
		{"scan", forking, "--full"}, {"state", forking, "--json"}, {"replay", forking, "--json"},
	} {
		p := start(t, w.dir(), args...)
		_, err := p.out.ReadByte()
		require.NoError(t, err)
		require.NoError(t, p.closer.Close())
		_ = p.Wait() // the code tells
		require.Equal(t, exitOK, p.ProcessState.ExitCode(), args)
		require.Empty(t, p.errs.String())
		sound(t, w.dir())
	}
}

// A database that another process holds: which one, and what to do.
func TestLockedDatabase(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	p := start(t, w.dir(), "replay", planned, "--step")
	_, err := p.out.ReadString('\n')
	require.NoError(t, err)
	text := w.run("runs")
	require.Equal(t, exitConflict, w.code)
	require.Contains(t, text, "by process <pid>")
	require.Contains(t, w.err, "end that process")
	require.NoError(t, p.in.Close())
	require.Equal(t, exitOK, p.ends(t), "the end of the input is the end of the steps")
	sound(t, w.dir())
}
