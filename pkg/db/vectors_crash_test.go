package inmem_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// R301: over closes and crashes a collection is what it was at some commit, in rows and in
// searches, and what was flushed is there.
func TestR301VectorsAfterReopensAndCrashes(t *testing.T) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(301, 1))
	states := map[uint64]map[string][]float32{}
	var flushed uint64
	for round := range 10 {
		d, closeDB := openMem(t, mem)
		run, err := d.Run(t.Context(), mixedID)
		if round == 0 {
			run, err = d.BeginRun(t.Context(), inmem.RunOptions{ID: mixedID})
		}
		require.NoError(t, err)
		c := run.Vectors("facts")
		require.NoError(t, c.Ensure(t.Context(),
			inmem.CollectionOptions{Dim: 4, Metric: inmem.Cosine, Kind: vector.KindFlat}))
		now := map[string][]float32{}
		if round > 0 {
			info, err := run.Info(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, info.LastVersion, flushed)
			require.Contains(t, states, info.LastVersion)
			now = maps.Clone(states[info.LastVersion])
		} else {
			states[d.Version()] = map[string][]float32{}
			require.NoError(t, d.Flush(t.Context()))
		}
		requireNearest(t, c, now, []float32{1, 0, 1, -1})
		for range 12 {
			version := changeSome(t, rng, run, now)
			if version != 0 {
				states[version] = maps.Clone(now)
			}
			requireNearest(t, c, now, randomVector(rng))
		}
		if rng.IntN(2) == 0 {
			require.NoError(t, d.Flush(t.Context()))
			info, err := run.Info(t.Context())
			require.NoError(t, err)
			flushed = info.LastVersion
		}
		if round%2 == 0 {
			crashed := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
			closeDB()
			mem = crashed
			continue
		}
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		flushed = info.LastVersion
		closeDB()
	}
}

func randomVector(rng *rand.Rand) []float32 {
	v := make([]float32, 4)
	for i := range v {
		v[i] = float32(rng.IntN(5) - 2)
	}
	return v
}

// changeSome writes to some rows in one transaction, and returns its version.
func changeSome(t *testing.T, rng *rand.Rand, run *inmem.Run, now map[string][]float32) uint64 {
	version, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
		for range 1 + rng.IntN(4) {
			id := fmt.Sprint(rng.IntN(12))
			if rng.IntN(3) == 0 {
				existed, err := tx.Vectors("facts").Delete(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, now[id] != nil, existed)
				delete(now, id)
				continue
			}
			now[id] = randomVector(rng)
			_, err := tx.Vectors("facts").Upsert(t.Context(), id, now[id], inmem.Null())
			require.NoError(t, err)
		}
		return nil
	})
	require.NoError(t, err)
	return version
}

// The hash of a state covers vectors, in the bytes of docs/format.md; it tells a changed component,
// a changed piece of metadata, and an option of the collection.
func TestStateHashOfVectors(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		empty, err := w.run.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.Equal(t, inmem.Hash(sha256.Sum256([]byte(codec.StateTag))), empty)
		c := w.run.Vectors("facts")
		_, err = c.Create(w.ctx(), inmem.CollectionOptions{Dim: 2, Metric: inmem.L2})
		require.NoError(t, err)
		upsert(t, c, "a", map[string]any{"n": 1}, 1, 0.5)
		got, err := w.run.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		bytes := codec.AppendStateItem([]byte(codec.StateTag), codec.Vectors, "`facts\x00\x01", 0,
			[]byte("\xa2\x01\x02\x02\x03"))
		bytes = codec.AppendStateItem(bytes, codec.Vectors, "`facts\x00\x01a", 0,
			[]byte("\xa2\x01\x48\x00\x00\x80\x3f\x00\x00\x00\x3f\x02\xa1\x61n\x01"))
		require.Equal(t, inmem.Hash(sha256.Sum256(bytes)), got)
		upsert(t, c, "a", map[string]any{"n": 2}, 1, 0.5)
		other, err := w.run.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.NotEqual(t, got, other)
		_, err = c.Drop(w.ctx())
		require.NoError(t, err)
		again, err := w.run.StateHash(w.ctx(), w.Version())
		require.NoError(t, err)
		require.Equal(t, empty, again)
	})
}

// Verify names rows that no collection holds.
func TestVerifyOfVectors(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	facts(t, w.run)
	report, err := w.Verify(w.ctx(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	record, err := w.b.Get(w.ctx(), &backend.Scope{}, codec.ScopeRecords, w.run.ID(), w.Version())
	require.NoError(t, err)
	scope, err := codec.DecodeScopeRecord(record.Value)
	require.NoError(t, err)
	row, err := codec.AppendVectorRow(nil, codec.VectorRow{Vector: []float32{1, 2, 3}})
	require.NoError(t, err)
	raw := txn.New(w.b, txn.Config{}).Scope(
		&backend.Scope{Number: scope.Number, Record: w.run.ID()})
	for _, key := range []string{codec.VectorRowKey("facts", "long"),
		codec.VectorRowKey("lost", "x"), "no key"} {
		_, err = raw.Put(w.ctx(), codec.Vectors, key, row, 0)
		require.NoError(t, err)
	}
	report, err = w.Verify(w.ctx(), inmem.VerifyOptions{})
	require.NoError(t, err)
	var texts []string
	for _, p := range report.Problems {
		texts = append(texts, p.Text)
	}
	require.Len(t, texts, 3)
	all := fmt.Sprint(texts)
	require.Contains(t, all, "the vector has 3 components, its collection 2")
	require.Contains(t, all, "the vector is in no collection")
	require.Contains(t, all, "corrupt tuple")
}
