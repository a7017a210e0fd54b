package inmem_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A run of 10,000 commits, each with an event, a key and a cell: about 5 MB. What is measured is
// the size of the content in the words of its user: keys and values.
func BenchmarkBundles(b *testing.B) {
	const commits = 10_000
	ctx := context.Background()
	d, err := inmem.Open(b.TempDir(), nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, d.Close()) }()
	run, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(b, err)
	size := 0
	for i := range commits {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			key := fmt.Sprintf("key%06d", i%3000)
			text := strings.Repeat(fmt.Sprint(i, " "), 60)
			size += len(key) + 2*len(text) + 10
			if _, err := tx.KV().Put(ctx, key, inmem.String(text)); err != nil {
				return err
			}
			if _, err := tx.Cell("step").Store(ctx, inmem.Int(int64(i))); err != nil {
				return err
			}
			_, err := tx.Events().Append(ctx, "step", inmem.String(text))
			return err
		})
		require.NoError(b, err)
	}
	var file bytes.Buffer
	_, err = d.ExportRun(ctx, run.ID(), &file, inmem.ExportOptions{})
	require.NoError(b, err)
	measure := func(name string, what func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportMetric(float64(file.Len())/float64(size), "bundle/content")
			for range b.N {
				require.NoError(b, what())
			}
			b.ReportMetric(commits*float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
	measure("export", func() error {
		_, err := d.ExportRun(ctx, run.ID(), io.Discard, inmem.ExportOptions{})
		return err
	})
	measure("verify", func() error {
		_, err := inmem.VerifyBundle(ctx, bytes.NewReader(file.Bytes()))
		return err
	})
	other, err := inmem.Open(b.TempDir(), nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, other.Close()) }()
	measure("import", func() error {
		r, err := other.ImportRun(ctx, bytes.NewReader(file.Bytes()), inmem.ImportOptions{})
		if err != nil {
			return err
		}
		return other.DeleteRun(ctx, r.ID())
	})
}
