package inmem_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R194, R210: what deleted runs took is given back at once when that is asked for, and what lies
// between them stays.
func TestR194ReclaimDeletedRuns(t *testing.T) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(1, 194))
	var runs []*inmem.Run
	for i := range 40 {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Tags: []string{fmt.Sprint(i == 17)}})
		require.NoError(t, err)
		for k := range 20 {
			value := make([]byte, 20_000)
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
			_, err := r.KV().Put(ctx, fmt.Sprint(k), inmem.Bytes(value))
			require.NoError(t, err)
		}
		runs = append(runs, r)
	}
	for i, r := range runs {
		if i != 17 {
			require.NoError(t, d.DeleteRun(ctx, r.ID()))
		}
	}
	done, err := d.Reclaim(ctx)
	require.NoError(t, err)
	require.Less(t, done.After, uint64(2<<20), "%+v", done)
	n, err := runs[17].KV().Count(ctx, inmem.ScanOptions{})
	require.NoError(t, err)
	require.Equal(t, 20, n)
	for range 3 { // of the list of commits some are too new to go at first
		done, err = d.Reclaim(ctx)
		require.NoError(t, err)
	}
	require.Zero(t, done)
}

// R194: what stays of a deleted run, as docs/retention.md says: a tombstone, and its place in the
// database's own journal and list of commits.
func TestR194WhatDeletedRunsLeave(t *testing.T) {
	ctx, fs := t.Context(), vfs.NewMem()
	e, err := embedded.Open(ctx, embedded.Options{Dir: "db", FS: fs})
	require.NoError(t, err)
	d, err := inmem.OpenOn(inmem.Hooks{Backend: e}, nil)
	require.NoError(t, err)
	base, err := d.BeginRun(ctx, inmem.RunOptions{Agent: "planner", Tags: []string{"a", "b"}})
	require.NoError(t, err)
	const forks = 500
	for i := range forks {
		f, err := base.Fork(ctx, inmem.ForkOptions{Tags: []string{"c"}})
		require.NoError(t, err)
		for range 3 {
			_, err = f.KV().Put(ctx, "k", inmem.Int(int64(i)))
			require.NoError(t, err)
		}
		require.NoError(t, d.DeleteRun(ctx, f.ID()))
	}
	for range 3 {
		_, err = d.Reclaim(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())

	bytes := map[byte]int{} // by the first letter of the key
	storedIn(t, fs, "db", func(s *stored) {
		it, err := s.p.NewIter(nil)
		require.NoError(t, err)
		for ok := it.First(); ok; ok = it.Next() {
			bytes[it.Key()[0]] += len(it.Key()) + len(it.Value())
		}
		require.NoError(t, it.Close())
	})
	sum := 0
	for _, n := range bytes {
		sum += n
	}
	require.Less(t, sum/forks, 300, "%v", bytes)
}

// R194: an imported fork has nothing of runs that were there before it; a fork of it keeps none of
// their commits.
func TestR194ForksOfImportedForksKeepNothing(t *testing.T) {
	ctx := t.Context()
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	begin := func(commits int) *inmem.Run {
		r, err := d.BeginRun(ctx, inmem.RunOptions{})
		require.NoError(t, err)
		for i := range commits {
			_, err := r.KV().Put(ctx, "a", inmem.Int(int64(i)))
			require.NoError(t, err)
		}
		return r
	}
	dies, origin := begin(500), begin(1)
	fork, err := origin.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = d.ExportRun(ctx, fork.ID(), &b, inmem.ExportOptions{})
	require.NoError(t, err)
	imported, err := d.ImportRun(ctx, &b,
		inmem.ImportOptions{ID: "00000000-0000-4000-8000-000000000001"})
	require.NoError(t, err)
	_, err = imported.Fork(ctx, inmem.ForkOptions{})
	require.NoError(t, err)
	require.NoError(t, d.DeleteRun(ctx, dies.ID()))
	_, err = d.Reclaim(ctx)
	require.NoError(t, err)
	report, err := d.Verify(ctx, inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Less(t, report.Commits, uint64(100))
}
