package trace

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

// forge is an entry that no span has.
func forge(kind IndexKind, value string, start int64, id string) string {
	return kind.key(value, place{start, id})
}

// damageEntries removes the entries of the span "3", adds some that nobody has, and spoils one.
func damageEntries(t *testing.T, s txn.Scope, start int64,
) (missing, surplus []string, wrong string) {
	missing = []string{
		forge(IndexParent, "0", start, "3"), forge(IndexStart, "", start, "3"),
		forge(IndexTag, "x", start, "3"), forge(IndexType, "query", start, "3"),
	}
	surplus = []string{
		"", "garbage", string(codec.Tuple{}.AppendString("start").AppendString("3")),
		string(codec.Tuple{}.AppendString("other").AppendTime(0).AppendString("3")),
		forge(IndexStart, "", start, "3") + "\x00", forge(IndexStart, "", start+1, "3"),
		forge(IndexStart, "", 0, "nobody"), forge(IndexTag, "z", start, "3"),
		forge(IndexParent, "", start, "3"), forge(IndexType, "thought", start, "3"),
	}
	for _, key := range missing {
		_, err := s.Delete(t.Context(), index, key)
		require.NoError(t, err)
	}
	for _, key := range surplus {
		_, err := s.Put(t.Context(), index, key, null, 0)
		require.NoError(t, err)
	}
	wrong = forge(IndexTag, "y", at(5).UnixNano(), "5")
	_, err := s.Put(t.Context(), index, wrong, []byte{1}, 0)
	require.NoError(t, err)
	return missing, surplus, wrong
}

// R197: damage to entries of every index is named by verify and mended by rebuild, which does
// nothing the second time.
func TestR197RebuildIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx, tr := t.Context(), w.traces()
		for i := range 10 {
			parent := ""
			if i > 0 {
				parent = "0"
			}
			mustRecord(t, tr, Span{ID: fmt.Sprint(i), Type: Query, Parent: parent, Start: at(i),
				End: at(i), Tags: []string{"x", "y"}})
		}
		want := keysOf(t, w.scope(), index)
		all := collect(t, tr.List(ctx, Filter{}))
		missing, surplus, wrong := damageEntries(t, w.scope(), at(3).UnixNano())

		report, err := tr.VerifyIndexes(ctx)
		require.NoError(t, err)
		require.False(t, report.Healthy())
		require.Equal(t, 10, report.Spans)
		require.Equal(t, len(want)-4+len(surplus), report.Entries)
		require.Equal(t, []IndexCount{{"", 0, 5}, {IndexParent, 1, 1}, {IndexStart, 1, 2},
			{IndexTag, 2, 1}, {IndexType, 1, 1}}, report.Kinds)
		var found, extra []string
		for _, f := range report.Faults {
			if f.Missing {
				found = append(found, f.Key)
			} else {
				extra = append(extra, f.Key)
			}
		}
		require.ElementsMatch(t, append(missing, wrong), found)
		require.ElementsMatch(t, surplus, extra)
		require.Contains(t, report.Faults, IndexFault{IndexTag, true, "3", missing[2]})
		require.Contains(t, report.Faults, IndexFault{IndexTag, false, "3", surplus[7]})

		// What is surplus never shows, what is missing does.
		require.Equal(t, slices.Delete(slices.Clone(all), 3, 4), collect(t, tr.List(ctx, Filter{})))
		require.Equal(t, []string{"0"}, idsOf(collect(t, tr.List(ctx, Filter{Roots: true}))))
		require.Empty(t, collect(t, tr.List(ctx, Filter{Tag: "z"})))
		done, err := tr.RebuildIndexes(ctx)
		require.NoError(t, err)
		require.Equal(t, Mended{Added: 5, Removed: len(surplus)}, done)
		require.Equal(t, want, keysOf(t, w.scope(), index))
		require.Equal(t, all, collect(t, tr.List(ctx, Filter{})))
		before := w.b.Published()
		done, err = tr.RebuildIndexes(ctx)
		require.NoError(t, err)
		require.Equal(t, Mended{}, done)
		require.Equal(t, before, w.b.Published())
	})
}

// R197: RepairIndex mends one index and leaves the others.
func TestR197RepairIndex(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx, tr := t.Context(), w.traces()
	mustRecord(t, tr, full(t))
	want := keysOf(t, w.scope(), index)
	for _, key := range want {
		_, err := w.scope().Delete(ctx, index, key)
		require.NoError(t, err)
	}
	for _, kind := range indexKinds {
		_, err := w.scope().Put(ctx, index, forge(kind, "q", 1, "q"), null, 0)
		require.NoError(t, err)
	}
	for i, kind := range indexKinds {
		added := 1
		if kind == IndexTag {
			added = 2
		}
		done, err := tr.RepairIndex(ctx, kind)
		require.NoError(t, err)
		require.Equal(t, Mended{Added: added, Removed: 1}, done, kind)
		report, err := tr.VerifyIndexes(ctx)
		require.NoError(t, err)
		for j, c := range report.Kinds[1:] {
			require.Equal(t, j > i, c.Missing > 0 && c.Surplus > 0, "%v after %v", c, kind)
		}
	}
	require.Equal(t, want, keysOf(t, w.scope(), index))
}

// Much damage is mended in several transactions, each within the limits of one.
func TestRebuildInParts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
			for i := range 500 {
				mustRecord(t, New(tx.Scope(w.run)), Span{ID: fmt.Sprintf("%03d", i), Type: Query,
					Tags: []string{"x"}})
			}
			return nil
		})
		require.NoError(t, err)
		want := keysOf(t, w.scope(), index)
		_, err = w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
			s := tx.Scope(w.run)
			for i, key := range want {
				if i%3 == 0 {
					continue
				}
				if _, err := s.Delete(ctx, index, key); err != nil {
					return err
				}
				if _, err := s.Put(ctx, index, key+"!", null, 0); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		report, err := w.traces().VerifyIndexes(ctx)
		require.NoError(t, err)
		require.Len(t, report.Faults, faultsListed)
		require.True(t, report.Faults[0].Missing)
		small := New(txn.New(w.b, txn.Config{MaxWrites: 4 * mendBatch}).Scope(w.run))
		before := w.b.Published()
		done, err := small.RebuildIndexes(ctx)
		require.NoError(t, err)
		require.Positive(t, done.Added)
		require.Equal(t, done.Added, done.Removed)
		require.Greater(t, w.b.Published(), before+10)
		require.Equal(t, want, keysOf(t, w.scope(), index))
	})
}

// Mending beside writers takes nothing away from them, and in a transaction it is part of that one.
func TestRebuildBesideWriters(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, err := w.traces().Start(ctx, Span{Type: Query})
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 100 {
				_, err := w.traces().Record(ctx, Span{Type: ToolCall, Parent: id, Tags: []string{"a"}})
				if err != nil {
					t.Error(err)
				}
				err = w.traces().Update(ctx, id, func(s *Span) error {
					s.Tags = []string{fmt.Sprint(i % 3)}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range 50 {
				key := forge(IndexTag, fmt.Sprint(i%3), epoch, id)
				if _, err := w.scope().Delete(ctx, index, key); err != nil {
					t.Error(err)
				}
				if _, err := w.traces().RebuildIndexes(ctx); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		_, err = w.traces().RebuildIndexes(ctx)
		require.NoError(t, err)
		report, err := w.traces().VerifyIndexes(ctx)
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)

		_, err = w.scope().Put(ctx, index, "garbage", null, 0)
		require.NoError(t, err)
		err = w.m.View(ctx, func(v *txn.View) error {
			_, err := New(v.Scope(w.run)).RebuildIndexes(ctx)
			require.ErrorIs(t, err, backend.ErrReadOnly)
			return nil
		})
		require.NoError(t, err)
		tx, err := w.m.Begin(ctx, w.run, txn.Options{})
		require.NoError(t, err)
		done, err := New(tx.Scope(w.run)).RebuildIndexes(ctx)
		require.NoError(t, err)
		require.Equal(t, Mended{Removed: 1}, done)
		require.NoError(t, tx.Rollback())
		require.Contains(t, keysOf(t, w.scope(), index), "garbage")
	})
}

// What was surplus when it was listed may be right when its turn comes.
func TestMendingLooksAgain(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx, tr := t.Context(), w.traces()
	key := forge(IndexTag, "x", epoch, "a")
	_, err := w.scope().Put(ctx, index, key, null, 0)
	require.NoError(t, err)
	keys, next, err := tr.surplus(ctx, "", "")
	require.NoError(t, err)
	require.Empty(t, next)
	require.Equal(t, []string{key}, keys)
	mustRecord(t, tr, Span{ID: "a", Type: Thought, Tags: []string{"x"}})
	removed := 0
	require.NoError(t, tr.removeSurplus(ctx, keys, &removed))
	require.Zero(t, removed)
	report, err := tr.VerifyIndexes(ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy())
}

// R197: whatever entries are there, rebuilding makes them those of the spans.
func TestR197RandomDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := onModel(t.Context(), t)
		state := twin{}
		for range rapid.IntRange(0, 8).Draw(t, "spans") {
			record(t, w.traces(), state)
		}
		want := keysOf(t, w.scope(), index)
		for range rapid.IntRange(0, 8).Draw(t, "faults") {
			key := rapid.OneOf(rapid.SampledFrom(append([]string{"x"}, want...)),
				rapid.Custom(func(t *rapid.T) string {
					return forge(rapid.SampledFrom(indexKinds).Draw(t, "kind"),
						rapid.SampledFrom([]string{"x", "", "a", "query"}).Draw(t, "value"),
						drawTime(t, "start").UnixNano(), rapid.SampledFrom(someIDs).Draw(t, "id"))
				})).Draw(t, "key")
			var err error
			if rapid.Bool().Draw(t, "delete") {
				_, err = w.scope().Delete(t.Context(), index, key)
			} else {
				_, err = w.scope().Put(t.Context(), index, key, null, 0)
			}
			require.NoError(t, err)
		}
		now := keysOf(t, w.scope(), index)
		report, err := w.traces().VerifyIndexes(t.Context())
		require.NoError(t, err)
		require.Equal(t, slices.Equal(want, now), report.Healthy())
		_, err = w.traces().RebuildIndexes(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, keysOf(t, w.scope(), index))
	})
}

// On a run that has ended spans are refused; its indexes can still be mended.
func TestEndedRun(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id, err := w.traces().Start(ctx, Span{Type: Query})
		require.NoError(t, err)
		want := keysOf(t, w.scope(), index)
		_, err = w.scope().Delete(ctx, index, want[0])
		require.NoError(t, err)
		w.end(t)
		_, err = w.traces().Record(ctx, Span{Type: Thought})
		require.ErrorIs(t, err, backend.ErrScopeNotActive)
		require.ErrorIs(t, w.traces().End(ctx, id, SpanEnd{}), backend.ErrScopeNotActive)
		_, err = w.traces().RebuildIndexes(ctx)
		require.NoError(t, err)
		require.Equal(t, want, keysOf(t, w.scope(), index))
	})
}
