package inmem_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Whatever was wrong with an index, Repair makes it right; and writes nothing where all is.
func TestRepairMendsWhatIsDerived(t *testing.T) {
	v := newVictim(t)
	v.stored(t, func(s *stored) {
		s.del(s.all(v.runScope, codec.Traces.Index())[0])
		s.del(s.all(v.runScope, codec.Events.Index())[1])
		s.del(s.all(0, codec.RunIndex)[2])
		s.write(at(v.runScope, codec.Traces.Index(), "x", 9), []byte{0xf6})
	})
	d, _ := v.open(t)
	defer func() { require.NoError(t, d.Close()) }()
	found, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, found.Found, 4)
	for i := range found.Problems {
		require.True(t, found.Problems[i].Derived(), found.Problems[i].String())
	}
	done, err := d.Repair(t.Context(), inmem.RepairOptions{})
	require.NoError(t, err)
	require.Equal(t, 4, done.Runs)
	require.GreaterOrEqual(t, done.Added, 3)
	require.Positive(t, done.Removed)
	require.Empty(t, done.Failed)
	after, err := d.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, after.Problems)
	version := d.Version()
	done, err = d.Repair(t.Context(), inmem.RepairOptions{Runs: []string{v.run, v.deep}})
	require.NoError(t, err)
	require.Zero(t, done.Added+done.Removed)
	require.Equal(t, version, d.Version())
	_, err = d.Repair(t.Context(), inmem.RepairOptions{Runs: []string{"ffffffff" + v.deep[8:]}})
	require.ErrorIs(t, err, inmem.ErrRunNotFound)
}

// Sizes adds up, and the run that has most is the first.
func TestSizes(t *testing.T) {
	d, err := inmem.Open(t.TempDir(), nil)
	require.NoError(t, err)
	var big *inmem.Run
	for range 5 {
		big, err = d.BeginRun(t.Context(), inmem.RunOptions{})
		require.NoError(t, err)
		_, err = big.Events().Append(t.Context(), "e", inmem.Null())
		require.NoError(t, err)
	}
	for i := range 100 {
		_, err = big.KV().Put(t.Context(), fmt.Sprint(i), inmem.Bytes(noise(1<<14)))
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())
	d, err = inmem.Open(d.Path(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	s, err := d.Sizes(t.Context(), inmem.SizesOptions{Runs: 2})
	require.NoError(t, err)
	require.Equal(t, 5, s.Count)
	require.Len(t, s.Runs, 2)
	require.Equal(t, big.ID(), s.Runs[0].Run)
	require.Equal(t, "keys", s.Runs[0].Primitives[0].Name)
	require.EqualValues(t, 100, s.Runs[0].Primitives[0].Records)
	// Keys, event and its index; small commits share keys of the journal.
	require.Greater(t, s.Runs[0].Records, uint64(100+1+1))
	require.LessOrEqual(t, s.Runs[0].Records, uint64(100+101+1+1))
	require.Greater(t, s.Runs[0].Bytes, uint64(100<<14))
	require.Less(t, s.Runs[1].Bytes, uint64(1000))
	require.Greater(t, s.Disk, uint64(1<<20))
	require.Equal(t, "keys", s.Primitives[0].Name)
	require.NotEmpty(t, s.System.Primitives)
	files, bytes := 0, int64(0)
	for _, l := range s.Levels {
		files, bytes = files+l.Files, bytes+l.Bytes
	}
	require.Positive(t, files)
	require.Greater(t, bytes, int64(1<<20))
	require.Positive(t, s.CacheLimit)
}

// noise cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(1)
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}
