package curves

import (
	"context"
	"errors"
	"sync"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// op is an operation that curves are made of.
type op struct {
	name, about string
	prepare     func(ctx context.Context, p *place, workers int) (*measure.Trial, error)
}

// The operations. Runs and keys are drawn at random; what is written is what was there, so that the
// points which share a database do not disturb each other.
var (
	get       = op{"get", "get a random key of a random run", getTrial}
	put       = op{"put", "put a random key of a random run with the value it has", putTrial}
	txn       = op{"txn", "transaction of 10 reads and 1 write in a random run", txnTrial}
	begin     = op{"begin_get", "view of a random run, and 1 random get", beginTrial}
	scan      = op{"scan_100", "read 100 neighbouring keys of a random run", scanTrial}
	fork      = op{"fork", "fork a random run", forkTrial}
	replay    = op{"replay_1k", "replay a run of 1,000 keys with values", smallTrial}
	replayAll = op{"replay_all", "replay the run that has all keys, with values", allTrial}
	beginRun  = op{"begin_run", "begin a run", beginRunTrial}
	findRun   = op{"find_run", "open a random run by its name", findRunTrial}
	forkGet   = op{"fork_get", "get a random key of a random fork", forkGetTrial}
	forkPut   = op{"fork_put", "put a key that a random fork has put before", forkPutTrial}
)

// lane is what one goroutine has for itself.
type lane struct {
	measure.LCG
	name string // of the key that its transactions write
}

func (p *place) lanes(workers int) []lane {
	all := make([]lane, workers)
	for i := range all {
		all[i] = lane{measure.NewLCG(p.m.cfg.Seed, i), "own_" + p.key(i)}
	}
	return all
}

func (l *lane) run(p *place) int { return l.Below(p.count) }

// expect reads key i of a run and checks it.
func expect(ctx context.Context, kv inmem.KV, p *place, run, i int) error {
	got, found, err := kv.Get(ctx, p.key(i))
	if err == nil && (!found || got != value(run, i)) {
		return measure.Wrongf("key %d of run %d: found %t, %.40s", i, run, found, got.String())
	}
	return err
}

func getTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
		l := &lanes[worker]
		r := l.run(p)
		return expect(ctx, p.kvs[r], p, r, l.Below(p.keys.Len()))
	}}, nil
}

func putTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{
		Op: func(ctx context.Context, worker, _ int) error {
			l := &lanes[worker]
			r, i := l.run(p), l.Below(p.keys.Len())
			_, err := p.kvs[r].Put(ctx, p.key(i), value(r, i))
			return err
		},
		Check: func(ctx context.Context, _ []int) error {
			for i := 0; i < p.keys.Len(); i += p.keys.Len()/1000 + 1 {
				r := i % p.count
				if err := expect(ctx, p.kvs[r], p, r, i); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

func txnTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	last := make([]int, workers)
	return &measure.Trial{
		Op: func(ctx context.Context, worker, i int) error {
			l := &lanes[worker]
			r := l.run(p)
			last[worker] = r
			_, err := p.runs[r].Update(ctx, func(tx *inmem.Tx) error {
				kv := tx.KV()
				for range 10 {
					if err := expect(ctx, kv, p, r, l.Below(p.keys.Len())); err != nil {
						return err
					}
				}
				_, err := kv.Put(ctx, l.name, inmem.Int(int64(i)))
				return err
			})
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			for worker, n := range done {
				got, found, err := p.kvs[last[worker]].Get(ctx, lanes[worker].name)
				if err != nil {
					return err
				}
				if n > 0 && (!found || got != inmem.Int(int64(n-1))) {
					return measure.Wrongf("transaction %d wrote %s", n-1, got)
				}
			}
			return nil
		},
	}, nil
}

func beginTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
		l := &lanes[worker]
		r := l.run(p)
		return p.runs[r].View(ctx, func(v *inmem.View) error {
			return expect(ctx, v.KV(), p, r, l.Below(p.keys.Len()))
		})
	}}, nil
}

// scanned is the number of keys that a scan reads.
const scanned = 100

// scanTrial scans. The first scan of a run sorts it, once: that is the setup's.
func scanTrial(ctx context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	for _, kv := range p.kvs {
		for _, err := range kv.Scan(ctx, inmem.ScanOptions{Limit: 1}) {
			if err != nil {
				return nil, err
			}
		}
	}
	return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
		l := &lanes[worker]
		r, first := l.run(p), l.Below(p.keys.Len()-scanned+1)
		i := first
		o := inmem.ScanOptions{Start: p.key(first), Limit: scanned}
		for pair, err := range p.kvs[r].Scan(ctx, o) {
			if err != nil {
				return err
			}
			if pair.Key != p.key(i) || pair.Value != value(r, i) {
				return measure.Wrongf("scan: %q at the place of %q", pair.Key, p.key(i))
			}
			i++
		}
		if i != first+scanned {
			return measure.Wrongf("scan: %d keys, expected %d", i-first, scanned)
		}
		return nil
	}}, nil
}

func smallTrial(_ context.Context, p *place, _ int) (*measure.Trial, error) {
	return replayTrial(p.small, p.version, replayed), nil
}

func allTrial(_ context.Context, p *place, _ int) (*measure.Trial, error) {
	return replayTrial(p.runs[0], p.version, p.keys.Len()), nil
}

// replayTrial goes over the changes of a run up to a version, and reads their values.
func replayTrial(run *inmem.Run, to uint64, want int) *measure.Trial {
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		n, bytes := 0, 0
		for c, err := range run.Replay(ctx, inmem.ReplayOptions{To: to}) {
			if err != nil {
				return err
			}
			for i := range c.Changes {
				v, err := c.Changes[i].Value()
				if err != nil {
					return err
				}
				text, err := v.AsString()
				if err != nil {
					return err
				}
				bytes += len(text)
			}
			n += len(c.Changes)
		}
		if n != want || bytes != 100*want {
			return measure.Wrongf("replay: %d changes of %d bytes, expected %d", n, bytes, want)
		}
		return nil
	}}
}

// mostMade is the number of runs that one trial makes: they are removed after it.
const mostMade = 2000

// made are the runs that a trial has made.
type made struct {
	mu  sync.Mutex // guards ids
	ids []string
}

// add notes one more.
func (m *made) add(run *inmem.Run, err error) error {
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = append(m.ids, run.ID())
	return nil
}

// remove deletes them, so that the next repeat finds the database as this one did.
func (p *place) remove(m *made) func() error {
	return func() error {
		var errs []error
		for _, id := range m.ids {
			errs = append(errs, p.db.DeleteRun(context.Background(), id))
		}
		return errors.Join(errs...)
	}
}

func forkTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes, m := p.lanes(workers), &made{}
	return &measure.Trial{
		Op: func(ctx context.Context, worker, i int) error {
			if i >= max(mostMade/workers, 1) {
				return measure.ErrExhausted
			}
			l := &lanes[worker]
			r := l.run(p)
			child, err := p.runs[r].Fork(ctx, inmem.ForkOptions{})
			if err == nil && i%50 == 0 {
				err = expect(ctx, child.KV(), p, r, l.Below(p.keys.Len()))
			}
			return m.add(child, err)
		},
		Close: p.remove(m),
	}, nil
}

func beginRunTrial(_ context.Context, p *place, _ int) (*measure.Trial, error) {
	m := &made{}
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i >= mostMade {
				return measure.ErrExhausted
			}
			return m.add(p.db.BeginRun(ctx, namespace))
		},
		Check: func(ctx context.Context, done []int) error {
			n, err := p.db.Runs().Count(ctx, inmem.RunQuery{})
			if want := p.count + 1 + done[0]; err == nil && n != want {
				return measure.Wrongf("%d runs, expected %d", n, want)
			}
			return err
		},
		Close: p.remove(m),
	}, nil
}

func findRunTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
		id := p.runs[lanes[worker].run(p)].ID()
		run, err := p.db.Run(ctx, id)
		if err == nil && run.ID() != id {
			return measure.Wrongf("run %s is %s", id, run.ID())
		}
		return err
	}}, nil
}

func forkGetTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
		l := &lanes[worker]
		return expect(ctx, p.forks[l.Below(len(p.forks))], p, 0, l.Below(p.keys.Len()))
	}}, nil
}

// forkPutTrial overwrites the one key that every fork has put already.
func forkPutTrial(_ context.Context, p *place, workers int) (*measure.Trial, error) {
	lanes := p.lanes(workers)
	return &measure.Trial{
		Op: func(ctx context.Context, worker, _ int) error {
			_, err := p.forks[lanes[worker].Below(len(p.forks))].Put(ctx, p.key(0), value(0, 0))
			return err
		},
		Check: func(ctx context.Context, _ []int) error {
			for _, kv := range p.forks {
				if err := expect(ctx, kv, p, 0, 0); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}
