package backendtest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// concurrentChecks let goroutines run random transactions against each other, write down what each
// was told, and judge afterwards (see verdict). The guarantees under test:
//
//  1. Every read and scan equals the state at the transaction's snapshot, whenever it is made.
//  2. At its commit version everything that a committed transaction had read was unchanged, and no
//     other commit had written into its ranges, if it was Serializable.
//  3. Every commit has one version of its own, and versions rise in the order of the commits.
//  4. Every conflict that was reported was real: the key had been written since.
//  5. Tail tells every commit once, in order, with exactly the changes that took effect.
//  6. A session never goes back: a snapshot holds all that the goroutine committed or saw before.
//  7. Events are numbered and chained in commit order, and deletes are decided there.
var concurrentChecks = []Check{
	{"many-keys", func(w *world) { w.concurrent(storm{workers: 8, each: 400, keys: 200}) }},
	{"few-keys", func(w *world) { w.concurrent(storm{workers: 8, each: 400, keys: 6}) }},
	{"one-key", func(w *world) { w.concurrent(storm{workers: 4, each: 200, keys: 1}) }},
	{"R-race-100-goroutines", func(w *world) {
		w.concurrent(storm{workers: 100, each: 30, keys: 20})
	}},
}

// storm is the shape of a concurrent run: goroutines, transactions of each, and keys per scope.
type storm struct{ workers, each, keys int }

// told is one transaction and what the authority answered to it.
type told struct {
	worker int
	pin    uint64
	gets   []observation
	scans  []walk
	req    backend.Request
	commit bool // false: it only read
	out    backend.Outcome
	err    error
}

type observation struct {
	cell
	backend.Record
}

type walk struct {
	scope codec.Scope
	r     backend.Range
	pairs []pair
}

// pinned stands in for a pin that has been released.
type pinned uint64

func (p pinned) Version() uint64 { return uint64(p) }
func (p pinned) Err() error      { return nil }
func (p pinned) Release()        {}

func (w *world) concurrent(shape storm) {
	seed := rand.Uint64()
	w.Logf("seed %d", seed)
	shape.each = rounds(shape.each)
	scopes := []*backend.Scope{w.scope(), w.scope()}
	from := w.b.Published()
	all := make([][]told, shape.workers)
	w.parallel(shape.workers, func(i int) {
		r := &runner{w: w, rnd: rand.New(rand.NewPCG(seed, uint64(i))), shape: shape, worker: i}
		for _, s := range scopes {
			r.scopes = append(r.scopes, again(s)) // a handle of its own
		}
		for range shape.each {
			all[i] = append(all[i], r.transaction())
		}
	})
	require.Zero(w, w.b.Stats().OpenPins)
	v := newVerdict(w, from, scopes)
	for _, mine := range all {
		v.session(mine)
	}
	v.commits()
	v.answers()
}

// runner is one goroutine of a storm.
type runner struct {
	w      *world
	rnd    *rand.Rand
	shape  storm
	scopes []*backend.Scope
	worker int
	n      int
}

func (r *runner) scope() *backend.Scope { return r.scopes[r.rnd.IntN(len(r.scopes))] }
func (r *runner) key() string           { return fmt.Sprintf("key/%03d", r.rnd.IntN(r.shape.keys)) }
func (r *runner) chance(n int) bool     { return r.rnd.IntN(n) == 0 }

// transaction runs one random transaction to its end.
func (r *runner) transaction() told {
	r.n++
	r.w.clock.Advance(time.Duration(r.rnd.IntN(20)-2) * time.Millisecond) // so that keys expire
	x := r.w.begin()
	x.serializable = r.chance(3)
	t := told{worker: r.worker, pin: x.pin.Version()}
	for range r.rnd.IntN(4) {
		r.look(x, &t)
	}
	if r.chance(3) {
		runtime.Gosched()
	}
	if len(t.gets) > 0 && r.chance(2) { // repeatable: what was read once is read again
		old := t.gets[r.rnd.IntN(len(t.gets))]
		s := r.scopes[0]
		if old.scope != s.Number {
			s = r.scopes[1]
		}
		t.gets = append(t.gets, observation{old.cell, r.w.getAt(s, old.key, t.pin)})
	}
	if r.chance(6) {
		x.rollback()
		return t
	}
	if r.chance(6) {
		r.sweep(x, &t)
	} else {
		for range 1 + r.rnd.IntN(3) {
			r.change(x)
		}
	}
	if r.chance(2) {
		runtime.Gosched()
	}
	t.commit = true
	t.out, t.err = x.commit()
	t.req = x.req
	t.req.Pin = pinned(t.pin)
	return t
}

func (r *runner) look(x *txn, t *told) {
	s := r.scope()
	if !r.chance(4) {
		key := r.key()
		t.gets = append(t.gets, observation{cell{s.Number, codec.KV, key}, x.get(s, key)})
		return
	}
	within := backend.Range{Start: r.key(), Reverse: r.chance(2)}
	if !r.chance(4) {
		within.End = r.key()
	}
	t.scans = append(t.scans, walk{s.Number, within, x.scan(s, within)})
}

func (r *runner) change(x *txn) {
	s, key := r.scope(), r.key()
	value := fmt.Sprintf("%d of %d", r.n, r.worker)
	switch r.rnd.IntN(6) {
	case 0, 1:
		x.put(s, key, value)
	case 2:
		x.write(putUntil(s, key, value, r.w.now()+second*int64(r.rnd.IntN(3)+1)))
	case 3:
		x.del(s, key)
	case 4:
		x.cas(s, key, r.w.get(s, key).Stamp, value)
	case 5:
		x.append(s, "step", value)
	}
}

// sweep turns the transaction into a sweeper's, which reads outside of any read set.
func (r *runner) sweep(x *txn, t *told) {
	s := r.scope()
	for _, p := range r.w.scan(s, backend.Range{}, t.pin) {
		if p.record.Expiry != 0 && p.record.Expiry <= r.w.now() {
			x.write(expire(s, p.key, p.record.Stamp))
		}
	}
	x.req.Flags = codec.FlagExpiry
}
