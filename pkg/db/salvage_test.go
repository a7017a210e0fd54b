package inmem_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// wreck is a database on disk that is to be damaged, with what its runs hold.
type wreck struct {
	dir    string
	hashes map[string]inmem.Hash
}

// newWreck makes a database of some runs, one of them a fork, one pruned, and a shared namespace;
// part of it in tables and part in the log.
func newWreck(t *testing.T) *wreck {
	t.Helper()
	ctx := t.Context()
	w := &wreck{dir: filepath.Join(t.TempDir(), "db"), hashes: map[string]inmem.Hash{}}
	d, err := inmem.Open(w.dir, nil)
	require.NoError(t, err)
	var runs []*inmem.Run
	for i := range 8 {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Agent: fmt.Sprint("agent ", i)})
		require.NoError(t, err)
		for j := range 30 {
			_, err = r.Update(ctx, func(tx *inmem.Tx) error {
				_, err := tx.KV().Put(ctx, fmt.Sprint("key ", j%7), inmem.Bytes(noise(500+j)))
				if err == nil {
					_, err = tx.Events().Append(ctx, "step", inmem.Int(int64(j)))
				}
				if err == nil && j == 20 {
					_, err = tx.KV().Delete(ctx, "key 3")
				}
				return err
			})
			require.NoError(t, err)
		}
		_, err = r.Traces().Start(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "call"})
		require.NoError(t, err)
		_, err = r.Cell("state").Init(ctx, inmem.Int(int64(i)))
		require.NoError(t, err)
		docs := r.Vectors("docs")
		_, err = docs.Create(ctx, inmem.CollectionOptions{Dim: 2, Metric: inmem.L2})
		require.NoError(t, err)
		_, err = docs.Upsert(ctx, "v", []float32{1, 0}, inmem.Null())
		require.NoError(t, err)
		runs = append(runs, r)
	}
	fork, err := runs[2].Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	_, err = fork.KV().Put(ctx, "own", inmem.Int(1))
	require.NoError(t, err)
	s, err := d.Shared(ctx, inmem.Namespace{Tenant: "acme"})
	require.NoError(t, err)
	_, err = s.KV().Put(ctx, "common", inmem.Int(7))
	require.NoError(t, err)
	require.NoError(t, d.DeleteRun(ctx, runs[7].ID()))
	require.NoError(t, runs[6].End(ctx, inmem.Completed))
	for _, r := range append(runs[:7], fork) {
		w.hashes[r.ID()], err = r.StateHash(ctx, d.Version())
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())
	w.dropLogs(t)
	return w
}

// dropLogs removes the logs of a closed database: what was in them is in tables, too; but the files
// stay, to be used again, and whoever reads them finds much of it.
func (w *wreck) dropLogs(t *testing.T) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(w.dir, "*.log"))
	require.NoError(t, err)
	for _, log := range logs {
		require.NoError(t, os.Remove(log))
	}
}

// content are all files of a directory.
func content(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range list {
		files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
	}
	return files
}

// salvage salvages, demands that the source is as it was, and that what came out is sound.
func (w *wreck) salvage(t *testing.T) (*inmem.SalvageReport, *inmem.DB) {
	t.Helper()
	before := content(t, w.dir)
	to := filepath.Join(t.TempDir(), "saved")
	report, err := inmem.Salvage(t.Context(), w.dir, to, inmem.SalvageOptions{})
	require.NoError(t, err)
	require.Equal(t, before, content(t, w.dir), "the source was changed")
	left, err := filepath.Glob(to + ".*")
	require.NoError(t, err)
	require.Empty(t, left)
	d, err := inmem.Open(to, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	sound, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, sound.Problems)
	return report, d
}

// whole counts the runs that were saved whole, and demands that they are.
func (w *wreck) whole(t *testing.T, report *inmem.SalvageReport, d *inmem.DB) int {
	t.Helper()
	n := 0
	for _, r := range report.Runs {
		hash, known := w.hashes[r.Run]
		if !known {
			continue
		}
		run, err := d.Run(t.Context(), r.Run)
		if r.Saved == inmem.SalvagedNothing {
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
			continue
		}
		require.NoError(t, err)
		found, err := run.StateHash(t.Context(), d.Version())
		require.NoError(t, err)
		if r.Saved == inmem.SalvagedWhole {
			n++
			require.Equal(t, hash, found, r.Run)
			require.Equal(t, r.Of, r.Commits)
			require.Empty(t, r.Text)
		}
	}
	return n
}

// With nothing but tables and logs left, all of it is saved.
func TestSalvageWithoutManifest(t *testing.T) {
	w := newWreck(t)
	list, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), ".sst") && !strings.HasSuffix(f.Name(), ".log") {
			require.NoError(t, os.Remove(filepath.Join(w.dir, f.Name())))
		}
	}
	_, err = inmem.Open(w.dir, nil)
	require.ErrorIs(t, err, inmem.ErrCorrupt)
	_ = os.Remove(filepath.Join(w.dir, "LOCK"))
	report, d := w.salvage(t)
	require.Equal(t, len(w.hashes), w.whole(t, report, d))
	require.Len(t, report.Runs, len(w.hashes)+1, "the deleted run came back, or the namespace did not")
	require.Empty(t, report.Problems)
	require.True(t, report.Whole())
	s, err := d.Shared(t.Context(), inmem.Namespace{Tenant: "acme"})
	require.NoError(t, err)
	v, ok, err := s.KV().Get(t.Context(), "common")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, v.Equal(inmem.Int(7)))
}

// Damage in the middle of a table costs what lies there, and nothing else; what is lost is said.
func TestSalvageWithABrokenBlock(t *testing.T) {
	w := newWreck(t)
	largest, size := "", 0
	for name, data := range content(t, w.dir) {
		if strings.HasSuffix(name, ".sst") && len(data) > size {
			largest, size = name, len(data)
		}
	}
	path := filepath.Join(w.dir, largest)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	clear(data[size/2 : size/2+100])
	require.NoError(t, os.WriteFile(path, data, 0o600))
	report, d := w.salvage(t)
	n := w.whole(t, report, d)
	require.GreaterOrEqual(t, n, 2, "a block has parts of a few runs")
	require.Less(t, n, len(w.hashes))
	require.NotEmpty(t, report.Problems)
	require.False(t, report.Whole())
	said := false
	for _, f := range report.Files {
		said = said || f.Name == largest && f.Damage != "" && f.Records > 0
	}
	require.True(t, said)
}

// A log that was not moved into tables is read, up to where it is damaged and from the next block
// on.
func TestSalvageReadsTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	d, err := inmem.Open(dir, &inmem.Options{Durability: inmem.Strict})
	require.NoError(t, err)
	w := &wreck{dir: filepath.Join(t.TempDir(), "copy"), hashes: map[string]inmem.Hash{}}
	for range 6 {
		r, err := d.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		for j := range 20 {
			_, err := r.KV().Put(t.Context(), fmt.Sprint(j), inmem.Bytes(noise(1000)))
			require.NoError(t, err)
		}
		w.hashes[r.ID()], err = r.StateHash(t.Context(), d.Version())
		require.NoError(t, err)
	}
	require.NoError(t, os.Mkdir(w.dir, 0o755))
	for name, data := range content(t, dir) { // as a kill would leave it
		if strings.HasSuffix(name, ".log") && len(data) > 80<<10 {
			data = bytes.Clone(data)
			data[70<<10] ^= 1
		}
		require.NoError(t, os.WriteFile(filepath.Join(w.dir, name), data, 0o600))
	}
	require.NoError(t, d.Close())
	report, saved := w.salvage(t)
	require.Less(t, w.whole(t, report, saved), len(w.hashes))
	require.GreaterOrEqual(t, len(report.Runs), len(w.hashes)-2, "what is lost is one block")
	require.NotEmpty(t, report.Files[0].Damage)
	cut, unsure := 0, 0
	for _, r := range report.Runs {
		if r.Saved == inmem.SalvagedCut {
			cut++
			require.NotEmpty(t, r.Text)
			require.Less(t, r.Commits, r.Of)
			require.Positive(t, r.Commits)
		}
		if r.Saved == inmem.SalvagedUnsure {
			unsure++
			require.NotEmpty(t, r.Text)
		}
	}
	require.Positive(t, cut+unsure, "nobody says what is missing")
}

// A run is cut at the first commit that cannot be read in full, and one that retention has pruned
// keeps its newest state and its events, with their hashes.
func TestSalvageCutsAndKeepsStates(t *testing.T) {
	w := newWreck(t)
	d, err := inmem.Open(w.dir, nil)
	require.NoError(t, err)
	var cut, pruned string
	for id := range w.hashes {
		run, err := d.Run(t.Context(), id)
		require.NoError(t, err)
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		switch info.Agent {
		case "agent 0":
			cut = id
		case "agent 1":
			pruned = id
		}
	}
	run, err := d.Run(t.Context(), pruned)
	require.NoError(t, err)
	_, err = d.SetRetention(t.Context(), inmem.RetentionTarget{Run: pruned}, inmem.Keep{Commits: 2})
	require.NoError(t, err)
	_, err = d.ApplyRetention(t.Context(), nil)
	require.NoError(t, err)
	checked, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, checked.Problems)
	sum, err := run.Events().Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, d.Close())
	w.dropLogs(t)
	storedIn(t, vfs.Default, w.dir, func(s *stored) {
		s.set(s.versions(s.number(cut), codec.KV, "key 5")[1], []byte{0, 0xff})
		require.NoError(t, s.p.Flush())
	})
	w.dropLogs(t)
	report, saved := w.salvage(t)
	require.Equal(t, len(w.hashes)-2, w.whole(t, report, saved))
	for _, r := range report.Runs {
		switch r.Run {
		case cut:
			require.Equal(t, inmem.SalvagedCut, r.Saved)
			require.EqualValues(t, 19, r.Commits, r.Text)
			require.EqualValues(t, 34, r.Of)
		case pruned:
			require.Equal(t, inmem.SalvagedState, r.Saved, r.Text)
			run, err := saved.Run(t.Context(), pruned)
			require.NoError(t, err)
			found, err := run.Events().Verify(t.Context())
			require.NoError(t, err)
			require.Equal(t, sum, found)
			hash, err := run.StateHash(t.Context(), saved.Version())
			require.NoError(t, err)
			require.Equal(t, w.hashes[pruned], hash)
		}
	}
}

// What cannot be salvaged is refused, and nothing is made.
func TestSalvageRefuses(t *testing.T) {
	w := newWreck(t)
	full := filepath.Join(t.TempDir(), "full")
	require.NoError(t, os.MkdirAll(filepath.Join(full, "x"), 0o755))
	place := filepath.Join(t.TempDir(), "place")
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{w.dir, full, inmem.ErrInvalidArgument},
		{w.dir, filepath.Join(w.dir, "in"), inmem.ErrInvalidArgument},
		{t.TempDir(), place, inmem.ErrInvalidArgument},
		{filepath.Join(full, "none"), place, inmem.ErrInvalidArgument},
	} {
		_, err := inmem.Salvage(t.Context(), c.from, c.to, inmem.SalvageOptions{})
		require.ErrorIs(t, err, c.want, c.from)
	}
	d, err := inmem.Open(w.dir, nil)
	require.NoError(t, err)
	_, err = inmem.Salvage(t.Context(), w.dir, place, inmem.SalvageOptions{})
	require.ErrorIs(t, err, inmem.ErrLocked)
	require.NoError(t, d.Close())
	left, err := filepath.Glob(place + "*")
	require.NoError(t, err)
	require.Empty(t, left)
}

// What deleted runs have left comes back when only tables are read. It is no damage: entries of the
// index of runs are made anew.
func TestSalvageBesideDeletedRuns(t *testing.T) {
	ctx := t.Context()
	w := &wreck{dir: filepath.Join(t.TempDir(), "db"), hashes: map[string]inmem.Hash{}}
	d, err := inmem.Open(w.dir, nil)
	require.NoError(t, err)
	var runs []*inmem.Run
	for i := range 4 {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Agent: fmt.Sprint("agent ", i), Tags: []string{"x"}})
		require.NoError(t, err)
		_, err = r.KV().Put(ctx, "a", inmem.Int(1))
		require.NoError(t, err)
		runs = append(runs, r)
	}
	for _, r := range slices.Concat(runs[:1], runs[2:]) {
		w.hashes[r.ID()], err = r.StateHash(ctx, d.Version())
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())
	e, err := embedded.Open(ctx, embedded.Options{Dir: w.dir})
	require.NoError(t, err)
	d, err = inmem.OpenOn(inmem.Hooks{Backend: e}, nil)
	require.NoError(t, err)
	require.NoError(t, d.DeleteRun(ctx, runs[1].ID()))
	require.Eventually(t, func() bool { return e.Stats().Freed == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, d.Close())
	w.dropLogs(t)
	report, saved := w.salvage(t)
	require.Equal(t, len(w.hashes), w.whole(t, report, saved))
	for _, p := range report.Problems {
		require.False(t, p.Derived(), "%s", p.String())
	}
	require.Len(t, report.Problems, report.Found)
}
