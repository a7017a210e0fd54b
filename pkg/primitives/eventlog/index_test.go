package eventlog

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

const index = codec.Primitive('E')

// R197: damaged entries are named, repaired, and a second repair finds nothing to do. On an active
// run and on one that has ended.
func TestR197IndexRepair(t *testing.T) {
	onBoth(t, func(t *testing.T, first *world) {
		for _, status := range []codec.Status{codec.Active, codec.Completed} {
			w := first.sibling(t)
			l, ctx := w.log(), t.Context()
			w.fill(t, 6)
			entry := func(typ string, seq uint64) IndexEntry {
				return IndexEntry{Type: typ, Seq: seq, Key: codec.EventTypeKey(typ, seq)}
			}
			for _, e := range []IndexEntry{entry("odd", 1), entry("even", 4)} {
				w.erase(t, index, e.Key)
			}
			w.write(t, index, entry("odd", 3).Key, []byte("not null"))
			for _, e := range []IndexEntry{entry("even", 77), entry("odd", 2), entry("ghost", 1),
				{Key: ""}, {Key: "no tuple"}, {Key: entry("even", 2).Key + "\x00"}} {
				w.write(t, index, e.Key, indexValue)
			}
			require.Empty(t, all(t, l.List(ctx, ListOptions{Type: "even", Start: 4, End: 5})), "lost")
			err := failure(t, l.List(ctx, ListOptions{Type: "ghost"}))
			require.ErrorIs(t, err, codec.ErrCorrupt)
			require.ErrorContains(t, err, `event 1 under type "ghost", but its type is "odd"`)
			err = failure(t, l.List(ctx, ListOptions{Type: "even", Reverse: true}))
			require.ErrorContains(t, err, "there is no such event")

			if status != codec.Active {
				w.end(t, status)
			}
			journal := w.commits(t)
			r, err := l.VerifyIndex(ctx)
			require.NoError(t, err)
			require.Equal(t, IndexReport{
				Events: 6, Entries: 10, Missing: 3, Surplus: 6,
				MissingEntries: []IndexEntry{entry("odd", 1), entry("odd", 3), entry("even", 4)},
				SurplusEntries: []IndexEntry{{Key: ""}, entry("even", 2+0).behind(),
					entry("even", 77), entry("ghost", 1), entry("odd", 2), {Key: "no tuple"}},
			}, r)
			done, err := l.RebuildIndex(ctx)
			require.NoError(t, err)
			require.Equal(t, IndexRepair{Added: 3, Removed: 6}, done)
			done, err = l.RebuildIndex(ctx)
			require.NoError(t, err)
			require.Zero(t, done, "idempotent")
			r, err = l.VerifyIndex(ctx)
			require.NoError(t, err)
			require.Equal(t, IndexReport{Events: 6, Entries: 6}, r)
			require.Equal(t, []string{"even", "odd"}, all(t, l.Types(ctx)))
			require.Equal(t, []uint64{0, 2, 4}, seqs(all(t, l.List(ctx, ListOptions{Type: "even"}))))
			require.Equal(t, journal, w.commits(t), "a repair is no commit of the run")
		}
	})
}

// behind is an entry that cannot be read, right behind e.
func (e IndexEntry) behind() IndexEntry { return IndexEntry{Key: e.Key + "\x00"} }

// commits are the keys of the run's journal.
func (w *world) commits(t *testing.T) []string {
	c := w.b.Scan(t.Context(), w.run, codec.Journal, backend.Range{}, w.b.Published())
	defer c.Close()
	var keys []string
	for c.Next() {
		keys = append(keys, c.Key())
	}
	require.NoError(t, c.Err())
	return keys
}

// R197: a report lists no more than its bound, a repair goes on over pages.
func TestR197ManyEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		const n = 2*repairPage + 17
		w.fill(t, n)
		for i := range uint64(n) {
			w.erase(t, index, codec.EventTypeKey([]string{"even", "odd"}[i%2], i))
			w.write(t, index, codec.EventTypeKey("ghost", i), indexValue)
		}
		r, err := l.VerifyIndex(ctx)
		require.NoError(t, err)
		require.EqualValues(t, n, r.Missing)
		require.EqualValues(t, n, r.Surplus)
		require.Len(t, r.MissingEntries, MaxIndexEntries)
		require.Len(t, r.SurplusEntries, MaxIndexEntries)
		done, err := l.RebuildIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexRepair{Added: n, Removed: n}, done)
		r, err = l.VerifyIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexReport{Events: n, Entries: n}, r)
	})
}

// Inside a transaction a repair is part of it, and leaves the entries of its own appends alone.
func TestRebuildInsideATransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.fill(t, 4)
		w.erase(t, index, codec.EventTypeKey("odd", 1))
		tx, in := w.begin(t, txn.Options{})
		_, err := in.Append(ctx, "own", codec.Null())
		require.NoError(t, err)
		done, err := in.RebuildIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexRepair{Added: 1}, done)
		r, err := in.VerifyIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexReport{Events: 5, Entries: 5}, r)
		r, err = w.log().VerifyIndex(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Missing, "not yet")
		_, err = tx.Commit(ctx)
		require.NoError(t, err)
		r, err = w.log().VerifyIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexReport{Events: 5, Entries: 5}, r)
	})
}

// R197: an entry that is surplus until its event is appended, between the look at it and its
// removal, stays. What is appended besides, a repair does not even meet.
func TestR197AppendedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx, outside := t.Context(), w.log()
		w.fill(t, 3)
		w.write(t, index, codec.EventTypeKey("late", 4), indexValue)
		w.erase(t, index, codec.EventTypeKey("odd", 1))
		at := codec.EventTypeKey("odd", 1)
		for _, typ := range []string{"other", "late"} {
			done := false
			c := &counting{Backend: w.b, after: func(_ codec.Primitive, key string) {
				if !done && key == at {
					done = true
					_, err := outside.Append(ctx, typ, codec.Null())
					require.NoError(t, err)
				}
			}}
			m := txn.New(c, txn.Config{})
			repair, err := New(m.Scope(w.run)).RebuildIndex(ctx)
			require.NoError(t, err)
			require.True(t, done)
			if typ == "other" {
				require.Equal(t, IndexRepair{Added: 1, Removed: 1}, repair)
				require.Zero(t, m.Stats().Conflicts)
				w.write(t, index, codec.EventTypeKey("late", 4), indexValue)
				at = codec.EventUserKey(4)
				continue
			}
			require.Zero(t, repair)
			require.EqualValues(t, 1, m.Stats().Conflicts)
		}
		r, err := outside.VerifyIndex(ctx)
		require.NoError(t, err)
		require.Equal(t, IndexReport{Events: 5, Entries: 5}, r)
	})
}

// R197: a page of a repair begins with the smallest key behind the page before.
func TestR197PagesLeaveNoGap(t *testing.T) {
	w := newWorld(t.Context(), t)
	for range repairPage {
		_, err := w.log().Append(t.Context(), "a", codec.Null())
		require.NoError(t, err)
	}
	w.write(t, index, codec.EventTypeKey("a", repairPage-1)+"\x00", indexValue)
	done, err := w.log().RebuildIndex(t.Context())
	require.NoError(t, err)
	require.Equal(t, IndexRepair{Removed: 1}, done)
}

// R197: repairs beside appends lose nothing, also of entries that were surplus a moment ago.
func TestR197RepairBesideAppends(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const n = 200
		for i := range uint64(n) {
			w.write(t, index, codec.EventTypeKey("t", i), indexValue) // surplus until appended
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n {
				if _, err := w.log().Append(t.Context(), "t", codec.Null()); err != nil {
					t.Error(err)
				}
			}
		})
		for range 5 {
			if _, err := w.log().RebuildIndex(t.Context()); err != nil {
				require.ErrorIs(t, err, backend.ErrConflict, "at worst")
			}
		}
		wg.Wait()
		_, err := w.log().RebuildIndex(t.Context())
		require.NoError(t, err)
		r, err := w.log().VerifyIndex(t.Context())
		require.NoError(t, err)
		require.Equal(t, IndexReport{Events: n, Entries: n}, r)
	})
}

// R197: whatever is written to or erased from the index, a repair makes it what it was.
func TestR197RandomDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t.Context(), t)
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			_, err := w.log().Append(t.Context(), drawType.Draw(t, "type"), codec.Null())
			require.NoError(t, err)
		}
		want := w.entries(t)
		for range rapid.IntRange(0, 6).Draw(t, "damages") {
			key := rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string {
				return codec.EventTypeKey(drawType.Draw(t, "type"), rapid.Uint64Range(0, 8).Draw(t, "seq"))
			})).Draw(t, "key")
			if slices.Contains(w.entries(t), fmt.Sprintf("%q=%x", key, indexValue)) {
				w.erase(t, index, key)
			} else {
				w.write(t, index, key, rapid.SampledFrom([][]byte{nil, indexValue, {1}}).Draw(t, "value"))
			}
		}
		before, err := w.log().VerifyIndex(t.Context())
		require.NoError(t, err)
		done, err := w.log().RebuildIndex(t.Context())
		require.NoError(t, err)
		require.Equal(t, IndexRepair{Added: before.Missing, Removed: before.Surplus}, done)
		require.Equal(t, want, w.entries(t))
	})
}

// entries are the index as it is stored.
func (w *world) entries(t *rapid.T) []string {
	c := w.m.Scope(w.run).Scan(t.Context(), index, txn.Range{})
	defer c.Close()
	list := []string{}
	for c.Next() {
		list = append(list, fmt.Sprintf("%q=%x", c.Key(), c.Entry().Value))
	}
	require.NoError(t, c.Err())
	return list
}
