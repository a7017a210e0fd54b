package citizentest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// One run with very many keys: written, counted, read, scanned from both ends, reopened, forked and
// deleted; the memory is that of the budget.
func TestLargeRun(t *testing.T) {
	many := size(10_000_000, 200_000, 20_000)
	dir, o := t.TempDir(), &inmem.Options{MemoryBudget: 8 << 20}
	db := open(t, dir, o)
	run := begin(t, db)
	before := heap()
	const batch = 10_000
	key := func(i int) string { return fmt.Sprintf("key/%08d", i) }
	for at := 0; at < many; at += batch {
		_, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
			for i := at; i < at+batch; i++ {
				if _, err := tx.KV().Put(t.Context(), key(i), inmem.Int(int64(i))); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
	check := func(run *inmem.Run) {
		n, err := run.KV().Count(t.Context(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, many, n)
		for range 1000 {
			i := rand.IntN(many)
			v, ok, err := inmem.Get[int](t.Context(), run.KV(), key(i))
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, i, v)
		}
		for _, reverse := range []bool{false, true} {
			at, o := 0, inmem.ScanOptions{Limit: 1000, Reverse: reverse}
			for p, err := range run.KV().Scan(t.Context(), o) {
				require.NoError(t, err)
				want := at
				if reverse {
					want = many - 1 - at
				}
				require.Equal(t, key(want), p.Key)
				at++
			}
			require.Equal(t, 1000, at)
		}
		// Pebble's buffers and cache are of C or counted by the budget; the rest is a margin.
		require.Less(t, heap(), before+96<<20)
	}
	check(run)
	require.NoError(t, db.Close())
	db = open(t, dir, o)
	run, err := db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	check(run)
	fork, err := run.Fork(t.Context(), inmem.ForkOptions{})
	require.NoError(t, err)
	check(fork)
	require.ErrorIs(t, db.DeleteRun(t.Context(), run.ID()), inmem.ErrHasForks)
	require.NoError(t, db.DeleteRun(t.Context(), fork.ID()))
	require.NoError(t, db.DeleteRun(t.Context(), run.ID()))
	n, err := db.Runs().Count(t.Context(), inmem.RunQuery{})
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, db.Close())
}

// The largest value in events, cells and spans, and one byte more, which is refused and leaves
// nothing. (Of keys see TestReopenLargest.)
func TestLargestValues(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: values of 32 MiB take hundreds of megabytes; go test ./... runs it")
	}
	db := open(t, t.TempDir(), &inmem.Options{MemoryBudget: 4 << 20})
	run := begin(t, db)
	require.NoError(t, run.Vectors("v").Ensure(t.Context(), flat))
	data := make([]byte, codec.MaxValueSize+1)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	largest, over := inmem.Bytes(data[:codec.MaxValueSize]), inmem.Bytes(data)
	ctx := t.Context()
	for name, f := range map[string]struct {
		write func(inmem.Value) error
		read  func() (inmem.Value, error)
	}{
		"event": {
			func(v inmem.Value) error { return only(run.Events().Append(ctx, "e", v)) },
			func() (inmem.Value, error) { e, _, err := run.Events().Get(ctx, 0); return e.Payload, err },
		},
		"cell": {
			func(v inmem.Value) error { return only(run.Cell("c").Store(ctx, v)) },
			func() (inmem.Value, error) { s, err := run.Cell("c").Get(ctx); return s.Value, err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			version := db.Version()
			require.ErrorIs(t, f.write(over), inmem.ErrTooLarge)
			require.Equal(t, version, db.Version())
			require.NoError(t, f.write(largest))
			v, err := f.read()
			require.NoError(t, err)
			require.True(t, v.Equal(largest))
		})
	}
	// A span's attributes share its record, and its limit, with what else there is of it.
	attributes := func(n int) inmem.Value {
		v, err := inmem.ValueOf(map[string][]byte{"a": data[:n]})
		require.NoError(t, err)
		return v
	}
	span := func(n int) error {
		return only(run.Traces().Start(ctx, inmem.Span{ID: "s", Type: inmem.SpanThought,
			Attributes: attributes(n)}))
	}
	require.ErrorIs(t, span(codec.MaxValueSize-10), inmem.ErrTooLarge)
	require.NoError(t, span(codec.MaxValueSize-1000))
	s, ok, err := run.Traces().Get(ctx, "s")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, s.Attributes.Equal(attributes(codec.MaxValueSize-1000)))
	require.NoError(t, all(run.Replay(ctx, inmem.ReplayOptions{Values: inmem.OldAndNewValues})))
	length, err := run.Events().Len(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, length)
}

// A transaction that has read 100,000 keys, one by one or by a scan, commits if all are as they
// were, and names the one that is not.
func TestLargeReadSet(t *testing.T) {
	many := size(100_000, 100_000, 5_000)
	db := open(t, t.TempDir(), nil)
	run := begin(t, db)
	key := func(i int) string { return fmt.Sprintf("%06d", i) }
	_, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
		for i := range many {
			if _, err := tx.KV().Put(t.Context(), key(i), inmem.Int(1)); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	read := map[string]func(*inmem.Tx) error{
		"gets": func(tx *inmem.Tx) error {
			for i := range many {
				if _, ok, err := tx.KV().Get(t.Context(), key(i)); err != nil || !ok {
					return errors.Join(err, fmt.Errorf("%d: %t", i, ok))
				}
			}
			return nil
		},
		"scan": func(tx *inmem.Tx) error { return all(tx.KV().Scan(t.Context(), inmem.ScanOptions{})) },
	}
	for name, read := range read {
		for _, isolation := range []inmem.Isolation{inmem.Snapshot, inmem.Serializable} {
			for _, disturbed := range []bool{false, true} {
				t.Run(fmt.Sprint(name, " ", isolation, " ", disturbed), func(t *testing.T) {
					tx, err := run.Begin(t.Context(), inmem.TxOptions{Isolation: isolation})
					require.NoError(t, err)
					require.NoError(t, read(tx))
					put(t, tx.KV(), "sum", "all")
					require.NoError(t, err)
					if !disturbed {
						require.NoError(t, only(tx.Commit(t.Context())))
						require.NoError(t, only(run.KV().Delete(t.Context(), "sum")))
						return
					}
					version := put(t, run.KV(), key(many-1), "late")
					_, err = tx.Commit(t.Context())
					var conflict *inmem.ConflictError
					require.ErrorAs(t, err, &conflict)
					require.Len(t, conflict.Keys, 1)
					require.Equal(t, version, conflict.Keys[0].Found)
					require.Contains(t, err.Error(), key(many-1))
				})
			}
		}
	}
	require.Zero(t, db.Metrics().Active)
}
