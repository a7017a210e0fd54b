// Package curves holds the points of curves that in-mem alone can be asked for: what its operations
// cost against the number of runs, of live forks, of goroutines, and forks and replays against the
// number of keys. What peers do too, against keys and committers, is in package rows; together they
// are the group curves.
package curves

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The words of the curves: what is counted.
const (
	overKeys       = "keys"
	overRuns       = "runs"
	overForks      = "forks"
	overGoroutines = "goroutines"
)

// Workloads lists the points, those of one database side by side.
func Workloads(cfg measure.Config) []measure.Workload {
	m := &maker{cfg: cfg, spread: 1_000_000}
	var all []measure.Workload
	for _, n := range []int{leastKeys, 1000, 10_000, 100_000, 1_000_000, 10_000_000} {
		for _, w := range m.keys(n) {
			w.Long, w.Heavy = n >= 100_000, n > 1_000_000
			all = append(all, w)
		}
	}
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		all = append(all, long(m.runs(n))...)
	}
	for _, n := range []int{1, 100, 10_000} {
		all = append(all, long(m.forks(n))...)
	}
	return append(all, m.goroutines()...)
}

func long(all []measure.Workload) []measure.Workload {
	for i := range all {
		all[i].Long = true
	}
	return all
}

// maker makes the points of one configuration.
type maker struct {
	cfg measure.Config
	// spread is the number of keys that lie in the runs of the curves over runs, in all of them
	// together: only the number of runs differs.
	spread int
}

// replayed is the number of keys of the run that is replayed, whatever lies beside it.
const replayed = 1000

// leastKeys is the number of keys where next to nothing lies beside the run that is replayed.
const leastKeys = 10

// forkedKeys is the number of keys where forks, or goroutines, are what is counted.
const forkedKeys = 10_000

func (m *maker) keys(n int) []measure.Workload {
	p := m.place("curves, keys", 1, n, 0)
	c := measure.Curve{Over: overKeys, At: n}
	if n == leastKeys {
		return []measure.Workload{p.point(c, fork), p.point(c, replay)}
	}
	return []measure.Workload{
		p.point(c, fork), p.point(c, replay), p.point(c, replayAll),
	}
}

func (m *maker) runs(n int) []measure.Workload {
	p := m.place("curves, runs", n, m.spread/n, 0)
	c := measure.Curve{Over: overRuns, At: n}
	return []measure.Workload{
		p.point(c, get), p.point(c, put), p.point(c, txn), p.point(c, begin), p.point(c, scan),
		p.point(c, fork), p.point(c, replay), p.point(c, beginRun), p.point(c, findRun),
	}
}

func (m *maker) forks(n int) []measure.Workload {
	p := m.place("curves, forks", 1, forkedKeys, n)
	c := measure.Curve{Over: overForks, At: n}
	return []measure.Workload{
		p.point(c, get), p.point(c, put), p.point(c, txn), p.point(c, forkGet), p.point(c, forkPut),
		p.point(c, fork), p.point(c, replay),
	}
}

func (m *maker) goroutines() []measure.Workload {
	p := m.place("curves, goroutines", 1, forkedKeys, 0)
	var all []measure.Workload
	for n := 1; n <= 64; n *= 2 {
		c := measure.Curve{Over: overGoroutines, At: n}
		all = append(all,
			p.point(c, get), p.point(c, put), p.point(c, txn), p.point(c, begin), p.point(c, scan),
			p.point(c, fork), p.point(c, replay))
	}
	return all
}

// place is a database with runs that hold equally many keys, one run of few keys to replay, and
// forks of the first run.
type place struct {
	measure.Fixture
	m       *maker
	count   int // of runs
	forked  int // live forks
	keys    measure.Keys
	db      *inmem.DB
	runs    []*inmem.Run
	kvs     []inmem.KV
	forks   []inmem.KV
	small   *inmem.Run
	version uint64 // at which everything is there
}

// place makes one. Those of a curve have the same name: their databases are open together, and the
// points are measured in turns.
func (m *maker) place(name string, runs, keys, forks int) *place {
	p := &place{m: m, count: runs, forked: forks}
	p.Fixture = measure.Fixture{
		Name: name,
		Setup: func(ctx context.Context, dir string) error {
			p.keys = measure.MakeKeys("agent/step", keys)
			return p.open(ctx, dir)
		},
		Close: func() error {
			db := p.db
			*p = place{Fixture: p.Fixture, m: p.m, count: p.count, forked: p.forked}
			return db.Close()
		},
	}
	return p
}

// leastMemory holds a million keys; more get more, so that all of them are in memory.
const leastMemory = 1 << 30

// namespace is where all runs belong.
var namespace = inmem.RunOptions{Tenant: "tenant", App: "app", Agent: "agent"}

func (p *place) open(ctx context.Context, dir string) (err error) {
	o := &inmem.Options{
		MemoryBudget: max(p.m.cfg.Memory, leastMemory, int64(p.count*p.keys.Len())*600),
	}
	for _, d := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		if d.String() == p.m.cfg.Mode {
			o.Durability = d
		}
	}
	if p.db, err = inmem.Open(dir, o); err != nil {
		return err
	}
	if err := p.fill(ctx); err != nil {
		return errors.Join(err, p.db.Close())
	}
	return nil
}

func (p *place) fill(ctx context.Context) (err error) {
	if p.small, err = p.db.BeginRun(ctx, namespace); err != nil {
		return err
	}
	if err := p.load(ctx, p.small, -1, replayed); err != nil {
		return err
	}
	for i := range p.count {
		run, err := p.db.BeginRun(ctx, namespace)
		if err != nil {
			return err
		}
		p.runs, p.kvs = append(p.runs, run), append(p.kvs, run.KV())
		if err := p.load(ctx, run, i, p.keys.Len()); err != nil {
			return err
		}
	}
	p.version = p.db.Version()
	for range p.forked {
		child, err := p.runs[0].Fork(ctx, inmem.ForkOptions{})
		if err != nil {
			return err
		}
		if _, err := child.KV().Put(ctx, p.key(0), value(0, 0)); err != nil {
			return err
		}
		p.forks = append(p.forks, child.KV())
	}
	return nil
}

// perCommit is how many keys a commit of the load writes.
const perCommit = 100

// load puts keys into a run, in an order that looks random.
func (p *place) load(ctx context.Context, run *inmem.Run, number, n int) error {
	for first := 0; first < n; first += perCommit {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			kv := tx.KV()
			for at := first; at < min(first+perCommit, n); at++ {
				i := shuffled(at, n)
				if _, err := kv.Put(ctx, p.key(i), value(number, i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// key is key i of a run; the run that is replayed may have more than the others.
func (p *place) key(i int) string {
	if i < p.keys.Len() {
		return p.keys.At(i)
	}
	return fmt.Sprintf("agent/more_%06d", i)
}

// shuffled is place i of a fixed order of the numbers below n that looks random.
func shuffled(i, n int) int {
	const prime = 7_368_787 // n has no factor in common with it
	return int(uint64(i) * prime % uint64(n))
}

// ring are the values of a hundred bytes: few enough to stay in the nearest cache.
var ring = func() (all [64]inmem.Value) {
	for i := range all {
		b := make([]byte, 100)
		for at := range b {
			b[at] = byte('a' + (i*7+at)%26)
		}
		all[i] = inmem.String(fmt.Sprintf("%02d", i) + string(b[2:]))
	}
	return all
}()

// value is what key i of a run holds.
func value(run, i int) inmem.Value { return ring[(run*31+i)&63] }

// point makes a workload of an operation: at this place of the curve, by as many goroutines as the
// curve says.
func (p *place) point(c measure.Curve, o op) measure.Workload {
	c.Of = o.name
	workers := 1
	if c.Over == overGoroutines {
		workers = c.At
	}
	w := measure.Workload{
		Name: c.Name(), About: o.about, Mode: p.m.cfg.Mode, Workers: workers, Extra: true,
		Fixture: &p.Fixture, Curve: &c,
		Setup: func(ctx context.Context, _ string) (*measure.Trial, error) {
			return o.prepare(ctx, p, workers)
		},
	}
	switch o.name {
	case replay.name:
		w.Units, w.Unit = replayed, "entries"
	case replayAll.name:
		w.Units, w.Unit = c.At, "entries"
	}
	return w
}
