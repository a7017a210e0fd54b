package kv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// world is a run on the dumb authority with a clock that stands still.
type world struct {
	m   *txn.Manager
	run *backend.Scope
	now time.Time
	// extension puts the keys of kv and in there.
	extension bool
}

// newWorld begins a run as package db does.
func newWorld(ctx context.Context, t require.TestingT) *world {
	w := &world{now: time.Unix(1e9, 0)}
	b := model.New(func() time.Time { return w.now })
	w.m = txn.New(b, txn.Config{})
	number, err := b.AllocateScope(ctx)
	require.NoError(t, err)
	w.run = &backend.Scope{Number: number, Record: "the-run"}
	data, err := codec.AppendScopeRecord(nil, codec.ScopeRecord{
		ID: [16]byte{1}, Number: number, Status: codec.Active,
	})
	require.NoError(t, err)
	system := &backend.Scope{Number: codec.SystemScope}
	_, err = w.m.Update(ctx, system, txn.Options{}, func(tx *txn.Tx) error {
		tx.CreateScope(w.run)
		_, err := tx.Scope(system).Put(ctx, codec.ScopeRecords, w.run.Record, data, 0)
		return err
	})
	require.NoError(t, err)
	return w
}

func (w *world) kv() KV { return w.in(w.m.Scope(w.run)) }

func (w *world) in(s txn.Scope) KV {
	if w.extension {
		return In(s, "a")
	}
	return New(s)
}

// drawNoise writes to the other places for keys of the same run. The function that it returns looks
// whether all of it is still as it was: no key leaks from one place into another.
func drawNoise(ctx context.Context, t *rapid.T, w *world) func() {
	s := w.m.Scope(w.run)
	others := []KV{In(s, ""), In(s, "a\x00"), In(s, "a\x00\x01"), In(s, "aa"), In(s, "\xff")}
	if w.extension {
		others = append(others, New(s))
	}
	for _, k := range others {
		for _, key := range []string{"", "a", "\xff"} {
			_, err := k.Put(ctx, key, codec.String("noise"))
			require.NoError(t, err)
		}
	}
	return func() {
		for i, k := range others {
			n, err := k.Count(ctx, ScanOptions{})
			require.NoError(t, err)
			require.Equal(t, 3, n, "place %d", i)
		}
	}
}

// twin is what a KV should show: a map, and sorting.
type twin map[string]string

func (m twin) scan(o ScanOptions) []Pair {
	var pairs []Pair
	for k, v := range m {
		if strings.HasPrefix(k, o.Prefix) && k >= o.Start && (o.End == "" || k < o.End) {
			pairs = append(pairs, Pair{Key: k, Value: codec.String(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	if o.Reverse {
		slices.Reverse(pairs)
	}
	if o.Limit > 0 && len(pairs) > o.Limit {
		pairs = pairs[:o.Limit]
	}
	return pairs
}

// R072, R150, R151: after each operation of a random transaction everything that it reads equals a
// map; so it does for a direct KV, and for a view of what was there before.
func TestR072AgainstAMap(t *testing.T) {
	for _, form := range []string{"direct", "transaction"} {
		for _, at := range []string{"run", "extension"} {
			t.Run(form+" "+at, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { checkAgainstMap(t, form, at) })
			})
		}
	}
}

func checkAgainstMap(t *rapid.T, form, at string) {
	ctx := context.Background()
	w := newWorld(ctx, t)
	w.extension = at == "extension"
	noise := drawNoise(ctx, t, w)
	defer noise()
	state := twin{}
	key := rapid.OneOf(
		rapid.SampledFrom([]string{"", "\x00", "a", "a\x00", "ab", "b", "\xff", "\xff\xff"}),
		rapid.StringMatching(`[ab]{0,3}`))
	for range rapid.IntRange(0, 8).Draw(t, "before") {
		k := key.Draw(t, "key")
		state[k] = fmt.Sprintf("before %x", k)
		_, err := w.kv().Put(ctx, k, codec.String(state[k]))
		require.NoError(t, err)
	}
	before := maps.Clone(state)
	k, outside := w.kv(), w.kv()
	var tx *txn.Tx
	if form == "transaction" {
		var err error
		tx, err = w.m.Begin(ctx, w.run, txn.Options{Isolation: txn.Serializable})
		require.NoError(t, err)
		k = w.in(tx.Scope(w.run))
	}
	n := 0
	t.Repeat(map[string]func(*rapid.T){
		"put": func(t *rapid.T) {
			name := key.Draw(t, "key")
			n++
			state[name] = fmt.Sprint(n)
			var err error
			if rapid.Bool().Draw(t, "ttl") {
				_, err = k.PutWithTTL(ctx, name, codec.String(state[name]), time.Hour)
			} else {
				_, err = k.Put(ctx, name, codec.String(state[name]))
			}
			require.NoError(t, err)
		},
		"delete": func(t *rapid.T) {
			name := key.Draw(t, "key")
			_, want := state[name]
			got, err := k.Delete(ctx, name)
			require.NoError(t, err)
			require.Equal(t, want, got)
			delete(state, name)
		},
		"cas": func(t *rapid.T) {
			name := key.Draw(t, "key")
			e, err := outside.GetVersioned(ctx, name)
			require.NoError(t, err)
			n++
			_, err = k.CAS(ctx, name, e.Version, codec.String(fmt.Sprint(n)))
			require.NoError(t, err)
			state[name] = fmt.Sprint(n)
		},
		"": func(t *rapid.T) {
			checkReads(ctx, t, k, state, drawScan(t, key))
			if tx != nil {
				checkReads(ctx, t, outside, before, ScanOptions{})
			}
		},
	})
	if tx != nil {
		_, err := tx.Commit(ctx)
		require.NoError(t, err)
		checkReads(ctx, t, outside, state, ScanOptions{})
	}
}

// drawScan draws options that are valid.
func drawScan(t *rapid.T, key *rapid.Generator[string]) ScanOptions {
	o := ScanOptions{
		Reverse: rapid.Bool().Draw(t, "reverse"), Limit: rapid.IntRange(0, 4).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "prefixed") {
		o.Prefix = key.Draw(t, "prefix")
		o.Start = o.Prefix + rapid.SampledFrom([]string{"", "a"}).Draw(t, "start")
		return o
	}
	o.Start, o.End = key.Draw(t, "start"), key.Draw(t, "end")
	if o.End != "" && o.Start > o.End {
		o.Start, o.End = o.End, o.Start
	}
	return o
}

// checkReads compares every reading method with the map.
func checkReads(ctx context.Context, t *rapid.T, k KV, state twin, o ScanOptions) {
	want := state.scan(o)
	var pairs []Pair
	for p, err := range k.Scan(ctx, o) {
		require.NoError(t, err)
		pairs = append(pairs, p)
	}
	require.Equal(t, want, pairs, "%+v", o)
	i := 0
	for key, err := range k.List(ctx, o) {
		require.NoError(t, err)
		require.Equal(t, want[i].Key, key)
		i++
	}
	require.Len(t, want, i)
	count, err := k.Count(ctx, o)
	require.NoError(t, err)
	require.Equal(t, len(want), count)
	names := []string{"", "a", "ab", "\xff", "never"}
	many, err := k.GetMany(ctx, names)
	require.NoError(t, err)
	for _, name := range names {
		want, ok := state[name]
		exists, err := k.Exists(ctx, name)
		require.NoError(t, err)
		require.Equal(t, ok, exists)
		v, found, err := k.Get(ctx, name)
		require.NoError(t, err)
		require.Equal(t, ok, found)
		e, err := k.GetVersioned(ctx, name)
		require.NoError(t, err)
		require.Equal(t, ok, e.Exists)
		require.Equal(t, v, e.Value)
		_, inMany := many[name]
		require.Equal(t, ok, inMany)
		if ok {
			require.Equal(t, codec.String(want), v)
			require.Equal(t, v, many[name])
		}
	}
}

// R022: keys are any bytes.
func TestR022Keys(t *testing.T) {
	w := newWorld(t.Context(), t)
	keys := []string{"", "\x00", "a\x00b", "é", "🙂", "\xff\xfe",
		strings.Repeat("k", codec.MaxKeySize)}
	for _, key := range keys {
		_, err := w.kv().Put(t.Context(), key, codec.String(key[:min(len(key), 3)]+"."))
		if len(key) > 0 && key[0] == 0xff {
			require.ErrorIs(t, err, codec.ErrInvalidArgument, "not UTF-8: a value, not a key")
			_, err = w.kv().Put(t.Context(), key, codec.Bytes([]byte(key)))
		} else if key == "🙂" {
			_, err = w.kv().Put(t.Context(), key, codec.String(key))
		}
		require.NoError(t, err, "%q", key)
		ok, err := w.kv().Exists(t.Context(), key)
		require.NoError(t, err)
		require.True(t, ok, "%q", key)
	}
	n, err := w.kv().Count(t.Context(), ScanOptions{})
	require.NoError(t, err)
	require.Equal(t, len(keys), n)
}

// Errors name the operation, the run and the key, and keep a long key short.
func TestErrorsTellWhere(t *testing.T) {
	w := newWorld(t.Context(), t)
	long := strings.Repeat("k", codec.MaxKeySize+1)
	k := w.kv()
	bad := codec.String("\xff")
	for op, call := range map[string]func() error{
		"get": func() error { _, _, err := k.Get(t.Context(), long); return err },
		"exists": func() error {
			_, err := k.Exists(t.Context(), long)
			return err
		},
		"put": func() error {
			_, err := k.Put(t.Context(), long, codec.Null())
			return err
		},
		"delete": func() error { _, err := k.Delete(t.Context(), long); return err },
		"cas":    func() error { _, err := k.CAS(t.Context(), long, 0, codec.Null()); return err },
		"scan": func() error {
			for _, err := range k.Scan(t.Context(), ScanOptions{Prefix: long}) {
				return err
			}
			return nil
		},
	} {
		err := call()
		require.ErrorIs(t, err, codec.ErrTooLarge, op)
		require.ErrorContains(t, err, "kv "+op+" run the-run key \"kkk", op)
		require.Less(t, len(err.Error()), 300, op)
	}
	_, err := k.Put(t.Context(), "k", bad)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = k.CAS(t.Context(), "k", 0, bad)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = k.CAS(t.Context(), "k", 7, codec.Null())
	require.ErrorContains(t, err, `run the-run k/"k" expected version 7, found 0`)

	var zero KV
	_, _, err = zero.Get(t.Context(), "k")
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	require.ErrorContains(t, err, "run (none)")
}

// E76: the deadline saturates.
func TestE76TTLSaturates(t *testing.T) {
	w := newWorld(t.Context(), t)
	_, err := w.kv().PutWithTTL(t.Context(), "k", codec.Int(1), math.MaxInt64)
	require.NoError(t, err)
	e, err := w.kv().GetVersioned(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), e.Expires.UnixNano())
	require.Equal(t, w.now, e.Written)
}

// A clock that goes back during a transaction does not hide the transaction's own write from it.
func TestClockGoesBack(t *testing.T) {
	w := newWorld(t.Context(), t)
	_, err := w.m.Update(t.Context(), w.run, txn.Options{}, func(tx *txn.Tx) error {
		w.now = w.now.Add(-time.Hour)
		k := New(tx.Scope(w.run))
		_, err := k.PutWithTTL(t.Context(), "k", codec.Int(1), time.Second)
		require.NoError(t, err)
		ok, err := k.Exists(t.Context(), "k")
		require.NoError(t, err)
		require.True(t, ok)
		return nil
	})
	require.NoError(t, err)
}

// A view refuses writes and shows one version.
func TestView(t *testing.T) {
	w := newWorld(t.Context(), t)
	_, err := w.kv().Put(t.Context(), "k", codec.Int(1))
	require.NoError(t, err)
	var kept KV
	err = w.m.View(t.Context(), func(v *txn.View) error {
		k := New(v.Scope(w.run))
		kept = k
		_, err := w.kv().Put(t.Context(), "k", codec.Int(2))
		require.NoError(t, err)
		got, _, err := k.Get(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, codec.Int(1), got)
		_, err = k.Put(t.Context(), "k", codec.Int(3))
		require.ErrorIs(t, err, backend.ErrReadOnly)
		_, err = k.PutWithTTL(t.Context(), "k", codec.Int(3), time.Second)
		require.ErrorIs(t, err, backend.ErrReadOnly)
		_, err = k.Delete(t.Context(), "k")
		require.ErrorIs(t, err, backend.ErrReadOnly)
		_, err = k.CAS(t.Context(), "k", 0, codec.Int(3))
		require.ErrorIs(t, err, backend.ErrReadOnly)
		return nil
	})
	require.NoError(t, err)
	_, _, err = kept.Get(t.Context(), "k")
	require.ErrorIs(t, err, txn.ErrTxnDone)
	_, err = kept.Count(t.Context(), ScanOptions{})
	require.ErrorIs(t, err, txn.ErrTxnDone)
}

// An iteration can be left early and begun again; then it looks anew.
func TestIterationIsRepeatable(t *testing.T) {
	w := newWorld(t.Context(), t)
	for i := range 600 {
		_, err := w.kv().Put(t.Context(), fmt.Sprintf("%03d", i), codec.Int(int64(i)))
		require.NoError(t, err)
	}
	seq := w.kv().List(t.Context(), ScanOptions{})
	for key := range seq {
		require.Equal(t, "000", key)
		break
	}
	_, err := w.kv().Delete(t.Context(), "000")
	require.NoError(t, err)
	for key := range seq {
		require.Equal(t, "001", key)
		break
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for _, err := range w.kv().List(ctx, ScanOptions{}) {
		cancel()
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1, "yielded once")
	require.ErrorIs(t, errs[0], txn.ErrCanceled)
	require.ErrorIs(t, errs[0], context.Canceled)
}

// An extension's operations in Atomic are one step, alone and inside a transaction.
func TestAtomic(t *testing.T) {
	w := newWorld(t.Context(), t)
	w.extension = true
	add := func(k KV) (uint64, error) {
		return k.Atomic(t.Context(), func(k KV) error {
			v, _, err := k.Get(t.Context(), "n")
			if err != nil {
				return err
			}
			n, _ := v.AsInt()
			if n == 2 {
				return errors.New("enough")
			}
			_, err = k.Put(t.Context(), "n", codec.Int(n+1))
			return err
		})
	}
	version, err := add(w.kv())
	require.NoError(t, err)
	require.NotZero(t, version)
	_, err = w.m.Update(t.Context(), w.run, txn.Options{}, func(tx *txn.Tx) error {
		version, err := add(w.in(tx.Scope(w.run)))
		require.Zero(t, version)
		return err
	})
	require.NoError(t, err)
	_, err = add(w.kv())
	require.ErrorContains(t, err, "enough")
	v, _, err := w.kv().Get(t.Context(), "n")
	require.NoError(t, err)
	require.Equal(t, codec.Int(2), v)
	require.NoError(t, w.m.View(t.Context(), func(v *txn.View) error {
		_, err := add(w.in(v.Scope(w.run)))
		require.ErrorIs(t, err, backend.ErrReadOnly)
		return nil
	}))
}
