package citizentest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The longest key, also right before a value that is only on disk, is a key like others: scans go
// over it and beyond, in both directions, from memory and from disk, and a Serializable transaction
// may stop at it.
func TestReopenScanOverTheLongestKey(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, &inmem.Options{MemoryBudget: 1 << 20})
	run := begin(t, db)
	longest := strings.Repeat("k", codec.MaxKeySize)
	want := []string{"a", longest, "z"}
	for _, k := range want {
		put(t, run.KV(), k, "v")
	}
	// Too large to be kept in memory: a scan that meets it goes on from the disk.
	put(t, run.KV(), "l", strings.Repeat("x", 100_000))
	want = append(want, "l")
	check := func(name string) {
		for _, limit := range []int{0, 1, 2} {
			for _, o := range []inmem.ScanOptions{
				{Limit: limit}, {Limit: limit, Reverse: true},
				{Start: longest, Limit: limit}, {End: longest, Limit: limit},
				{Prefix: "kk", Limit: limit}, {Prefix: longest, Limit: limit},
			} {
				for _, err := range run.KV().Scan(t.Context(), o) {
					require.NoError(t, err, name)
				}
				_, err := run.KV().Count(t.Context(), o)
				require.NoError(t, err, name)
				_, err = run.UpdateWith(t.Context(), inmem.TxOptions{Isolation: inmem.Serializable},
					func(tx *inmem.Tx) error {
						for _, err := range tx.KV().Scan(t.Context(), o) {
							if err != nil {
								return err
							}
						}
						_, err := tx.KV().Put(t.Context(), "z", inmem.String("v"))
						return err
					})
				require.NoError(t, err, name)
			}
		}
		n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
		require.NoError(t, err, name)
		require.Equal(t, len(want), n, name)
	}
	check("in memory")
	require.NoError(t, db.Close())
	db = open(t, dir, nil)
	run, err := db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	check("from disk")
	require.NoError(t, db.Close())
}
