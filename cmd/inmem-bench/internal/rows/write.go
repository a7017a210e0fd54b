package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// insertTrial puts new keys in random order; the workers take turns in numbering.
func insertTrial(workers, perOp int) func(engine.Store) *measure.Trial {
	return func(s engine.Store) *measure.Trial {
		k := &inserted
		return &measure.Trial{
			Op: func(ctx context.Context, worker, i int) error {
				first := (i*workers + worker) * perOp
				if first+perOp > mostFresh {
					return measure.ErrExhausted
				}
				if perOp == 1 {
					return s.Put(ctx, k.at(first), value(first))
				}
				return s.Update(ctx, func(tx engine.Tx) error {
					for j := first; j < first+perOp; j++ {
						if err := tx.Put(ctx, k.at(j), value(j)); err != nil {
							return err
						}
					}
					return nil
				})
			},
			Check: func(ctx context.Context, done []int) error {
				for worker, n := range done {
					for i := 0; i < n; i += n/1000 + 1 {
						at := (i*workers + worker) * perOp
						got, found, err := s.Get(ctx, k.at(at), nil)
						if err := expectValue(k.at(at), value(at), got, found, err); err != nil {
							return err
						}
					}
				}
				return nil
			},
		}
	}
}

// overwriteTrial puts random keys of those that are there.
func (m *maker) overwriteTrial(n int) func(engine.Store) *measure.Trial {
	return func(s engine.Store) *measure.Trial {
		r, k := &m.readers(1)[0], keysOf(n)
		newest := make([]int, n)
		for i := range newest {
			newest[i] = i
		}
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				at := r.draw(k)
				newest[at] = i
				return s.Put(ctx, k.at(at), value(i))
			},
			Check: func(ctx context.Context, _ []int) error {
				for at, i := range newest {
					got, found, err := s.Get(ctx, k.at(at), nil)
					if err := expectValue(k.at(at), value(i), got, found, err); err != nil {
						return err
					}
				}
				return nil
			},
		}
	}
}

// sameTrial puts random keys of the fixture with the values they have: nobody else notices.
func (m *maker) sameTrial(f *shared) *measure.Trial {
	r := &m.readers(1)[0]
	return &measure.Trial{
		Op: func(ctx context.Context, _, _ int) error {
			i := r.draw(f.keys)
			return f.store.Put(ctx, f.keys.at(i), value(i))
		},
		Check: func(ctx context.Context, _ []int) error { return sample(ctx, f.store, f.keys) },
	}
}

// The keys that transactions write; they are not among those that are there before.
const (
	counter = "tenant/own/agent-counter/step-0000000000"
	target  = "tenant/own/agent-target0/step-0000000000"
)

const (
	mostAttempts = 100_000               // for one commit, before the run fails
	backOff      = 10 * time.Microsecond // after a conflict, as in the original
)

// commit tries until the transaction commits, and returns how often fn ran.
func commit(ctx context.Context, s engine.Store, fn func(engine.Tx) error) (
	attempts int, err error) {
	count := func(tx engine.Tx) error {
		attempts++
		return fn(tx)
	}
	for range mostAttempts {
		if err = s.Update(ctx, count); !errors.Is(err, engine.ErrConflict) {
			return attempts, err
		}
		time.Sleep(backOff)
	}
	return attempts, fmt.Errorf("no commit in %d attempts: %w", attempts, err)
}

// readWriteTrial reads so many random keys and writes one other.
func (m *maker) readWriteTrial(reads int) func(*shared) *measure.Trial {
	return func(f *shared) *measure.Trial {
		r := &m.readers(1)[0]
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				return f.store.Update(ctx, func(tx engine.Tx) error {
					for range reads {
						if err := r.get(ctx, tx, f.keys, r.draw(f.keys)); err != nil {
							return err
						}
					}
					return tx.Put(ctx, target, value(i))
				})
			},
			Check: func(ctx context.Context, done []int) error {
				got, found, err := f.store.Get(ctx, target, nil)
				return expectValue(target, value(done[0]-1), got, found, err)
			},
		}
	}
}

// number is a counter's value: its decimal digits in a value of the usual size.
func number(b []byte, n int) []byte {
	b = appendDigits(b[:0], n, 20)
	return append(b, ring[0][20:]...)
}

// numberOf reads it back, -1 for anything else.
func numberOf(b []byte) int {
	if len(b) != valueSize {
		return -1
	}
	n := 0
	for _, c := range b[:20] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
