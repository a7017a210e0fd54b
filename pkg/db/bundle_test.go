package inmem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R213, R136: random histories of runs and forks, exported and imported into an empty database and
// into one that is in use, are what they were at every version.
func TestR213BundlesOfRandomHistories(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	onEngines(t, func(t *testing.T, e engine) {
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { playBundles(t, e, uint64(seed)) })
		}
	})
}

func playBundles(t *testing.T, e engine, seed uint64) {
	source := newActor(newWorld(t, e, nil), seed)
	other, err := source.BeginRun(t.Context(), inmem.RunOptions{Tags: []string{"other"}})
	require.NoError(t, err)
	for range 40 {
		source.act(source.run)
		source.act(other)
	}
	all := replayed(t, source.run)
	at := all[source.r.IntN(len(all))].Version
	fork, err := source.run.Fork(t.Context(), inmem.ForkOptions{At: at, Tags: []string{"fork"}})
	require.NoError(t, err)
	source.spans[fork.ID()] = nil
	for range 15 {
		source.act(source.run)
		source.actWithoutSpans(fork)
	}
	require.NoError(t, other.End(t.Context(), inmem.Completed))
	empty := newWorld(t, e, nil)
	busy := newActor(newWorld(t, e, nil), seed+1)
	busy.clock.advance(time.Hour)
	for _, r := range []*inmem.Run{source.run, other, fork} {
		file, info := exported(t, source.DB, r.ID(), inmem.ExportOptions{})
		again, _ := exported(t, source.DB, r.ID(), inmem.ExportOptions{})
		require.Equal(t, file, again, "deterministic")
		for range 5 {
			busy.act(busy.run)
		}
		for _, w := range []*world{empty, busy.world} {
			copied := imported(t, w.DB, file, inmem.ImportOptions{})
			wantSameHistory(t, r, copied)
			wantSameRecord(t, r, copied)
			back, infoBack := exported(t, w.DB, copied.ID(), inmem.ExportOptions{})
			require.Equal(t, info, infoBack)
			require.Equal(t, file, back, "the bundle of an import is the one that it came from")
			hash, err := copied.StateHash(t.Context(), w.Version())
			require.NoError(t, err)
			require.Equal(t, info.StateHash, hash)
			_, err = w.ImportRun(t.Context(), bytes.NewReader(file), inmem.ImportOptions{})
			require.ErrorIs(t, err, inmem.ErrRunExists, "it never overwrites")
			health, err := w.Runs().Verify(t.Context())
			require.NoError(t, err)
			require.Empty(t, health.Faults)
		}
		for range 5 {
			busy.act(busy.run)
		}
	}
}

func (a *actor) actWithoutSpans(r *inmem.Run) {
	_, err := r.Update(a.ctx(), func(tx *inmem.Tx) error {
		a.clock.advance(time.Millisecond)
		if _, err := tx.Events().Append(a.ctx(), "type1", inmem.Int(7)); err != nil {
			return err
		}
		_, err := tx.KV().PutWithTTL(a.ctx(), fmt.Sprint("key", a.r.IntN(6)), inmem.Int(8), time.Second)
		return err
	})
	require.NoError(a.t, err)
}

// wantSameRecord demands that the record is the same, but for what says where it lies.
func wantSameRecord(t testing.TB, original, copied *inmem.Run) {
	t.Helper()
	want, err := original.Info(t.Context())
	require.NoError(t, err)
	got, err := copied.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.Commits, got.Commits)
	require.Equal(t, want.Commits, got.Imported)
	got.FirstVersion, got.LastVersion, got.Imported = want.FirstVersion, want.LastVersion, 0
	require.Equal(t, want, got)
	for range copied.Record().Ancestors(t.Context()) {
		t.Fatal("it is nobody's child")
	}
}

// What is exported at a version is what the run was there.
func TestExportAtAVersion(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		a := newActor(newWorld(t, e, nil), 7)
		for range 30 {
			a.act(a.run)
		}
		target := newWorld(t, e, nil)
		for i, c := range replayed(t, a.run) {
			if i%5 != 0 {
				continue
			}
			file, info := exported(t, a.DB, a.run.ID(), inmem.ExportOptions{At: c.Version})
			hash, err := a.run.StateHash(t.Context(), c.Version)
			require.NoError(t, err)
			require.Equal(t, hash, info.StateHash)
			require.Equal(t, c.Version, info.Run.LastVersion)
			copied := imported(t, target.DB, file, inmem.ImportOptions{})
			require.Len(t, replayed(t, copied), int(c.Number))
			require.NoError(t, target.DeleteRun(t.Context(), copied.ID()))
		}
		for _, bad := range []inmem.ExportOptions{{At: a.Version() + 1}} {
			_, err := a.ExportRun(t.Context(), a.run.ID(), io.Discard, bad)
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
		_, err := a.ExportRun(t.Context(), "0190163d-8694-739b-aea5-966c26f8ad91", io.Discard,
			inmem.ExportOptions{})
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
	})
}

// An imported run that is Active goes on: its chain of events too, and its times from here on are
// those of this database. It can be forked, and exported again with what was added.
func TestAnImportedRunGoesOn(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		source := newActor(newWorld(t, e, nil), 3)
		source.clock.advance(time.Minute) // ahead of the other
		for range 20 {
			source.act(source.run)
		}
		file, info := exported(t, source.DB, source.run.ID(), inmem.ExportOptions{})
		a := newActor(newWorld(t, e, nil), 4)
		run := imported(t, a.DB, file, inmem.ImportOptions{})
		last := replayed(t, run)[info.Run.Commits-1]
		a.spans[run.ID()] = source.spans[source.run.ID()]
		for range 20 {
			a.act(run)
		}
		all := replayed(t, run)
		require.Greater(t, len(all), int(info.Run.Commits))
		for _, c := range all[info.Run.Commits:] {
			require.Zero(t, c.Origin)
		}
		log, err := run.Events().Verify(ctx)
		require.NoError(t, err)
		require.True(t, log.Valid, log.Reason)
		fork, err := run.Fork(ctx, inmem.ForkOptions{At: last.Version})
		require.NoError(t, err)
		hash, err := fork.StateHash(ctx, last.Version)
		require.NoError(t, err)
		require.Equal(t, info.StateHash, hash)
		forkFile, forkInfo := exported(t, a.DB, fork.ID(), inmem.ExportOptions{})
		require.Equal(t, info.StateHash, forkInfo.StateHash)
		again := newWorld(t, e, nil)
		imported(t, again.DB, forkFile, inmem.ImportOptions{})
		longer, _ := exported(t, a.DB, run.ID(), inmem.ExportOptions{})
		twice := imported(t, again.DB, longer, inmem.ImportOptions{})
		wantSameStates(t, run, twice)
	})
}

// wantSameStates compares the states at every commit, and the log.
func wantSameStates(t *testing.T, original, copied *inmem.Run) {
	t.Helper()
	want, got := replayed(t, original), replayed(t, copied)
	require.Len(t, got, len(want))
	for i := range want {
		a, err := original.StateHash(t.Context(), want[i].Version)
		require.NoError(t, err)
		b, err := copied.StateHash(t.Context(), got[i].Version)
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
	wantSameLog(t, original, copied)
}

// Options put the run under another id, and into another namespace.
func TestImportOptions(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		ctx := t.Context()
		w := newWorld(t, e, nil)
		run, err := w.BeginRun(ctx, inmem.RunOptions{Tenant: "a", App: "b", Agent: "c"})
		require.NoError(t, err)
		_, err = run.KV().Put(ctx, "k", inmem.Int(1))
		require.NoError(t, err)
		file, _ := exported(t, w.DB, run.ID(), inmem.ExportOptions{})
		id := "0190163d-8694-739b-aea5-966c26f8ad91"
		var steps []inmem.BundleProgress
		copied := imported(t, w.DB, file, inmem.ImportOptions{
			ID: id, Tenant: "x", Agent: "z",
			Progress: func(p inmem.BundleProgress) { steps = append(steps, p) },
		})
		require.Equal(t, []inmem.BundleProgress{{Commits: 1, Total: 1}}, steps)
		info, err := copied.Info(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{id, "x", "b", "z"},
			[]string{info.ID, info.Tenant, info.App, info.Agent})
		page, err := w.Runs().Query(ctx, inmem.RunQuery{Tenant: "x"})
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		for _, o := range []inmem.ImportOptions{
			{ID: "no id"}, {ID: id[1:]}, {ID: strings.ReplaceAll(id, "0", "g")},
			{ID: "0190163d-8694-739b-aea5-966c26f8ad92", Tenant: "\xff"},
		} {
			_, err := w.ImportRun(ctx, bytes.NewReader(file), o)
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
	})
}

// R213: whatever byte of a bundle is damaged or missing, it is found before anything is imported.
func TestDamagedBundlesAreRefused(t *testing.T) {
	a := newActor(newWorld(t, engines[1], nil), 5)
	for range 12 {
		a.act(a.run)
	}
	file, _ := exported(t, a.DB, a.run.ID(), inmem.ExportOptions{})
	target := newWorld(t, engines[1], nil)
	before := target.Version()
	refused := func(bad []byte, at int) {
		_, err := target.ImportRun(t.Context(), bytes.NewReader(bad), inmem.ImportOptions{})
		require.ErrorIs(t, err, inmem.ErrCorrupt, "byte %d", at)
		require.ErrorContains(t, err, "at byte ")
	}
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= byte(1 << (i % 8))
		refused(bad, i)
		refused(file[:i], i)
	}
	require.Equal(t, before, target.Version(), "nothing was written")
	imported(t, target.DB, file, inmem.ImportOptions{})
}

// A reader that cannot seek is read once; its errors come back as they are.
func TestImportFromAPipe(t *testing.T) {
	ctx := t.Context()
	a := newActor(newWorld(t, engines[1], nil), 6)
	for range 12 {
		a.act(a.run)
	}
	target := newWorld(t, engines[1], nil)
	in, out := io.Pipe()
	go func() {
		_, err := a.ExportRun(context.WithoutCancel(ctx), a.run.ID(), out, inmem.ExportOptions{})
		_ = out.CloseWithError(err)
	}()
	run, err := target.ImportRun(ctx, in, inmem.ImportOptions{})
	require.NoError(t, err)
	wantSameHistory(t, a.run, run)
	trouble := errors.New("trouble")
	_, err = target.ImportRun(ctx, iotest.ErrReader(trouble), inmem.ImportOptions{})
	require.ErrorIs(t, err, trouble)
	_, err = a.ExportRun(ctx, a.run.ID(), iotest.TruncateWriter(brokenWriter{trouble}, 1<<20),
		inmem.ExportOptions{})
	require.ErrorIs(t, err, trouble)
}

type brokenWriter struct{ err error }

func (f brokenWriter) Write([]byte) (int, error) { return 0, f.err }

// Runs without a commit, and with a value of 30 MB.
func TestBundlesOfAllSizes(t *testing.T) {
	ctx := t.Context()
	w, target := newWorld(t, engines[1], nil), newWorld(t, engines[1], nil)
	file, info := exported(t, w.DB, w.run.ID(), inmem.ExportOptions{})
	require.Zero(t, info.Run.Commits)
	run := imported(t, target.DB, file, inmem.ImportOptions{})
	require.Empty(t, replayed(t, run))
	noise := make([]byte, 30<<20)
	chance := rand.NewChaCha8([32]byte{})
	_, _ = chance.Read(noise)
	large, err := w.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	_, err = large.KV().Put(ctx, "noise", inmem.Bytes(noise))
	require.NoError(t, err)
	file, info = exported(t, w.DB, large.ID(), inmem.ExportOptions{})
	require.Greater(t, info.Size, int64(30<<20))
	run = imported(t, target.DB, file, inmem.ImportOptions{})
	v, ok, err := run.KV().Get(ctx, "noise")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, v.Equal(inmem.Bytes(noise)))
}
