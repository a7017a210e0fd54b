package inmem

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/bundle"
	"github.com/inmem-db/inmem/pkg/codec"
)

// told is a bundle, taken apart.
type told struct {
	run     bundle.Run
	commits []bundle.Commit
	changes [][]bundle.Change
}

func takeApart(t testing.TB, file []byte) (x told) {
	r, err := bundle.NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	defer r.Close()
	x.run = r.Run()
	for {
		c, err := r.Next()
		if errors.Is(err, io.EOF) {
			return x
		}
		require.NoError(t, err)
		var all []bundle.Change
		for range c.Changes {
			change, err := r.Change()
			require.NoError(t, err)
			change.Value = bytes.Clone(change.Value)
			change.Key, change.Type = strings.Clone(change.Key), strings.Clone(change.Type)
			all = append(all, change)
		}
		x.commits, x.changes = append(x.commits, c), append(x.changes, all)
	}
}

// with is the bundle with one change in the place of another, or before it; ok is false if a bundle
// cannot say so. Digests and the hashes of events are made right.
func (x told) with(at uint16, insert bool, lie bundle.Change) (file []byte, ok bool) {
	var b bytes.Buffer
	w, err := bundle.NewWriter(&b, x.run)
	if err != nil {
		return nil, false
	}
	var head codec.EventDigest
	var seq uint64
	var last int64
	place := int(at) % len(x.commits)
	for n, c := range x.commits {
		all := append([]bundle.Change(nil), x.changes[n]...)
		if i := int(at) / len(x.commits) % (len(all) + 1); n == place {
			rest := all[i:]
			if !insert && len(rest) > 0 {
				rest = rest[1:]
			}
			all = append(append(append([]bundle.Change(nil), all[:i]...), lie), rest...)
		}
		c.Changes = uint64(len(all))
		if w.Commit(c) != nil {
			return nil, false
		}
		for _, change := range all {
			if change.Op == codec.ChangeAppend {
				last = max(last, c.Time)
				head = codec.EventHash(head, seq, last, change.Type, codec.PayloadDigest(change.Value))
				change.Hash = head
				seq++
			}
			if w.Change(change) != nil {
				return nil, false
			}
		}
	}
	_, err = w.Close()
	return b.Bytes(), err == nil
}

// someRun fills a run with all primitives.
func someRun(t testing.TB, d *DB) *Run {
	ctx := t.Context()
	run, err := d.BeginRun(ctx, RunOptions{Tags: []string{"a"}})
	require.NoError(t, err)
	_, err = run.Update(ctx, func(tx *Tx) error {
		_, err := tx.KV().Put(ctx, "a", Int(1))
		return err
	})
	require.NoError(t, err)
	_, err = run.KV().PutWithTTL(ctx, "b", String("x"), time.Hour)
	require.NoError(t, err)
	_, err = run.Events().Append(ctx, "said", Bool(true))
	require.NoError(t, err)
	_, err = run.Cell("c").Define(ctx, Machine{Initial: "off",
		Transitions: []Transition{{From: "off", Event: "on", To: "on"}}})
	require.NoError(t, err)
	_, err = run.Cell("c").Init(ctx, String("off"))
	require.NoError(t, err)
	span, err := run.Traces().Start(ctx, Span{Type: SpanToolCall, Name: "search"})
	require.NoError(t, err)
	_, err = run.Traces().Record(ctx, Span{Type: SpanThought, Parent: span, Tags: []string{"t"}})
	require.NoError(t, err)
	docs := run.Vectors("docs")
	_, err = docs.Create(ctx, CollectionOptions{Dim: 2, Metric: L2})
	require.NoError(t, err)
	_, err = docs.Upsert(ctx, "v", []float32{1, 0}, Null())
	require.NoError(t, err)
	_, err = run.KV().Delete(ctx, "a")
	require.NoError(t, err)
	return run
}

// FuzzImportRun: a bundle of whatever bytes, and one that is right in form and lies in one change,
// is imported whole or refused with nothing left of it. What was imported can be read, searched and
// verified, and its own bundle is the one that it came from.
func FuzzImportRun(f *testing.F) {
	d, err := Open("fuzz", &Options{Durability: None})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, d.Close()) })
	run := someRun(f, d)
	var b bytes.Buffer
	_, err = d.ExportRun(f.Context(), run.ID(), &b, ExportOptions{})
	require.NoError(f, err)
	file := b.Bytes()
	truth := takeApart(f, file)
	require.NoError(f, d.DeleteRun(f.Context(), run.ID()))

	f.Add(file, uint16(0), false, byte(0), byte(0), "", "", int64(0))
	for n, all := range truth.changes {
		for i, c := range all {
			at := uint16(n + i*len(truth.commits))
			f.Add(c.Value, at, false, byte(c.Op), byte(c.Primitive), c.Key, c.Type, c.Expiry)
			f.Add(c.Value, at, true, byte(c.Op), byte(c.Primitive), c.Key+"x", c.Type, c.Expiry)
			f.Add(c.Value, at, false, byte(c.Op), byte(c.Primitive), c.Key+"x", c.Type, c.Expiry)
			f.Add(c.Value, at, false, byte(c.Op), byte(c.Primitive), c.Key, c.Type, int64(-19))
		}
	}
	for letter := range "ktvmcx" {
		f.Add([]byte(nil), uint16(9), true, byte(codec.ChangeDelete), "ktvmcx"[letter], "a", "",
			int64(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, insert bool, op, letter byte, key, typ string,
		expiry int64,
	) {
		if op == 0 {
			tryImport(t, d, data)
			return
		}
		lie := bundle.Change{Value: data, BundleChange: codec.BundleChange{
			Op: codec.ChangeOp(op), Primitive: codec.Primitive(letter), Key: key, Type: typ,
			Expiry: expiry}}
		if lie.Op != codec.ChangePut && lie.Op != codec.ChangeAppend {
			lie.Value = nil
		}
		told := truth
		told.run.StateHash = [32]byte{}
		for range 2 {
			file, ok := told.with(at, insert, lie)
			if !ok {
				return
			}
			hash, wrong := tryImport(t, d, file)
			if !wrong {
				return
			}
			told.run.StateHash = hash // now it does not lie about that
		}
	})
}

// tryImport imports a file and looks at what became of it. If the file tells of the wrong state
// hash, it returns the right one.
func tryImport(t *testing.T, d *DB, file []byte) (hash [32]byte, wrong bool) {
	ctx := context.Background()
	run, err := d.ImportRun(ctx, bytes.NewReader(file), ImportOptions{})
	if err != nil {
		require.True(t, errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) ||
			errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrTooLarge), "%v", err)
		for info, err := range d.Runs().All(ctx, RunQuery{}) {
			require.NoError(t, err)
			t.Fatalf("run %s is left of an import that failed", info.ID)
		}
		_, text, wrong := strings.Cut(err.Error(), "makes a run with state hash ")
		if wrong {
			right, err := hex.DecodeString(text[:64])
			require.NoError(t, err)
			copy(hash[:], right)
		}
		return hash, wrong
	}
	lookAt(t, d, run)
	var again bytes.Buffer
	_, err = d.ExportRun(ctx, run.ID(), &again, ExportOptions{})
	require.NoError(t, err)
	require.Equal(t, takeApart(t, file), takeApart(t, again.Bytes()))
	require.NoError(t, d.DeleteRun(ctx, run.ID()))
	return hash, false
}

// lookAt reads all of a run. What was imported is not damaged.
func lookAt(t *testing.T, d *DB, run *Run) {
	ctx := context.Background()
	report, err := d.Verify(ctx, VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	for _, err := range run.KV().Scan(ctx, ScanOptions{}) {
		require.NoError(t, err)
	}
	for _, err := range run.Events().List(ctx, EventOptions{}) {
		require.NoError(t, err)
	}
	_, err = run.Traces().Forest(ctx)
	require.NoError(t, err)
	for name, err := range run.Cells().List(ctx, "") {
		require.NoError(t, err)
		_, err = run.Cell(name).Load(ctx)
		require.NoError(t, err)
	}
	for name, err := range run.Collections().List(ctx) {
		require.NoError(t, err)
		info, err := run.Vectors(name).Describe(ctx)
		require.NoError(t, err)
		_, err = run.Vectors(name).Search(ctx, SearchOptions{Vector: onesOf(info.Dim), K: 3})
		require.NoError(t, err)
	}
}

func onesOf(dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = 1
	}
	return v
}
