package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// putFile makes a file with a content.
func putFile(t testing.TB, fs vfs.FS, path string, data []byte) {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(data)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// resealed gives a sentinel the checksum that fits: what it says is to be doubted, too.
func resealed(data []byte) []byte {
	body, _, _ := strings.Cut(string(data), "crc32c ")
	return fmt.Appendf([]byte(body), "crc32c %08x\n", crc32.Checksum([]byte(body), castagnoli))
}

// FuzzDecodeSentinel: what is taken for a sentinel says the same when it is written again.
func FuzzDecodeSentinel(f *testing.F) {
	for _, state := range []string{stateCreating, stateOpen, stateClean} {
		s := sentinel{Format: codec.FormatVersion, Required: 0, ID: "x",
			State: state, Boot: 1, Durable: 9, Versions: 100, Manifest: "MANIFEST-000001"}
		f.Add(s.encode(), false)
		f.Add(s.encode(), true)
		s.Format++
		f.Add(s.encode(), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = resealed(data)
		}
		var s sentinel
		var err error
		alloctest.Within(t, 1<<18+64*uint64(len(data)), func() { s, err = decodeSentinel(data) })
		if err != nil {
			refusedFile(t, err)
			return
		}
		again, err := decodeSentinel(s.encode())
		require.NoError(t, err)
		require.Equal(t, s, again)

		fs := vfs.NewMem()
		putFile(t, fs, sentinelName, data)
		read, err := readSentinel(fs, "")
		if len(data) < 1<<16 {
			require.NoError(t, err)
			require.Equal(t, s, read)
		}
		refusedFile(t, checkFiles(fs, "", s))
	})
}

// refusedFile checks that an error is one that a file may be refused with.
func refusedFile(t *testing.T, err error) {
	if err != nil {
		ok := errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrFormat)
		require.True(t, ok, "unexpected error %v", err)
	}
}

// FuzzCheckFiles: whatever the marker's name and the MANIFEST, both are whole up to somewhere, or
// damaged; bytes that were cut off never make more of it whole.
func FuzzCheckFiles(f *testing.F) {
	var b bytes.Buffer
	w := record.NewWriter(&b)
	// Short ones: Pebble tries every bit of a damaged chunk, half a second for one of 32 KiB.
	for _, size := range []int{0, 10, 300} {
		_, err := w.WriteRecord(bytes.Repeat([]byte("m"), size))
		require.NoError(f, err)
	}
	require.NoError(f, w.Close())
	whole := b.Bytes()
	f.Add("marker.manifest.000001.MANIFEST-000001", whole, uint16(0), false)
	f.Add("marker.manifest.000001.MANIFEST-000001", whole[:len(whole)-3], uint16(3), true)
	f.Add("marker.manifest.x.MANIFEST-000001", whole[:20], uint16(0), false)
	f.Add("marker.manifest.000002.MANIFEST-", []byte{}, uint16(0), false)
	f.Fuzz(func(t *testing.T, marker string, data []byte, cut uint16, clean bool) {
		const manifest = "MANIFEST-000001"
		if marker == "" || strings.Contains(marker, "/") || marker == manifest || marker == "." {
			return
		}
		fs := vfs.NewMem()
		putFile(t, fs, manifest, data)
		putFile(t, fs, marker, nil)
		s := sentinel{State: stateOpen, Manifest: manifest, ManifestSize: uint64(len(data))}
		if clean {
			s.State = stateClean
		}
		var err error
		// Pebble's reader has a block of its own.
		alloctest.Within(t, 1<<20+8*uint64(len(data)), func() { err = checkFiles(fs, "", s) })
		refusedFile(t, err)
		end, err := scanManifest(fs, "", manifest, clean)
		refusedFile(t, err)
		require.LessOrEqual(t, end, int64(len(data)))
		shorter := "MANIFEST-000002"
		putFile(t, fs, shorter, data[:len(data)-min(len(data), int(cut))])
		less, err := scanManifest(fs, "", shorter, clean)
		refusedFile(t, err)
		require.LessOrEqual(t, less, end)
	})
}

// FuzzGather: gathering from a log of any bytes, or with any batch in it, takes what can be read,
// and makes a store that opens.
func FuzzGather(f *testing.F) {
	log := someLog(f)
	f.Add(log, uint16(0), byte(0), false)
	f.Add(log, uint16(30), byte(1), false)
	batches := newLogReader(log, 2)
	for {
		rec, err := batches.Next()
		if err != nil {
			break
		}
		repr, err := io.ReadAll(rec)
		require.NoError(f, err)
		f.Add(repr, uint16(0), byte(0), true)
		f.Add(repr, uint16(40), byte(2), true)
	}
	for _, repr := range unopenable(f) {
		f.Add(repr, uint16(0), byte(0), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte, inside bool) {
		data = bytes.Clone(data)
		if int(at) < len(data) {
			data[at] ^= flip
		}
		if inside { // under a checksum that fits
			var b bytes.Buffer
			w := record.NewWriter(&b)
			_, err := w.WriteRecord(data)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			data = b.Bytes()
		}
		o := memOptions()
		require.NoError(t, o.FS.MkdirAll("old", 0o755))
		putFile(t, o.FS, "old/000002.log", data)
		found, err := Gather(ctx, GatherOptions{From: "old", To: o.Dir, FS: o.FS})
		require.NoError(t, err)
		require.Len(t, found.Files, 1)
		require.Equal(t, "000002.log", found.Files[0].Name)
		db, err := Open(ctx, o)
		require.NoError(t, err)
		require.GreaterOrEqual(t, db.Published(), found.Newest)
		require.NoError(t, db.Close())
	})
}

// unopenable are batches whose records have keys of the right form, and say what Open refuses; and
// one that ends in the middle of a length.
func unopenable(t testing.TB) (reprs [][]byte) {
	record := codec.AppendJournalRecord(nil, codec.JournalRecord{Parts: 1})
	numbered := func(p codec.Primitive, user string) []byte {
		key, err := codec.AppendKey(nil, codec.SystemScope, p, user)
		require.NoError(t, err)
		return codec.AppendVersion(key, 1)
	}
	first := string(codec.EventUserKey(1))
	for _, entry := range []struct{ key, value []byte }{
		{numbered(codec.Journal, "00000000000\xff"), record},
		{numbered(codec.Journal, first), []byte{1, 2, 3, 4}},
		{numbered(codec.Journal, string(codec.EventUserKey(0))), record},
		{numbered(codec.Events, "1"), []byte{0xf6}},
		{numbered(codec.Graveyard, "1"), record},
		{numbered(codec.Commits, "1"), []byte{1}},
	} {
		b := new(pebble.Batch)
		require.NoError(t, b.Set(entry.key, entry.value, nil))
		reprs = append(reprs, bytes.Clone(b.Repr()))
		require.NoError(t, b.Close())
	}
	return append(reprs, []byte("000000000000\x01\xff"), []byte("000000000000\x03"))
}

// someLog is the log of a small database.
func someLog(f *testing.F) []byte {
	o := memOptions()
	db, err := Open(ctx, o)
	require.NoError(f, err)
	s, err := beginScope(db, 1)
	require.NoError(f, err)
	for _, key := range []string{"a", "b", "c"} {
		_, err = db.Commit(ctx, &backend.Request{Writes: []backend.Write{
			{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Put, Value: []byte{0xf6}}}})
		require.NoError(f, err)
	}
	require.NoError(f, db.Flush(ctx))
	names, err := o.FS.List(o.Dir)
	require.NoError(f, err)
	at := slices.IndexFunc(names, isLog)
	require.GreaterOrEqual(f, at, 0)
	file, err := o.FS.Open(o.FS.PathJoin(o.Dir, names[at]))
	require.NoError(f, err)
	data, err := io.ReadAll(file)
	require.NoError(f, err)
	require.NoError(f, file.Close())
	require.NoError(f, db.Close())
	require.Equal(f, "000002.log", names[at])
	return bytes.TrimRight(data, "\x00")
}
