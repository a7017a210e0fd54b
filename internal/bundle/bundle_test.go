package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// written is a commit with its changes.
type written struct {
	Commit
	changes []Change
}

func value(t testing.TB, s string) []byte {
	b, err := codec.AppendValue(nil, codec.String(s))
	require.NoError(t, err)
	return b
}

// example is a run of some commits.
func example(t testing.TB, commits int) (Run, []written) {
	r := Run{Record: codec.ScopeRecord{
		ID: [16]byte{1, 2, 3}, Number: 42, Status: codec.Completed, Created: 5, Updated: 6, Ended: 7,
		Tenant: "acme", Tags: []string{"a", "b"}, Metadata: codec.Int(9), BootEpoch: 4, Imported: 1,
	}}
	r.StateHash = [32]byte{9, 8, 7}
	var all []written
	var s story
	for i := range commits {
		w := written{Commit: Commit{
			Number: uint64(i + 1), Version: uint64(10 + 3*i), Time: int64(1000 + i),
		}}
		add := func(p codec.Primitive, op codec.ChangeOp, key string, v []byte, expiry int64) {
			w.changes = append(w.changes, Change{Value: v, BundleChange: codec.BundleChange{
				Op: op, Primitive: p, Key: key, Expiry: expiry}})
		}
		add(codec.Cells, codec.ChangePut, "cell", value(t, fmt.Sprint(i)), 0)
		w.changes = append(w.changes, Change{Value: value(t, fmt.Sprint("step ", i)),
			BundleChange: codec.BundleChange{Op: codec.ChangeAppend, Primitive: codec.Events,
				Type: "step"}})
		add(codec.KV, codec.ChangePut, "", value(t, ""), int64(i))
		add(codec.KV, codec.ChangePut, fmt.Sprint("key", i%7), value(t, strings.Repeat("x", i%50)), 0)
		add(codec.KV, codec.ChangeDelete, "z", nil, 0)
		add(codec.Extensions, codec.ChangeExpire, "\x00", nil, 0)
		w.Changes = uint64(len(w.changes))
		all = append(all, w)
	}
	r.Commits = uint64(commits)
	if commits > 0 {
		r.First, r.Last = all[0].Version, all[commits-1].Version
	}
	for i := range all {
		require.NoError(t, s.commit(&r, all[i].Commit))
		for j := range all[i].changes {
			c := &all[i].changes[j]
			hash, err := s.change(c)
			require.NoError(t, err)
			c.Hash = hash
		}
	}
	return r, all
}

// pack makes a bundle.
func pack(t testing.TB, r Run, all []written) ([]byte, Totals) {
	var b bytes.Buffer
	w, err := NewWriter(&b, r)
	require.NoError(t, err)
	for _, c := range all {
		require.NoError(t, w.Commit(c.Commit))
		for _, x := range c.changes {
			require.NoError(t, w.Change(x))
		}
	}
	totals, err := w.Close()
	require.NoError(t, err)
	require.Equal(t, int64(b.Len()), totals.Size)
	return b.Bytes(), totals
}

// unpack reads a bundle to its end.
func unpack(in io.Reader) (run Run, all []written, t Totals, err error) {
	r, err := NewReader(in)
	if err != nil {
		return run, nil, t, err
	}
	defer r.Close()
	for {
		c, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Run(), all, r.Totals(), nil
		}
		if err != nil {
			return r.Run(), all, t, err
		}
		w := written{Commit: c}
		for {
			x, err := r.Change()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return r.Run(), all, t, err
			}
			x.Key, x.Value = strings.Clone(x.Key), bytes.Clone(x.Value)
			w.changes = append(w.changes, x)
		}
		all = append(all, w)
	}
}

// R213: what is written is read, from any reader, and its bytes are the same every time.
func TestRoundTrip(t *testing.T) {
	for _, commits := range []int{0, 1, 20, 5000} {
		run, all := example(t, commits)
		b, totals := pack(t, run, all)
		again, _ := pack(t, run, all)
		require.Equal(t, b, again, "deterministic")
		for _, in := range []io.Reader{bytes.NewReader(b), iotest.DataErrReader(bytes.NewReader(b)),
			iotest.HalfReader(bytes.NewReader(b))} {
			gotRun, got, gotTotals, err := unpack(in)
			require.NoError(t, err)
			want := run
			want.Record = portable(run.Record)
			require.Equal(t, want, gotRun)
			require.Equal(t, all, got)
			require.Equal(t, totals, gotTotals)
		}
	}
}

// Large values go through, and cost no more than themselves.
func TestLargeValues(t *testing.T) {
	run, all := example(t, 2)
	noise := make([]byte, 30<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	data, err := codec.AppendValue(nil, codec.Bytes(noise))
	require.NoError(t, err)
	all[1].changes[3].Value = data
	b, _ := pack(t, run, all)
	require.Greater(t, len(b), 30<<20)
	_, got, _, err := unpack(bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, all, got)
}

// R136: stock tools unpack a bundle: it is plain zstd, and what comes out is the content.
func TestStockToolsUnpackIt(t *testing.T) {
	run, all := example(t, 2000)
	b, _ := pack(t, run, all)
	require.Greater(t, bytes.Count(b, []byte{0x5B, 0x2A, 0x4D, 0x18}), 2, "several blocks")
	zip, err := zstd.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	defer zip.Close()
	plain, err := io.ReadAll(zip)
	require.NoError(t, err)
	require.Contains(t, string(plain), "step 1999")
	header := codec.AppendBundleHeader(nil, run.BundleHeader)
	require.Equal(t, append(codec.AppendLength(nil, uint64(len(header))), header...),
		plain[:len(header)+2])
}

// Every flipped bit and every missing byte is found, and an offset named.
func TestEveryDamageIsFound(t *testing.T) {
	run, all := example(t, 6)
	b, _ := pack(t, run, all)
	wantCorrupt := func(err error, why string, at int) {
		if errors.Is(err, codec.ErrFormat) { // a flip that makes a later version of it
			t.Fatalf("%s %d: %v", why, at, err)
		}
		var corrupt *codec.CorruptError
		require.ErrorAs(t, err, &corrupt, "%s %d", why, at)
		require.Equal(t, "bundle", corrupt.What)
		require.LessOrEqual(t, corrupt.Offset, len(b))
	}
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			_, _, _, err := unpack(bytes.NewReader(bad))
			wantCorrupt(err, "flip", i)
		}
		_, _, _, err := unpack(bytes.NewReader(b[:i]))
		wantCorrupt(err, "cut", i)
	}
	_, _, _, err := unpack(bytes.NewReader(append(bytes.Clone(b), 0)))
	wantCorrupt(err, "appended", len(b))
	_, _, _, err = unpack(bytes.NewReader(append(bytes.Clone(b), b...)))
	wantCorrupt(err, "twice", len(b))
	trouble := errors.New("trouble")
	for i := 0; i < len(b); i += 7 {
		_, _, _, err := unpack(io.MultiReader(bytes.NewReader(b[:i]), iotest.ErrReader(trouble)))
		require.ErrorIs(t, err, trouble, "errors of the reader below stay what they are")
	}
}

// Blocks that are each whole, but out of order, missing, or twice.
func TestBlocksInDisorder(t *testing.T) {
	run, all := example(t, 12000)
	b, _ := pack(t, run, all)
	var at []int
	for i := frameHead + preambleSize; i < len(b); {
		at = append(at, i)
		size := uint32(b[i+12])<<24 | uint32(b[i+13])<<16 | uint32(b[i+14])<<8 | uint32(b[i+15])
		i += frameHead + labelSize + int(size)
	}
	require.GreaterOrEqual(t, len(at), 4)
	block := func(i int) []byte {
		end := len(b)
		if i+1 < len(at) {
			end = at[i+1]
		}
		return b[at[i]:end]
	}
	head := b[:at[0]]
	for name, order := range map[string][]int{
		"missing": {0, 2, 3}, "swapped": {0, 2, 1, 3}, "twice": {0, 1, 1, 2, 3}, "none": {},
		"the last missing": {0, 1, 2}, "the first missing": {1, 2, 3},
	} {
		file := slices.Clone(head)
		for _, i := range order {
			file = append(file, block(i)...)
		}
		_, _, _, err := unpack(bytes.NewReader(file))
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
	}
}

// A newer format, and features that are not known, are refused by name.
func TestOfTheFuture(t *testing.T) {
	run, all := example(t, 1)
	for name, change := range map[string]func(preamble []byte){
		"bundle of format 2":  func(p []byte) { p[frameHead+len(magic)+3] = 2 },
		"bundle of format 0":  func(p []byte) { p[frameHead+len(magic)+3] = 0 },
		"needs features 0x10": func(p []byte) { p[frameHead+len(magic)+4+7] = 16 },
	} {
		b, _ := pack(t, run, all)
		change(b)
		seal(b)
		_, err := NewReader(bytes.NewReader(b))
		require.ErrorIs(t, err, codec.ErrFormat)
		require.ErrorContains(t, err, name)
	}
	b, _ := pack(t, run, all)
	b[frameHead+len(magic)+4+8+7] = 1 // optional
	seal(b)
	_, _, _, err := unpack(bytes.NewReader(b))
	require.NoError(t, err)
}

// What no run can have is refused on both sides, however right the checksums are.
func TestUnlikelyHistories(t *testing.T) {
	for name, spoil := range map[string]func(r *Run, all []written){
		"commit 3 after commit 1":     func(_ *Run, all []written) { all[1].Number = 3 },
		"header tells of 10 to 14":    func(r *Run, _ []written) { r.Last = 14 },
		"header tells of 11 to 13":    func(r *Run, _ []written) { r.First = 11 },
		"2 commits, the header tells": func(r *Run, _ []written) { r.Commits = 3 },
		"lacks 1 changes":             func(_ *Run, all []written) { all[0].Changes++ },
		"has more than 5 changes":     func(_ *Run, all []written) { all[0].Changes-- },
		"has no changes":              func(_ *Run, all []written) { all[1].Changes = 0 },
		`k "" after k "key0"`:         swapped(2, 3),
		`e "" after k ""`:             swapped(1, 2),
		"with or without a value":     withValue,
		"event 1 has hash 00000000":   withoutHash,
	} {
		run, all := example(t, 2)
		spoil(&run, all)
		err := attempt(run, all)
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
		require.ErrorContains(t, err, name)
	}
}

func withValue(_ *Run, all []written) { all[0].changes[4].Value = []byte{0xf6} }

func withoutHash(_ *Run, all []written) { all[1].changes[1].Hash = [32]byte{} }

func swapped(i, j int) func(*Run, []written) {
	return func(_ *Run, all []written) {
		c := all[0].changes
		c[i], c[j] = c[j], c[i]
	}
}

// attempt writes a bundle that may be refused.
func attempt(r Run, all []written) error {
	w, err := NewWriter(io.Discard, r)
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := w.Commit(c.Commit); err != nil {
			return err
		}
		for _, x := range c.changes {
			if err := w.Change(x); err != nil {
				return err
			}
		}
	}
	_, err = w.Close()
	return err
}

// The bytes of a bundle are part of the format.
func TestGolden(t *testing.T) {
	run, all := example(t, 3)
	b, _ := pack(t, run, all)
	file := filepath.Join("testdata", "three-commits.bundle")
	if os.Getenv("UPDATE_BUNDLE") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, b, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, b, "the bytes have changed: old bundles must be readable for ever")
	_, got, _, err := unpack(bytes.NewReader(want))
	require.NoError(t, err)
	require.Equal(t, all, got)
}
