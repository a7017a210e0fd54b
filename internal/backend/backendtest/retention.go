package backendtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// lastIn is the version of a scope's newest commit at or below a version: what a horizon can be.
func (w *world) lastIn(s *backend.Scope, at uint64) uint64 {
	w.Helper()
	return w.commits(s, at).Last
}

// everything asks for the same horizon for all primitives that can be pruned.
func everything(upTo uint64) backend.PruneOptions {
	var o backend.PruneOptions
	for _, p := range backend.Prunable() {
		o.Upto = append(o.Upto, backend.Horizon{Primitive: p, Version: upTo})
	}
	return o
}

func (w *world) prune(s *backend.Scope, o backend.PruneOptions) backend.PruneReport {
	w.Helper()
	r, err := w.b.Prune(w.ctx, s, o)
	require.NoError(w, err)
	require.NoError(w, w.reclaim())
	return r
}

func (w *world) reclaim() error {
	_, err := w.b.Reclaim(w.ctx)
	return err
}

func (w *world) horizons(s *backend.Scope) backend.Horizons {
	w.Helper()
	h, err := w.b.Horizons(w.ctx, s)
	require.NoError(w, err)
	return h
}

func (w *world) retain(s *backend.Scope, at uint64) backend.Retention {
	w.Helper()
	r, err := w.b.Retain(w.ctx, s, at)
	require.NoError(w, err)
	require.Equal(w, at, r.Version())
	return r
}

// past is all that can be read of a scope, by version and letter.
type past map[uint64]map[codec.Primitive][]pair

// remember reads a scope at every version from one to another.
func (w *world) remember(s *backend.Scope, from, to uint64) past {
	w.Helper()
	all := past{}
	for at := from; at <= to; at++ {
		all[at] = map[codec.Primitive][]pair{}
		for _, p := range letters {
			all[at][p] = w.recall(s, p, at)
		}
	}
	return all
}

// recall reads one letter at one version: what is there, and some keys with their tombstones.
func (w *world) recall(s *backend.Scope, p codec.Primitive, at uint64) (list []pair) {
	w.Helper()
	for _, x := range w.scanOf(s, p, backend.Range{}, at) {
		list = append(list, pair{x.key, bare(x.record)})
	}
	for _, key := range []string{"k", "short", "gone"} {
		list = append(list, pair{"get " + key, bare(w.read(s, p, key, at))})
	}
	return list
}

// wantPast demands that what was remembered is still so at and above a scope's horizons, and
// refused below. Around them it looks at every version.
func (w *world) wantPast(s *backend.Scope, before past, h backend.Horizons) {
	w.Helper()
	require.Equal(w, h, w.horizons(s))
	for at, want := range before {
		for _, p := range letters {
			horizon := h.Of(p)
			if far := at > horizon+2 || at+2 < horizon; far && len(before) > 12 && at%5 != 0 {
				continue // where nothing changes some are enough
			}
			if at < horizon && at != 0 {
				w.wantPruned(s, p, at, horizon)
				continue
			}
			got := w.recall(s, p, at)
			require.Equal(w, want[p], got, "%s of scope %d at %d", p, s.Number, at)
		}
	}
}

// wantPruned demands that a read is refused, and told from where on it is not.
func (w *world) wantPruned(s *backend.Scope, p codec.Primitive, at, earliest uint64) {
	w.Helper()
	r, err := w.b.Get(w.ctx, s, p, "k", at)
	w.wantPrunedError(err, s, at, earliest)
	require.Zero(w, r)
	c := w.b.Scan(w.ctx, s, p, backend.Range{}, at)
	defer c.Close()
	require.False(w, c.Next())
	w.wantPrunedError(c.Err(), s, at, earliest)
}

func (w *world) wantPrunedError(err error, s *backend.Scope, at, earliest uint64) {
	w.Helper()
	require.ErrorIs(w, err, backend.ErrPruned, "scope %d at %d", s.Number, at)
	var pruned *backend.PrunedError
	require.True(w, errors.As(err, &pruned))
	require.Equal(w, s.Record, pruned.Run)
	require.Equal(w, at, pruned.Version)
	require.Equal(w, earliest, pruned.Earliest)
}

// rewritten is a scope with a past in every primitive, deletions and deadlines included.
func (w *world) rewritten() *backend.Scope {
	w.Helper()
	s := w.scope()
	w.commit(put(s, "gone", "0"), put(s, "kept", "0"))
	for i := range 6 {
		w.rewrite(s, i)
		w.put(s, fmt.Sprint("more/", i%4), fmt.Sprint(i))
		if i == 3 {
			w.del(s, "gone")
			w.del(s, "k")
		}
	}
	w.commit(putUntil(s, "short", "last", w.now()+int64(long)))
	return s
}

// rewrite writes something of every kind over what was there.
func (w *world) rewrite(s *backend.Scope, i int) {
	w.Helper()
	r := &backend.Request{Appends: []backend.Append{event(s, "step", fmt.Sprint(i))}}
	for _, p := range letters {
		if p != codec.Events && p != codec.Events.Index() {
			x := put(s, "k", fmt.Sprint(i))
			x.Primitive = p
			r.Writes = append(r.Writes, x)
		}
	}
	r.Writes = append(r.Writes, putUntil(s, "short", fmt.Sprint(i), w.now()+int64(1+i)*int64(long)))
	w.must(w.b.Commit(w.ctx, r))
}

// retentionChecks are semantics 6.6 and 6.1 below the seam.
var retentionChecks = []Check{
	{"R214-exact-from-the-horizon-on-refused-below", func(w *world) {
		s, other := w.rewritten(), w.rewritten()
		first, last := w.commits(s, beyond).First, w.b.Published()
		mine, others := w.remember(s, first, last), w.remember(other, first, last)
		commits := w.commits(s, beyond)
		for _, upTo := range []uint64{first + 3, (first + last) / 2, last - 1, last} {
			r := w.prune(s, everything(upTo))
			upTo = w.lastIn(s, upTo)
			require.Equal(w, upTo, r.After.Newest())
			require.Equal(w, upTo, w.horizons(s).Of(codec.Journal))
			require.Zero(w, w.horizons(s).Of(codec.Events), "no event ever goes")
			require.Empty(w, r.Held)
			w.wantPast(s, mine, r.After)
			require.Equal(w, commits, w.commits(s, beyond))
		}
		w.wantPast(other, others, nil)
		require.NotZero(w, w.b.Stats().Pruned)
		w.put(s, "k", "after")
		require.Equal(w, commits.Count+1, w.commits(s, beyond).Count, "numbers go on")
		if w.env.Reopen == nil {
			return
		}
		w.reopen()
		s, other = again(s), again(other)
		w.wantPast(s, mine, w.horizons(s))
		require.Equal(w, w.lastIn(s, last), w.horizons(s).Newest())
		w.wantPast(other, others, nil)
		require.Equal(w, commits.First, w.commits(s, beyond).First)
	}},
	{"R214-per-primitive", func(w *world) {
		s := w.rewritten()
		first, last := w.commits(s, beyond).First, w.b.Published()
		before := w.remember(s, first, last)
		w.prune(s, backend.PruneOptions{Upto: backend.Horizons{{Primitive: codec.KV, Version: last}}})
		w.wantPast(s, before, backend.Horizons{{Primitive: codec.KV, Version: last}})
		require.Equal(w, first, w.commits(s, first).First, "the journal is whole")
		r := w.prune(s, backend.PruneOptions{Upto: backend.Horizons{
			{Primitive: codec.Traces, Version: first + 5}, {Primitive: codec.KV, Version: first}}})
		require.Equal(w, last, r.After.Of(codec.KV), "a horizon never falls")
		w.wantPast(s, before, backend.Horizons{{Primitive: codec.KV, Version: last},
			{Primitive: codec.Traces, Version: first + 5}})
	}},
	{"the-journal-is-marked", func(w *world) {
		s, other := w.rewritten(), w.rewritten()
		all := w.tail(0)
		c := w.commits(s, beyond)
		upTo := (c.First + c.Last) / 2
		w.prune(s, everything(upTo))
		for i, x := range w.tail(0) {
			for j, y := range x.Scopes {
				want := all[i].Scopes[j]
				if y.Scope == s.Number && x.Version < upTo {
					want.Changes, want.Pruned = nil, upTo
				}
				require.Equal(w, want, y, "commit %d", x.Version)
			}
		}
		for at := uint64(1); at <= c.Last; at++ {
			got, err := w.b.Commits(w.ctx, s, at)
			if at < upTo {
				w.wantPrunedError(err, s, at, upTo)
				continue
			}
			require.NoError(w, err)
			require.Equal(w, c.First, got.First)
		}
		w.commits(other, c.First)
	}},
	{"plan-does-nothing", func(w *world) {
		s := w.rewritten()
		first, last := w.commits(s, beyond).First, w.b.Published()
		before := w.remember(s, first, last)
		for _, upTo := range []uint64{first + 2, last} {
			plan, err := w.b.PlanPrune(w.ctx, s, everything(upTo))
			require.NoError(w, err)
			w.wantPast(s, before, w.horizons(s))
			require.Equal(w, plan, w.prune(s, everything(upTo)))
			again, err := w.b.PlanPrune(w.ctx, s, everything(upTo))
			require.NoError(w, err)
			require.Zero(w, again.Versions+again.Commits+again.Bytes)
		}
	}},
	{"a-retention-holds-or-is-refused", func(w *world) {
		s, other := w.rewritten(), w.rewritten()
		first, last := w.commits(s, beyond).First, w.commits(s, beyond).Last
		before := w.remember(s, first, last)
		middle := (first + last) / 2
		for _, scope := range []*backend.Scope{s, nil} {
			hold, later := w.retain(scope, middle), w.retain(scope, last)
			r := w.prune(s, everything(last))
			require.Equal(w, middle, r.After.Newest())
			require.Len(w, r.Held, 1)
			require.Equal(w, backend.HeldByRetention, r.Held[0].Kind)
			require.Equal(w, middle, r.Held[0].Version)
			w.wantPast(s, before, r.After)
			hold.Release()
			hold.Release()
			later.Release()
			middle++
		}
		w.retain(other, first)
		require.Equal(w, last, w.prune(s, everything(last)).After.Newest(), "it is another's")
		_, err := w.b.Retain(w.ctx, s, last-1)
		w.wantPrunedError(err, s, last-1, last)
		w.retain(s, 0).Release()
		w.retain(nil, first).Release()
	}},
	{"a-transaction-holds", func(w *world) {
		s := w.rewritten()
		x := w.begin()
		at := w.b.Published()
		w.put(s, "kept", "1")
		last := w.put(s, "k", "1")
		r := w.prune(s, everything(last))
		require.Equal(w, at, r.After.Newest())
		require.Equal(w, []backend.Hold{{Kind: backend.HeldByTransaction, Version: at}}, r.Held)
		require.False(w, x.get(s, "k").Version > at)
		x.put(s, "new", "0")
		_, err := x.commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		require.Equal(w, last, w.prune(s, everything(last)).After.Newest())
	}},
	{"newest-records-and-tombstones-stay", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		w.put(s, "gone", "0")
		stone := w.del(s, "gone").Version
		w.commit(putUntil(s, "short", "0", w.now()+second))
		last := w.put(s, "k", "1")
		w.prune(s, everything(last))
		require.Equal(w, stone, w.wantAbsent(s, "gone").Version)
		_, err := w.b.Commit(w.ctx, &backend.Request{Writes: []backend.Write{put(s, "gone", "2")},
			Conditions: []backend.Condition{{Scope: s, Primitive: codec.KV, Key: "gone"}}})
		require.ErrorIs(w, err, backend.ErrConflict, "it is known to have existed")
		w.wantValue(s, "k", "1")
		w.clock.Advance(2 * time.Second)
		if w.env.Sweep != nil {
			require.NoError(w, w.env.Sweep(w.ctx, w.b))
			w.wantAbsent(s, "short")
		}
	}},
	{"R211-forks-hold", func(w *world) {
		parent := w.rewritten()
		first, last := w.commits(parent, beyond).First, w.b.Published()
		before := w.remember(parent, first, last)
		middle := (first + last) / 2
		child := w.fork(parent, middle+1)
		w.put(child, "k", "own")
		deep := w.fork(child, middle)
		seen := w.remember(deep, middle, w.b.Published())
		r := w.prune(parent, everything(last))
		require.Equal(w, middle, r.After.Newest())
		require.Equal(w, backend.HeldByFork, r.Held[0].Kind)
		require.Equal(w, deep.Number, r.Held[0].Scope)
		w.wantPast(parent, before, r.After)
		w.wantPast(child, past{middle + 1: before[middle+1], middle - 1: before[middle-1]}, r.After)
		w.wantPast(deep, seen, r.After)
		_, err := w.b.Retain(w.ctx, deep, middle-1)
		w.wantPrunedError(err, deep, middle-1, middle)
		w.drop(deep)
		hold := w.retain(child, middle+1)
		require.Equal(w, middle+1, w.prune(parent, everything(last)).After.Newest())
		hold.Release()
		w.drop(child)
		require.Equal(w, last, w.prune(parent, everything(last)).After.Newest())
		w.wantPast(parent, before, w.horizons(parent))
	}},
	{"R211-layers-that-are-pruned-in-part", func(w *world) {
		parent := w.rewritten()
		first, at := w.commits(parent, beyond).First, w.b.Published()
		child := w.fork(parent, at)
		for i := range 4 {
			w.rewrite(child, i)
		}
		middle, last := (first+at)/2, w.b.Published()
		// Of neither layer everything is pruned, of both together it is.
		var most backend.PruneOptions
		for _, h := range everything(middle).Upto {
			if h.Primitive != codec.Cells {
				most.Upto = append(most.Upto, h)
			}
		}
		cells := backend.PruneOptions{Upto: backend.Horizons{{Primitive: codec.Cells, Version: last}}}
		middle = w.prune(parent, most).After.Newest()
		w.prune(child, cells)
		require.Equal(w, middle, w.horizons(child).Of(codec.Journal))
		_, err := w.b.Retain(w.ctx, child, middle-1)
		w.wantPrunedError(err, child, middle-1, middle)
		_, err = w.b.Commits(w.ctx, child, middle-1)
		w.wantPrunedError(err, child, middle-1, middle)
		require.Equal(w, first, w.commits(child, middle).First)
		_, err = w.b.Commits(w.ctx, parent, middle-1)
		require.NoError(w, err, "the cells of the parent are whole, so is its journal")
	}},
	{"a-fork-is-pruned-for-itself", func(w *world) {
		parent := w.rewritten()
		at := w.b.Published()
		first := w.commits(parent, at).First
		before := w.remember(parent, first, at)
		child := w.fork(parent, at)
		for i := range 4 {
			w.rewrite(child, i)
		}
		last := w.b.Published()
		seen := w.remember(child, at, last)
		r := w.prune(child, everything(last))
		require.Equal(w, last, r.After.Newest())
		w.wantPast(child, seen, r.After)
		w.wantPast(parent, before, nil)
		c := w.commits(child, beyond)
		require.Equal(w, first, c.First)
		w.put(child, "k", "next")
		require.Equal(w, c.Count+1, w.commits(child, beyond).Count)
	}},
	{"what-cannot-be-pruned", func(w *world) {
		s := w.rewritten()
		last := w.b.Published()
		for _, o := range []backend.Horizons{{{Primitive: codec.Events, Version: last}},
			{{Primitive: codec.Journal, Version: last}}, {{Primitive: codec.KV.Index(), Version: last}},
			{{Primitive: codec.KV, Version: 1}, {Primitive: codec.KV, Version: 1}}} {
			_, err := w.b.Prune(w.ctx, s, backend.PruneOptions{Upto: o})
			require.ErrorIs(w, err, codec.ErrInvalidArgument, "%v", o)
		}
		_, err := w.b.Prune(w.ctx, w.sys, everything(last))
		require.ErrorIs(w, err, codec.ErrInvalidArgument)
		r := w.prune(s, everything(beyond))
		require.Equal(w, last, r.After.Newest(), "not the future")
		w.drop(s)
		_, err = w.b.Prune(w.ctx, s, everything(last))
		require.ErrorIs(w, err, backend.ErrScopeGone)
		_, err = w.b.PlanPrune(w.ctx, s, everything(last))
		require.ErrorIs(w, err, backend.ErrScopeGone)
		_, err = w.b.Retain(w.ctx, s, last)
		require.ErrorIs(w, err, backend.ErrScopeGone)
		_, err = w.b.Horizons(w.ctx, s)
		require.ErrorIs(w, err, backend.ErrScopeGone)
		w.wantGone(s)
		w.settle()
		w.wantGone(s)
	}},
	{"again-and-again", func(w *world) {
		s := w.scope()
		all := past{}
		for i := range 12 {
			from := w.b.Published() + 1
			w.commit(put(s, "k", fmt.Sprint(i)), put(s, fmt.Sprint(i%5), "x"))
			w.del(s, fmt.Sprint(i%3))
			for at, x := range w.remember(s, from, w.b.Published()) {
				all[at] = x
			}
			r := w.prune(s, everything(w.b.Published()-min(w.b.Published(), 4)))
			w.wantPast(s, all, r.After)
		}
	}},
	{"R214-random-histories", func(w *world) {
		keepRandomly(w, 1)
		keepRandomly(w, 2)
	}},
}
