package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// counted hides what a sequence yields.
func counted[T any](s iter.Seq2[T, error]) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		n := 0
		for _, err := range s {
			if !yield(n, err) {
				return
			}
			n++
		}
	}
}

// semantics 2.8: every sequence ends with ErrCanceled soon after its context is cancelled in the
// middle, yields nothing behind that, and leaves no goroutine and no hold on history behind; nor
// does one that was left early.
func TestSequencesEndWithTheirContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d, err := inmem.Open(t.TempDir(), &inmem.Options{RetentionInterval: -1})
	require.NoError(t, err)
	ctx := t.Context()
	run, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	const commits, per = 400, 5
	for i := range commits {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			for k := range per {
				_, e1 := tx.KV().Put(ctx, fmt.Sprintf("k%06d", i*per+k), inmem.Int(int64(i)))
				_, e2 := tx.Cell(fmt.Sprintf("c%06d", i*per+k)).Store(ctx, inmem.Int(int64(i)))
				_, e3 := tx.Events().Append(ctx, fmt.Sprintf("t%d", i*per+k), inmem.Int(1))
				if err := errors.Join(e1, e2, e3); err != nil {
					return err
				}
			}
			_, e1 := tx.KV().Put(ctx, "hot", inmem.Int(int64(i)))
			_, e2 := tx.Cell("hot").Store(ctx, inmem.Int(int64(i)))
			_, e3 := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanThought})
			_, e4 := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanThought, Name: "x"})
			return errors.Join(e1, e2, e3, e4)
		})
		require.NoError(t, err)
	}
	for range 600 {
		_, err := d.BeginRun(ctx, inmem.RunOptions{Parent: run.ID()})
		require.NoError(t, err)
	}
	other, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Flush(ctx))
	for name := range sequences(ctx, d, run, other) {
		c, cancel := context.WithCancel(ctx)
		n := 0
		var last error
		for _, err := range sequences(c, d, run, other)[name] {
			require.NoError(t, last, "%s yields behind an error", name)
			if last = err; err == nil {
				n++
			}
			if n == 10 {
				cancel()
			}
		}
		cancel()
		require.ErrorIs(t, last, inmem.ErrCanceled, name)
		require.Less(t, n, 300, name)
		again := sequences(ctx, d, run, other)[name]
		for range 2 {
			for _, err := range again {
				require.NoError(t, err)
				break
			}
		}
	}
	setRetention(t, d, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
	r, err := d.ApplyRetention(ctx, nil)
	require.NoError(t, err)
	for _, x := range r.Runs {
		require.Empty(t, x.HeldBy)
	}
	require.NoError(t, d.Close())
}

// sequences are all that tell of a run, or of all.
func sequences(c context.Context, d *inmem.DB, run, other *inmem.Run,
) map[string]iter.Seq2[int, error] {
	return map[string]iter.Seq2[int, error]{
		"scan":    counted(run.KV().Scan(c, inmem.ScanOptions{})),
		"rscan":   counted(run.KV().Scan(c, inmem.ScanOptions{Reverse: true})),
		"list":    counted(run.KV().List(c, inmem.ScanOptions{})),
		"history": counted(run.KV().History(c, "hot")),
		"chist":   counted(run.Cell("hot").History(c)),
		"cells":   counted(run.Cells().List(c, "")),
		"events":  counted(run.Events().List(c, inmem.EventOptions{})),
		"revents": counted(run.Events().List(c, inmem.EventOptions{Reverse: true})),
		"range":   counted(run.Events().Range(c, 0, 1<<40)),
		"types":   counted(run.Events().Types(c)),
		"spans":   counted(run.Traces().List(c, inmem.SpanFilter{})),
		"replay":  counted(run.Replay(c, inmem.ReplayOptions{})),
		"replayO": counted(run.Replay(c, inmem.ReplayOptions{Values: inmem.OldAndNewValues})),
		"replayN": counted(run.Replay(c, inmem.ReplayOptions{Values: inmem.NoValues})),
		"watch":   counted(run.Watch(c, inmem.WatchOptions{})),
		"dwatch":  counted(d.Watch(c, inmem.WatchOptions{})),
		"diff": counted(d.DiffEntries(c, inmem.Point{Run: run}, inmem.Point{Run: other},
			inmem.DiffOptions{})),
		"runs":     counted(d.Runs().All(c, inmem.RunQuery{})),
		"children": counted(run.Record().Children(c)),
	}
}
