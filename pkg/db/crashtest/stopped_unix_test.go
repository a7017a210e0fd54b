//go:build unix

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func init() { children["stopped"] = stoppedChild }

// stoppedChild keeps what a stop of the process can upset: keys with deadlines, calls with
// deadlines, and a transaction that stays open. When its input tells that the stop is over it looks
// at all of them.
func stoppedChild(k task) error {
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	run, err := db.BeginRun(background, inmem.RunOptions{ID: bankID(0)})
	if err != nil {
		return err
	}
	for key, ttl := range map[string]time.Duration{"short": stop / 2, "long": time.Hour} {
		if _, err := run.KV().PutWithTTL(background, key, inmem.Int(1), ttl); err != nil {
			return err
		}
	}
	tx, err := run.Begin(background, inmem.TxOptions{})
	if err != nil {
		return err
	}
	if _, err := tx.KV().Put(background, "open", inmem.Int(1)); err != nil {
		return err
	}
	view, err := run.At(background, db.Version())
	if err != nil {
		return err
	}
	late, cancel := context.WithTimeout(background, stop/2)
	defer cancel()
	say(line{Is: isReady})
	time.Sleep(stop) // meanwhile the process is stopped, for at least as long
	<-late.Done()    // its timer is due, but may come behind that of the sleep
	if _, err := run.KV().Put(late, "late", inmem.Int(1)); !errors.Is(err, inmem.ErrTimeout) {
		return fmt.Errorf("a deadline that passed during the stop: %w", err)
	}
	for key, want := range map[string]bool{"short": false, "long": true, "late": false} {
		if ok, err := run.KV().Exists(background, key); ok != want || err != nil {
			return fmt.Errorf("%s: %t, %w", key, ok, err)
		}
	}
	// A view of the past asks no clock.
	if ok, err := view.KV().Exists(background, "short"); !ok || err != nil {
		return fmt.Errorf("short in the past: %t, %w", ok, err)
	}
	version, err := tx.Commit(background)
	if err != nil {
		return fmt.Errorf("commit of a transaction from before the stop: %w", err)
	}
	within, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	// The timer that syncs goes on.
	if err := db.WaitDurable(within, version); err != nil {
		return err
	}
	if err := view.Close(); err != nil {
		return err
	}
	return db.Close()
}

const stop = 300 * time.Millisecond

// A process that is stopped and continued holds its directory all the while, and what it had under
// way goes on: what has a deadline is judged by the clock afterwards.
func TestStoppedAndContinued(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := start(t, task{Name: "stopped", Dir: dir, Mode: mode})
			ready(t, c)
			stopFor(t, c, dir, stop+50*time.Millisecond)
			c.wait(t)
			db := open(t, dir, nil)
			require.True(t, db.Recovery().Clean)
			run, err := db.Run(t.Context(), bankID(0))
			require.NoError(t, err)
			ok, err := run.KV().Exists(t.Context(), "open")
			require.NoError(t, err)
			require.True(t, ok)
		})
	}
}

// stopFor stops a process for a while, in which the directory stays refused.
func stopFor(t *testing.T, c *child, dir string, d time.Duration) {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGSTOP))
	until := time.Now().Add(d)
	for time.Now().Before(until) {
		_, err := inmem.Open(dir, nil)
		require.ErrorIs(t, err, inmem.ErrLocked)
		require.ErrorContains(t, err, fmt.Sprint(c.pid()))
		time.Sleep(20 * time.Millisecond)
	}
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGCONT))
}

// A process under load is stopped and continued, again and again, and then killed: it went on
// after every stop, without an error, and what it was promised is there.
func TestKillAfterStops(t *testing.T) {
	mode := inmem.Batched
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir, known := t.TempDir(), newLedger()
	c := start(t, task{Name: "load", Dir: dir, Mode: mode, Seed: seed})
	var lines atomic.Int64
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.lines(func(data []byte) {
			known.note(t, data)
			lines.Add(1)
		})
	}()
	more := func() {
		at := lines.Load()
		require.Eventually(t, func() bool { return lines.Load() > at+100 }, time.Minute,
			time.Millisecond, "it does not go on")
	}
	for range 4 {
		more()
		stopFor(t, c, dir, 60*time.Millisecond)
	}
	more()
	c.kill()
	<-ended
	c.wait(t)
	db := open(t, dir, task{Mode: mode}.options())
	count := known.verify(t, db, mode)
	require.Equal(t, count.acknowledged, count.found+count.lost)
	require.NoError(t, db.Close())
}
