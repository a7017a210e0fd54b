package vector

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// grownIndex is a small index with a graph, a tail, dead rows and several levels.
func grownIndex(t testing.TB, c Config, rows int) (*slotIndex, [][]float32) {
	t.Helper()
	made, err := New(c)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(7, 8))
	var data [][]float32
	for i := range rows {
		data = append(data, randomVector(r, c.Dim))
		if i%7 == 6 {
			data[i] = data[i/7*3] // twins
		}
		_, err := made.Add(fmt.Sprintf("row-%d", i), data[i], uint64(i+1))
		require.NoError(t, err)
		if i%5 == 4 {
			require.NoError(t, made.Kill(Slot(r.IntN(i)), uint64(i+1)))
		}
	}
	_, err = made.Link(context.Background(), rows-rows/10)
	require.NoError(t, err)
	return made.(*slotIndex), data
}

func fetchFrom(data [][]float32) func(string, uint64, []float32) error {
	return func(id string, born uint64, dst []float32) error {
		copy(dst, data[born-1])
		return nil
	}
}

func snapshotOf(t testing.TB, ix Index, version uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := ix.Snapshot(version).WriteTo(&b)
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), n)
	return b.Bytes()
}

// A snapshot gives back the same index: same bytes again, same answers, and the same graph when
// both go on.
func TestSnapshotRoundTrip(t *testing.T) {
	for _, metric := range []Metric{Cosine, Dot, L2} {
		for _, rows := range []int{0, 1, 17, 3000} {
			c := Config{Dim: 12, Metric: metric, Kind: KindGraph, M: 4, EfConstruction: 20, Seed: 3}
			ix, data := grownIndex(t, c, rows)
			c.Fetch = fetchFrom(data)
			file := snapshotOf(t, ix, 9999)
			read, version, err := ReadSnapshot(bytes.NewReader(file), c)
			require.NoError(t, err)
			require.EqualValues(t, 9999, version)
			require.Equal(t, file, snapshotOf(t, read, 9999))
			require.Equal(t, ix.Live(), read.Live())
			require.Equal(t, ix.Tail(), read.Tail())

			for _, s := range []Index{ix, read} {
				_, err := s.Add("later", make([]float32, 12), 4000)
				require.NoError(t, err)
				_, err = s.Link(context.Background(), 5000)
				require.NoError(t, err)
			}
			require.Equal(t, snapshotOf(t, ix, 9999), snapshotOf(t, read, 9999))
			sameAnswers(t, ix, read)
			for slot, vec := range data {
				require.NoError(t, read.Restore(Slot(slot), vec))
			}
			require.NoError(t, read.Restore(Slot(rows), make([]float32, 12)))
			read.(*slotIndex).config.Fetch = nil
			sameAnswers(t, ix, read)
			if rows == 3000 {
				require.Equal(t, ix.Bytes(), read.Bytes())
			}
		}
	}
}

func sameAnswers(t *testing.T, a, b Index) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		q := randomVector(r, a.Config().Dim)
		o := SearchOptions{K: 1 + r.IntN(20), At: uint64(r.IntN(4100)), Ef: 1 + r.IntN(50)}
		o.Strategy = Strategy(r.IntN(4))
		got, info, err := a.Search(nil, q, o)
		require.NoError(t, err)
		again, info2, err := b.Search(nil, q, o)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.Equal(t, info, info2)
	}
}

// What comes after a snapshot was frozen is not in it, whenever it is written.
func TestSnapshotIsFrozen(t *testing.T) {
	c := Config{Dim: 8, Metric: L2, Kind: KindGraph, M: 4, EfConstruction: 20}
	ix, _ := grownIndex(t, c, 800)
	frozen := ix.Snapshot(800)
	require.NoError(t, ix.Kill(799, 801))
	for i := range 400 {
		_, err := ix.Add(fmt.Sprintf("new-%d", i), make([]float32, 8), 900)
		require.NoError(t, err)
	}
	_, err := ix.Link(context.Background(), 10_000)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = frozen.WriteTo(&b)
	require.NoError(t, err)
	read, version, err := ReadSnapshot(&b, c)
	require.NoError(t, err)
	require.EqualValues(t, 800, version)
	require.Equal(t, 800, read.Slots())
	require.Equal(t, 80, read.Tail())
	_, died := read.Life(799)
	require.Equal(t, uint64(alive), died)
}

// Every damaged or missing byte is found.
func TestSnapshotDamage(t *testing.T) {
	c := Config{Dim: 4, Metric: L2, Kind: KindGraph, M: 2, EfConstruction: 8}
	ix, _ := grownIndex(t, c, 60)
	file := snapshotOf(t, ix, 60)
	for at := range file {
		bad := bytes.Clone(file)
		bad[at] ^= 0x40
		_, _, err := ReadSnapshot(bytes.NewReader(bad), c)
		require.ErrorIs(t, err, codec.ErrCorrupt, at)
		_, _, err = ReadSnapshot(bytes.NewReader(file[:at]), c)
		require.ErrorIs(t, err, codec.ErrCorrupt, at)
	}
	for _, other := range []Config{
		{Dim: 5, Metric: L2, Kind: KindGraph, M: 2, EfConstruction: 8},
		{Dim: 4, Metric: Dot, Kind: KindGraph, M: 2, EfConstruction: 8},
		{Dim: 4, Metric: L2, Kind: KindAuto, M: 2, EfConstruction: 8},
		{Dim: 4, Metric: L2, Kind: KindGraph, M: 3, EfConstruction: 8},
		{Dim: 4, Metric: L2, Kind: KindGraph, M: 2, EfConstruction: 9},
		{Dim: 4, Metric: L2, Kind: KindGraph, M: 2, EfConstruction: 8, Seed: 1},
	} {
		_, _, err := ReadSnapshot(bytes.NewReader(file), other)
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
	}
	newer := bytes.Clone(file)
	newer[blockHead+len(snapshotMagic)] = 99
	_, _, err := ReadSnapshot(bytes.NewReader(mended(newer)), c)
	require.ErrorIs(t, err, codec.ErrFormat)
}

// mended puts the right checksum on every block, so that what is inside is looked at.
func mended(file []byte) []byte {
	file = bytes.Clone(file)
	for rest := file; len(rest) >= blockHead; {
		size := int(binary.LittleEndian.Uint32(rest))
		if size > len(rest)-blockHead {
			break
		}
		sum := crc32.Checksum(rest[4:8], castagnoli)
		sum = crc32.Update(sum, castagnoli, rest[blockHead:blockHead+size])
		binary.LittleEndian.PutUint32(rest[8:], sum)
		rest = rest[blockHead+size:]
	}
	return file
}

// FuzzSnapshot: whatever the bytes, with checksums that fit, there is an error or an index that can
// be searched, linked and written.
func FuzzSnapshot(f *testing.F) {
	c := Config{Dim: 3, Metric: Cosine, Kind: KindGraph, M: 2, EfConstruction: 4}
	c.Fetch = func(_ string, _ uint64, dst []float32) error { return nil }
	for _, rows := range []int{0, 1, 40} {
		ix, _ := grownIndex(f, Config{Dim: 3, Metric: Cosine, Kind: KindGraph, M: 2,
			EfConstruction: 4}, rows)
		f.Add(snapshotOf(f, ix, 40), uint16(0), byte(0))
		f.Add(snapshotOf(f, ix, 40), uint16(60), byte(200))
	}
	f.Fuzz(func(t *testing.T, file []byte, at uint16, change byte) {
		file = bytes.Clone(file)
		if int(at) < len(file) {
			file[at] ^= change
		}
		ix, _, err := ReadSnapshot(bytes.NewReader(mended(file)), c)
		if err != nil {
			return
		}
		for _, s := range []Strategy{Auto, Scan, Walk, TwoHop} {
			_, _, err := ix.Search(nil, []float32{1, 2, 3}, SearchOptions{K: 5, At: 20, Strategy: s})
			require.NoError(t, err)
		}
		_, err = ix.Add("x", []float32{1, 1, 1}, 5)
		require.NoError(t, err)
		_, err = ix.Link(context.Background(), 100)
		require.NoError(t, err)
		snapshotOf(t, ix, 50)
	})
}
