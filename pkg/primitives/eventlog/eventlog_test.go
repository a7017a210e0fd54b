package eventlog

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// R163: what can be done to a log. Nothing in the list changes or removes an event.
func TestR163AppendOnly(t *testing.T) {
	var methods []string
	for i := range reflect.TypeFor[Log]().NumMethod() {
		methods = append(methods, reflect.TypeFor[Log]().Method(i).Name)
	}
	require.Equal(t, []string{"Append", "AppendMany", "CountType", "Get", "Head", "Len", "List",
		"Range", "RebuildIndex", "Types", "Verify", "VerifyIndex"}, methods)
	require.Equal(t, reflect.TypeFor[Log]().NumMethod(), reflect.TypeFor[*Log]().NumMethod())
}

// E56: the empty log, and places beyond the end.
func TestE56BeyondTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		n, err := l.Len(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		_, ok, err := l.Head(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		v, err := l.Verify(ctx)
		require.NoError(t, err)
		require.Equal(t, Verification{Valid: true}, v)
		require.Empty(t, all(t, l.Types(ctx)))
		require.Empty(t, all(t, l.List(ctx, ListOptions{})))

		w.fill(t, 5)
		for _, r := range [][2]uint64{{0, 0}, {2, 2}, {5, 5}, {5, 9}, {9, 12}, {4, 2}, {9, 2},
			{1<<64 - 1, 1<<64 - 1}, {noEnd, noEnd + 1}, {1<<64 - 1, 0}} {
			require.Empty(t, all(t, l.Range(ctx, r[0], r[1])), "%v", r)
		}
		require.Equal(t, []uint64{3, 4}, seqs(all(t, l.Range(ctx, 3, 5))))
		require.Equal(t, []uint64{3, 4}, seqs(all(t, l.Range(ctx, 3, 1<<64-1))))
		for _, seq := range []uint64{5, codec.MaxSequence, codec.MaxSequence + 1, 1<<64 - 1} {
			_, ok, err := l.Get(ctx, seq)
			require.NoError(t, err)
			require.False(t, ok)
		}
		n, err = l.CountType(ctx, "absent")
		require.NoError(t, err)
		require.Zero(t, n)
		places, err := l.AppendMany(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, places)
	})
}

// R166: an empty type is refused; names that could reach somewhere else are data like any other.
func TestR166Types(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		bad := codec.String("\xff")
		for _, c := range []struct {
			typ     string
			payload codec.Value
			err     error
		}{
			{"", codec.Null(), codec.ErrInvalidArgument},
			{"\xff", codec.Null(), codec.ErrInvalidArgument},
			{"a\xc3", codec.Null(), codec.ErrInvalidArgument},
			{strings.Repeat("t", codec.MaxEventType+1), codec.Null(), codec.ErrTooLarge},
			{strings.Repeat("t", 8<<10), codec.Null(), codec.ErrTooLarge},
			{"t", bad, codec.ErrInvalidArgument},
			{"t", codec.String(strings.Repeat("x", codec.MaxValueSize+1)), codec.ErrTooLarge},
		} {
			_, err := l.Append(ctx, c.typ, c.payload)
			require.ErrorIs(t, err, c.err)
			require.ErrorContains(t, err, "event log append run "+w.run.Record+" type \"")
			require.Less(t, len(err.Error()), 400)
			_, err = l.AppendMany(ctx, []NewEvent{{"ok", codec.Null()}, {c.typ, c.payload}})
			require.ErrorIs(t, err, c.err)
			require.ErrorContains(t, err, "event 2 of 2")
			if c.typ == "t" {
				continue
			}
			_, err = l.CountType(ctx, c.typ)
			require.ErrorIs(t, err, c.err)
			if c.typ != "" {
				require.ErrorIs(t, failure(t, l.List(ctx, ListOptions{Type: c.typ})), c.err)
			}
		}
		n, err := l.Len(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "nothing of a refused list is appended")

		names := []string{"__meta__", "\x00", "\x00\x01", "/", "e/0", "000000000000", "é", "\U0010ffff",
			strings.Repeat("\x00", codec.MaxEventType), strings.Repeat("t", codec.MaxEventType)}
		for i, name := range names {
			place, err := l.Append(ctx, name, codec.Int(int64(i)))
			require.NoError(t, err)
			require.EqualValues(t, i, place.Seq)
		}
		for i, name := range names {
			found := all(t, l.List(ctx, ListOptions{Type: name}))
			require.Equal(t, []uint64{uint64(i)}, seqs(found))
			require.Equal(t, name, found[0].Type)
			n, err := l.CountType(ctx, name)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		require.ElementsMatch(t, names, all(t, l.Types(ctx)))
		for _, p := range []codec.Primitive{codec.KV, codec.Cells, codec.Traces} { // R196
			c := w.m.Scope(w.run).Scan(ctx, p, txn.Range{})
			require.False(t, c.Next(), "an append wrote under %q", p)
			c.Close()
		}
	})
}

// R165, E50: what is aborted, by an error or a conflict, burns no number.
func TestR165AbortBurnsNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		w.fill(t, 2)
		mine := errors.New("mine")
		err := w.update(ctx, txn.Options{}, func(in Log) error {
			for i := range uint64(3) { // E51: in a row, and readable before the commit
				place, err := in.Append(ctx, "aborted", codec.Null())
				require.NoError(t, err)
				require.Equal(t, Appended{Seq: 2 + i, Hash: place.Hash}, place)
				e, ok, err := in.Get(ctx, 2+i)
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, place.Hash, e.Hash)
				require.Zero(t, e.Version)
			}
			require.Equal(t, []string{"aborted", "even", "odd"}, all(t, in.Types(ctx)))
			return mine
		})
		require.ErrorIs(t, err, mine)
		n, err := l.Len(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, []string{"even", "odd"}, all(t, l.Types(ctx)))

		tx, in := w.begin(t, txn.Options{})
		_, err = in.Len(ctx)
		require.NoError(t, err)
		_, err = in.Append(ctx, "lost", codec.Null())
		require.NoError(t, err)
		w.fill(t, 1)
		_, err = tx.Commit(ctx)
		require.ErrorIs(t, err, backend.ErrConflict)

		place, err := l.Append(ctx, "next", codec.Null())
		require.NoError(t, err)
		require.EqualValues(t, 3, place.Seq)
		v, err := l.Verify(ctx)
		require.NoError(t, err)
		require.True(t, v.Valid)
	})
}

// R165: an event and a value written in one transaction are there together.
func TestR165JoinsTheTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		version, err := w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
			s := tx.Scope(w.run)
			if _, err := s.Put(ctx, codec.KV, "k", indexValue, 0); err != nil {
				return err
			}
			_, err := New(s).Append(ctx, "t", codec.Int(1))
			return err
		})
		require.NoError(t, err)
		e, ok, err := w.log().Head(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, version, e.Version)
		found, err := w.m.Scope(w.run).Get(ctx, codec.KV, "k")
		require.NoError(t, err)
		require.Equal(t, version, found.Version)
	})
}

// A view reads and refuses; so does a run that has ended, and a transaction that has.
func TestFormsThatTakeNoAppend(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		w.fill(t, 3)
		var kept Log
		require.NoError(t, w.m.View(ctx, func(v *txn.View) error {
			kept = New(v.Scope(w.run))
			w.fill(t, 1)
			n, err := kept.Len(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 3, n)
			require.Len(t, all(t, kept.List(ctx, ListOptions{})), 3)
			for _, err := range refusals(ctx, kept) {
				require.ErrorIs(t, err, backend.ErrReadOnly)
			}
			return nil
		}))
		tx, done := w.begin(t, txn.Options{})
		require.NoError(t, tx.Rollback())
		for _, l := range []Log{kept, done} {
			_, err := l.Len(ctx)
			require.ErrorIs(t, err, txn.ErrTxnDone)
			require.ErrorIs(t, failure(t, l.List(ctx, ListOptions{})), txn.ErrTxnDone)
			require.ErrorIs(t, failure(t, l.Types(ctx)), txn.ErrTxnDone)
			_, err = l.VerifyIndex(ctx)
			require.ErrorIs(t, err, txn.ErrTxnDone)
		}
		w.end(t, codec.Completed)
		_, err := l.Append(ctx, "late", codec.Null())
		require.ErrorIs(t, err, backend.ErrScopeNotActive)
		require.Len(t, all(t, l.List(ctx, ListOptions{})), 4)
	})
}

// refusals are the errors of everything that writes.
func refusals(ctx context.Context, l Log) []error {
	_, one := l.Append(ctx, "t", codec.Null())
	_, many := l.AppendMany(ctx, []NewEvent{{"t", codec.Null()}})
	_, rebuilt := l.RebuildIndex(ctx)
	return []error{one, many, rebuilt}
}

// Errors name the operation and the run, also those of the zero Log.
func TestErrorsTellWhere(t *testing.T) {
	var zero Log
	ctx := t.Context()
	errs := refusals(ctx, zero)
	_, err := zero.Len(ctx)
	errs = append(errs, err)
	_, _, err = zero.Head(ctx)
	errs = append(errs, err)
	_, _, err = zero.Get(ctx, 7)
	require.ErrorContains(t, err, "seq 7")
	errs = append(errs, err)
	_, err = zero.CountType(ctx, "t")
	errs = append(errs, err)
	_, err = zero.Verify(ctx)
	errs = append(errs, err)
	_, err = zero.VerifyIndex(ctx)
	errs = append(errs, err, failure(t, zero.Types(ctx)), failure(t, zero.Range(ctx, 0, 1)),
		failure(t, zero.List(ctx, ListOptions{Type: "t"})))
	for i, err := range errs {
		require.ErrorIs(t, err, codec.ErrInvalidArgument, "%d", i)
		require.Regexp(t, `^event log [a-z ]+ run \(none\)`, err.Error())
	}
	err = failure(t, newWorld(ctx, t).log().List(ctx, ListOptions{Limit: -1}))
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}

// Iterations end when they are left, look anew when begun again, and stop when ctx is done.
func TestIterations(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.fill(t, 600)
		seq := w.log().List(t.Context(), ListOptions{Reverse: true})
		for want := uint64(599); want < 601; want++ {
			for e, err := range seq {
				require.NoError(t, err)
				require.Equal(t, want, e.Seq)
				break
			}
			w.fill(t, 1)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for _, err := range w.log().List(ctx, ListOptions{}) {
			cancel()
			n++
			last = err
		}
		require.ErrorIs(t, last, txn.ErrCanceled)
		require.Less(t, n, 600)
		_, err := w.log().Verify(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
		_, err = w.log().VerifyIndex(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled)
		_, err = w.log().RebuildIndex(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled)

		w = w.sibling(t) // also on a log that is read in a moment
		w.fill(t, 1)
		_, err = w.log().Verify(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled)
		w.erase(t, index, codec.EventTypeKey("even", 0))
		_, err = w.log().VerifyIndex(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled, "events only")
		w = w.sibling(t)
		w.write(t, index, "entry", indexValue)
		_, err = w.log().VerifyIndex(ctx)
		require.ErrorIs(t, err, txn.ErrCanceled, "entries only")
	})
}
