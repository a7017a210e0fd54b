package backendtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// keeping is a random history of a scope that is pruned on the way, and what it showed at each
// version.
type keeping struct {
	w     *world
	rng   *rand.Rand
	scope *backend.Scope
	past  past
	holds []backend.Retention
	pins  []backend.Pin
	// from is the newest version that was remembered.
	from uint64
}

// write commits something at random, in one primitive or several.
func (k *keeping) write() {
	w := k.w
	w.Helper()
	var writes []backend.Write
	taken := map[cell]bool{}
	for range 1 + k.rng.IntN(4) {
		x := put(k.scope, []string{"k", "short", "gone", "", "a", "ab"}[k.rng.IntN(6)],
			fmt.Sprint(k.rng.IntN(100)))
		x.Primitive = letters[k.rng.IntN(len(letters))]
		if x.Primitive == codec.Events || x.Primitive == codec.Events.Index() {
			x.Primitive = codec.KV
		}
		if c := (cell{k.scope.Number, x.Primitive, x.Key}); taken[c] {
			continue
		} else {
			taken[c] = true
		}
		switch k.rng.IntN(5) {
		case 0:
			x.Op, x.Value = backend.Delete, nil
		case 1:
			x.Expiry = w.now() + int64(1+k.rng.IntN(3))*int64(long)
		}
		writes = append(writes, x)
	}
	r := &backend.Request{Writes: writes}
	if k.rng.IntN(3) == 0 {
		r.Appends = []backend.Append{event(k.scope, "step", fmt.Sprint(k.rng.IntN(9)))}
	}
	w.must(w.b.Commit(w.ctx, r))
	k.remember()
}

// remember takes in what was committed since.
func (k *keeping) remember() {
	to := k.w.b.Published()
	for at, x := range k.w.remember(k.scope, k.from+1, to) {
		k.past[at] = x
	}
	k.from = to
}

// prune asks for horizons at random, and demands that what holds is respected.
func (k *keeping) prune() {
	w := k.w
	w.Helper()
	var o backend.PruneOptions
	for _, p := range backend.Prunable() {
		if k.rng.IntN(3) > 0 {
			o.Upto = append(o.Upto, backend.Horizon{Primitive: p,
				Version: k.from - min(k.from, uint64(k.rng.IntN(30)))})
		}
	}
	if k.rng.IntN(3) == 0 {
		o = everything(k.from)
	}
	before := w.horizons(k.scope)
	r := w.prune(k.scope, o)
	require.Equal(w, before, r.Before)
	for _, h := range k.holds {
		require.LessOrEqual(w, r.After.Of(codec.Journal), h.Version())
		for _, p := range backend.Prunable() {
			require.LessOrEqual(w, r.After.Of(p), max(h.Version(), before.Of(p)))
		}
	}
	for _, p := range k.pins {
		require.LessOrEqual(w, r.After.Newest(), max(p.Version(), before.Newest()))
	}
	for _, h := range r.After {
		require.GreaterOrEqual(w, h.Version, before.Of(h.Primitive), "a horizon never falls")
	}
}

// hold takes a retention or a pin, or gives one back.
func (k *keeping) hold() {
	w := k.w
	w.Helper()
	switch i := k.rng.IntN(4); {
	case i == 0 && len(k.holds) > 0:
		k.holds[0].Release()
		k.holds = k.holds[1:]
	case i == 1 && len(k.pins) > 0:
		k.pins[0].Release()
		k.pins = k.pins[1:]
	case i == 2:
		pin, err := w.b.Begin()
		require.NoError(w, err)
		k.pins = append(k.pins, pin)
	default:
		at := k.from - min(k.from-1, uint64(k.rng.IntN(20)))
		r, err := w.b.Retain(w.ctx, k.scope, at)
		if earliest := w.horizons(k.scope).Of(codec.Journal); at < earliest {
			w.wantPrunedError(err, k.scope, at, earliest)
			return
		}
		require.NoError(w, err)
		k.holds = append(k.holds, r)
	}
}

func (k *keeping) release() {
	for _, h := range k.holds {
		h.Release()
	}
	for _, p := range k.pins {
		p.Release()
	}
	k.holds, k.pins = nil, nil
}

// check compares everything with what was remembered.
func (k *keeping) check() {
	w := k.w
	w.Helper()
	w.wantPast(k.scope, k.past, w.horizons(k.scope))
}

// keepRandomly lives through a random history with prunings.
func keepRandomly(w *world, seed uint64) {
	k := &keeping{w: w, rng: rand.New(rand.NewPCG(seed, 214)), scope: w.scope(), past: past{}}
	k.from = w.b.Published()
	other := w.rewritten()
	first, last := w.commits(other, beyond).First, w.b.Published()
	others := w.remember(other, first, last)
	k.remember()
	for i := range rounds(60) {
		switch x := k.rng.IntN(20); {
		case x < 13:
			k.write()
		case x < 15:
			k.hold()
		case x < 17:
			k.prune()
		case x == 17 && w.env.Sweep != nil:
			w.clock.Advance(long / 2)
			require.NoError(w, w.env.Sweep(w.ctx, w.b))
			k.remember()
		case x == 18 && w.env.Reopen != nil && i%4 == 0:
			k.release()
			w.reopen()
			k.scope, other = again(k.scope), again(other)
		default:
			k.check()
		}
	}
	k.check()
	k.release()
	k.prune()
	k.check()
	w.wantPast(other, others, nil)
}
