package runindex

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// R197: entries that are lost, changed or added behind the index's back are reported, and mended by
// a repair of their run, or of all; records are never touched.
func TestR197DamageIsMended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{world: newWorld(t)}
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			s.create(t)
			s.tick(time.Second)
			s.move(t)
		}
		s.epoch++
		if rapid.Bool().Draw(t, "sweep") {
			require.NoError(t, s.sweepBy(2))
		}
		for range rapid.IntRange(1, 4).Draw(t, "faults") {
			s.damage(t)
		}
		// With the same damage twice, or a false entry that another fault makes true, it may be whole.
		report, err := s.index().Verify(s.ctx)
		require.NoError(t, err)
		var repair IndexRepair
		if r := s.twin.runs[0]; rapid.Bool().Draw(t, "one") {
			one, err := s.record(r).VerifyIndex(s.ctx)
			require.NoError(t, err)
			of := func(f IndexFault) bool { return f.Run == r.ID || f.Key == layoutKey }
			require.Equal(t, slices.Collect(filtered(report.Faults, of)),
				slices.Collect(filtered(one.Faults, of)))
			repair, err = s.record(r).RebuildIndex(s.ctx)
			layoutLost := slices.ContainsFunc(report.Faults,
				func(f IndexFault) bool { return f.Key == layoutKey })
			if layoutLost {
				require.ErrorIs(t, err, codec.ErrCorrupt)
			} else {
				require.NoError(t, err)
				one, err = s.record(r).VerifyIndex(s.ctx)
				require.NoError(t, err)
				require.True(t, one.Healthy(), "%+v", one)
				again, err := s.record(r).RebuildIndex(s.ctx)
				require.NoError(t, err)
				require.Zero(t, again)
			}
		}
		all, err := s.index().Rebuild(s.ctx)
		require.NoError(t, err)
		if !report.Healthy() {
			require.NotZero(t, repair.Added+repair.Removed+all.Added+all.Removed)
		}
		s.check(t)
		again, err := s.index().Rebuild(s.ctx)
		require.NoError(t, err)
		require.Zero(t, again, "a repair of a good index changes nothing")
	})
}

func filtered[T any](list []T, keep func(T) bool) func(func(T) bool) {
	return func(yield func(T) bool) {
		for _, v := range list {
			if keep(v) && !yield(v) {
				return
			}
		}
	}
}

// damage spoils an entry below the index.
func (s *story) damage(t *rapid.T) {
	raw := s.m.Scope(system())
	var keys []string
	c := raw.Scan(s.ctx, codec.RunIndex, txn.Range{})
	for c.Next() {
		if c.Key() != layoutKey {
			keys = append(keys, c.Key())
		}
	}
	c.Close()
	require.NoError(t, c.Err())
	if len(keys) == 0 {
		return
	}
	key := rapid.SampledFrom(keys).Draw(t, "key")
	id, _ := entryID(key)
	var err error
	switch rapid.IntRange(0, 5).Draw(t, "fault") {
	case 0:
		_, err = raw.Delete(s.ctx, codec.RunIndex, key)
	case 1:
		_, err = raw.Put(s.ctx, codec.RunIndex, key, []byte{1}, 0)
	case 2: // the same run elsewhere
		false2 := string(tagPrefix(rapid.Bool().Draw(t, "side"), "false")) + placeOf(5, id)
		_, err = raw.Put(s.ctx, codec.RunIndex, false2, null, 0)
	case 3: // of a run that never was
		_, err = raw.Put(s.ctx, codec.RunIndex,
			string(family(false, kindRun))+placeOf(6, [16]byte{9, 9}), null, 0)
	case 4:
		_, err = raw.Put(s.ctx, codec.RunIndex, "garbage", null, 0)
	case 5: // the layout itself
		bad := []byte{0x61, 'x'}
		if rapid.Bool().Draw(t, "lost") {
			_, err = raw.Delete(s.ctx, codec.RunIndex, layoutKey)
		} else {
			_, err = raw.Put(s.ctx, codec.RunIndex, layoutKey, bad, 0)
		}
	}
	require.NoError(t, err)
}

// An index that says what is not so is never believed.
func TestDamageIsNoAnswer(t *testing.T) {
	w := newWorld(t)
	s := w.begin(NewRun{Tenant: "mine"})
	id, err := ParseID(s.Record)
	require.NoError(t, err)
	raw := w.m.Scope(system())
	put := func(key string) {
		_, err := raw.Put(w.ctx, codec.RunIndex, key, null, 0)
		require.NoError(t, err)
	}
	// What is left of a run that is gone, as an old version may show it, is passed over.
	put(string(family(false, kindRun)) + placeOf(3, [16]byte{8}))
	p, err := w.index().Query(w.ctx, Query{Limit: 1})
	require.NoError(t, err)
	require.Len(t, p.Runs, 1)
	require.Equal(t, s.Record, p.Runs[0].ID)

	created := w.clock.UnixNano()
	put(string(spacePrefix(false, "yours", "", "")) + placeOf(created, id))
	_, err = w.index().Query(w.ctx, Query{Tenant: "yours"})
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, s.Record)
	put(string(family(false, kindRun)) + placeOf(7, id))
	_, err = w.index().Query(w.ctx, Query{})
	require.ErrorIs(t, err, codec.ErrCorrupt)
	put(string(tagPrefix(false, "x")) + "what is this")
	_, err = w.index().Query(w.ctx, Query{Tags: []string{"x"}})
	require.ErrorIs(t, err, codec.ErrCorrupt)
	p, err = w.index().Query(w.ctx, Query{Tenant: "mine"})
	require.NoError(t, err)
	require.Len(t, p.Runs, 1)
	_, err = raw.Put(w.ctx, codec.RunIndex, layoutKey, []byte{1}, 0)
	require.NoError(t, err)
	_, err = w.index().Query(w.ctx, Query{Tenant: "mine"})
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorIs(t, w.record(s).Complete(w.ctx), codec.ErrCorrupt)
	_, err = w.index().Rebuild(w.ctx)
	require.NoError(t, err)
	require.NoError(t, w.record(s).Complete(w.ctx))
	p, err = w.index().Query(w.ctx, Query{})
	require.NoError(t, err)
	require.Len(t, p.Runs, 1)
}

// An entry with another value than Null counts as missing; one that is asked for again, while a
// repair is under way, stays.
func TestRepairLooksAgain(t *testing.T) {
	w := newWorld(t)
	s := w.begin(NewRun{Tags: []string{"a"}})
	id, err := ParseID(s.Record)
	require.NoError(t, err)
	key := string(tagPrefix(false, "a")) + placeOf(w.clock.UnixNano(), id)
	raw := w.m.Scope(system())
	_, err = raw.Put(w.ctx, codec.RunIndex, key, []byte{1}, 0)
	require.NoError(t, err)
	report, err := w.record(s).VerifyIndex(w.ctx)
	require.NoError(t, err)
	require.Equal(t, IndexReport{Entries: 3, Missing: 1,
		Faults: []IndexFault{{Run: s.Record, Missing: true, Key: key}}}, report)
	repair, err := w.record(s).RebuildIndex(w.ctx)
	require.NoError(t, err)
	require.Equal(t, IndexRepair{Added: 1}, repair)

	for mend, items := range map[string][]string{"surplus": {key}, "missing": {s.Record}} {
		_, err = raw.Atomic(w.ctx, func(tx txn.Scope) error {
			f := removeSurplus
			if mend == "missing" {
				f = addMissing
			}
			n, err := f(w.ctx, tx, items)
			require.Zero(t, n, mend)
			return err
		})
		require.NoError(t, err)
	}
	report, err = w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy())
}

// The whole index can be lost and comes back, in steps of bounded size.
func TestRebuildFromNothing(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	fill(w, 500, 3)
	w.epoch++
	w.begin(NewRun{})
	want, err := w.index().Stats(w.ctx, Query{})
	require.NoError(t, err)
	raw := w.m.Scope(system())
	lost := 0
	c := raw.Scan(w.ctx, codec.RunIndex, txn.Range{})
	for c.Next() {
		_, err := raw.Delete(w.ctx, codec.RunIndex, c.Key())
		require.NoError(t, err)
		lost++
	}
	c.Close()
	report, err := w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.Equal(t, lost-1, report.Missing, "all but the layout")
	require.Len(t, report.Faults, MaxFaults)
	version := w.b.Published()
	repair, err := w.index().Rebuild(w.ctx)
	require.NoError(t, err)
	require.Equal(t, IndexRepair{Added: lost - 1}, repair)
	require.Greater(t, w.b.Published()-version, uint64(500/mendBatch))
	got, err := w.index().Stats(w.ctx, Query{})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A repair beside runs that live on does not undo what they do.
func TestRebuildBesideLives(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	fill(w, 100, 5)
	rng := rand.New(rand.NewPCG(1, 2))
	done := make(chan error, 1)
	go func() {
		for i := range 100 {
			if err := w.life(i); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	raw := w.m.Scope(system())
	for over := false; !over; {
		select {
		case err := <-done:
			require.NoError(t, err)
			over = true
		default:
		}
		id := uuid.UUID{byte(rng.IntN(256))}
		false2 := string(tagPrefix(false, fmt.Sprint(rng.IntN(10)))) + placeOf(5, id)
		_, err := raw.Put(w.ctx, codec.RunIndex, false2, null, 0)
		require.NoError(t, err)
		_, err = w.index().Rebuild(w.ctx)
		require.NoError(t, err)
	}
	_, err := w.index().Rebuild(w.ctx)
	require.NoError(t, err)
	report, err := w.index().Verify(w.ctx)
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
}

// semantics 5.4: deletion wins over history. A view from before a deletion leaves the run out, or
// not, but never fails, however much of it is freed already.
func TestOldViewsAfterDeletion(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	var runs []*backend.Scope
	for range 20 {
		w.tick(time.Second)
		runs = append(runs, w.begin(NewRun{Tenant: "t", Tags: []string{"a"}}))
	}
	require.NoError(t, w.m.View(w.ctx, func(v *txn.View) error {
		x := New(v.Scope(system()), w.epoch)
		for i, s := range runs {
			if i%3 != 0 {
				require.NoError(t, w.delete(s))
			}
		}
		freed := func() bool { return w.b.Stats().Unfreed == 0 }
		for over := false; !over; {
			over = freed()
			for _, q := range []Query{{}, {Tags: []string{"a"}, Tenant: "t"},
				{Status: []codec.Status{codec.Active}, Reverse: true}} {
				p, err := x.Query(w.ctx, q)
				require.NoError(t, err)
				require.GreaterOrEqual(t, len(p.Runs), 7)
				require.LessOrEqual(t, len(p.Runs), 20)
			}
		}
		return nil
	}))
	n, err := w.index().Count(w.ctx, Query{})
	require.NoError(t, err)
	require.Equal(t, 7, n)
}
