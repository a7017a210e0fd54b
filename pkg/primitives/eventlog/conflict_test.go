package eventlog

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// What a transaction may read without conflicting with another one's append of type "even", and
// what not. The log has three events of the types even, odd, even, one microsecond apart.
var conflicts = []struct {
	name                   string
	read                   func(context.Context, Log) error
	snapshot, serializable bool // whether it conflicts
}{
	{"nothing", func(context.Context, Log) error { return nil }, false, false},
	{"len", func(ctx context.Context, l Log) error { _, err := l.Len(ctx); return err }, true, true},
	{"head", func(ctx context.Context, l Log) error {
		_, _, err := l.Head(ctx)
		return err
	}, true, true},
	{"verify", func(ctx context.Context, l Log) error {
		_, err := l.Verify(ctx)
		return err
	}, true, true},
	{"get", func(ctx context.Context, l Log) error {
		_, _, err := l.Get(ctx, 2)
		return err
	}, false, false},
	{"get the next", func(ctx context.Context, l Log) error {
		_, _, err := l.Get(ctx, 3)
		return err
	}, true, true},
	{"get behind the next", func(ctx context.Context, l Log) error {
		_, _, err := l.Get(ctx, 4)
		return err
	}, false, false},
	{"range", walking(ListOptions{Start: 1, End: 3}), false, false},
	{"all", walking(ListOptions{}), true, true},
	{"all backwards", walking(ListOptions{Reverse: true}), true, true},
	{"limited", walking(ListOptions{Limit: 2}), false, false},
	{"last backwards", walking(ListOptions{Reverse: true, Limit: 1}), true, true},
	{"range backwards", walking(ListOptions{End: 3, Reverse: true, Limit: 1}), false, false},
	{"the type", walking(ListOptions{Type: "even"}), false, true},
	{"the type to the end of a range", walking(ListOptions{Type: "even", End: 3}), false, false},
	{"another type", walking(ListOptions{Type: "odd"}), false, false},
	{"the types", func(ctx context.Context, l Log) error {
		for _, err := range l.Types(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}, false, false},
	{"count", func(ctx context.Context, l Log) error {
		_, err := l.CountType(ctx, "even")
		return err
	}, false, true},
	{"count another", func(ctx context.Context, l Log) error {
		_, err := l.CountType(ctx, "odd")
		return err
	}, false, false},
	{"since", walking(ListOptions{Since: at(2)}), true, true},
	{"until there", walking(ListOptions{Until: at(2)}), false, false},
	{"until not yet", walking(ListOptions{Until: at(9)}), true, true},
	{"since later, of another type", walking(ListOptions{Since: at(9), Type: "odd"}), false, false},
	{"since and until of a type", walking(ListOptions{Since: at(1), Until: at(3), Type: "even"}),
		false, false},
}

func at(microseconds int) time.Time {
	return time.Unix(0, start).Add(time.Duration(microseconds) * time.Microsecond)
}

func walking(o ListOptions) func(context.Context, Log) error {
	return func(ctx context.Context, l Log) error {
		for _, err := range l.List(ctx, o) {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// R164, E52: another one's append between the reading and the commit of a transaction is a conflict
// exactly if it changes what was read, and never because the transaction appends, too.
func TestR164WhatConflicts(t *testing.T) {
	onBoth(t, func(t *testing.T, first *world) {
		for _, c := range conflicts {
			for _, isolation := range []txn.Isolation{txn.Snapshot, txn.Serializable} {
				want := c.snapshot
				if isolation == txn.Serializable {
					want = c.serializable
				}
				w := first.sibling(t)
				w.fill(t, 3)
				tx, in := w.begin(t, txn.Options{Isolation: isolation})
				require.NoError(t, c.read(t.Context(), in))
				place, err := in.Append(t.Context(), "mine", codec.Null())
				require.NoError(t, err)
				require.EqualValues(t, 3, place.Seq, "provisional")
				w.clock.Add(int64(time.Microsecond))
				_, err = w.log().Append(t.Context(), "even", codec.Null())
				require.NoError(t, err)
				_, err = tx.Commit(t.Context())
				if want {
					require.ErrorIs(t, err, backend.ErrConflict, "%s, %d", c.name, isolation)
					continue
				}
				require.NoError(t, err, "%s, %d", c.name, isolation)
				e, _, err := w.log().Head(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 4, e.Seq, "behind the one that came between")
				require.Equal(t, "mine", e.Type)
			}
		}
	})
}

// A new type changes what Types has shown, if ranges are validated.
func TestNewTypeIsAPhantomOfTypes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.fill(t, 3)
		for isolation, want := range map[txn.Isolation]error{
			txn.Snapshot: nil, txn.Serializable: backend.ErrConflict,
		} {
			tx, in := w.begin(t, txn.Options{Isolation: isolation})
			all(t, in.Types(t.Context()))
			_, err := in.Append(t.Context(), "mine", codec.Null())
			require.NoError(t, err)
			_, err = w.log().Append(t.Context(), []string{"new", "newer"}[isolation], codec.Null())
			require.NoError(t, err)
			_, err = tx.Commit(t.Context())
			require.ErrorIs(t, err, want)
		}
	})
}
