package rows

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// lane is what one worker counts; padded to cache lines of its own.
type lane struct {
	attempts int
	last     int
	buf      []byte
	_        [88]byte
}

// countTrial lets all workers add one to the same key, each until its commit succeeds.
func countTrial(workers int) func(engine.Store) *measure.Trial {
	return func(s engine.Store) *measure.Trial {
		lanes := make([]lane, workers)
		commits := 0
		return &measure.Trial{
			Op: func(ctx context.Context, worker, _ int) error {
				l := &lanes[worker]
				was := 0
				n, err := commit(ctx, s, func(tx engine.Tx) (err error) {
					was, err = add(ctx, tx, &l.buf)
					return err
				})
				l.attempts += n
				if err == nil && was < l.last {
					return measure.Wrongf("the counter was %d after %d", was, l.last)
				}
				l.last = was + 1
				return err
			},
			Check: func(ctx context.Context, done []int) error {
				for _, n := range done {
					commits += n
				}
				return expectCounter(ctx, s, commits)
			},
			Metrics: func() []measure.Metric {
				attempts := 0
				for i := range lanes {
					attempts += lanes[i].attempts
				}
				share := 100 * float64(commits) / float64(attempts)
				return []measure.Metric{{Name: "committed", Unit: "% of attempts", Value: share}}
			},
		}
	}
}

// add reads the counter and writes it back with one more. An absent counter is 0.
func add(ctx context.Context, tx engine.Tx, buf *[]byte) (was int, err error) {
	got, found, err := tx.Get(ctx, counter, (*buf)[:0])
	if err != nil {
		return 0, err
	}
	if found {
		if was = numberOf(got); was < 0 {
			return 0, measure.Wrongf("the counter is %q", got)
		}
	}
	*buf = got
	return was, tx.Put(ctx, counter, string(number(nil, was+1)))
}

func expectCounter(ctx context.Context, s engine.Store, want int) error {
	got, _, err := s.Get(ctx, counter, nil)
	if err == nil && numberOf(got) != want {
		return measure.Wrongf("the counter is %.20q after %d commits", got, want)
	}
	return err
}

// casTrial swaps one key from value to value.
func casTrial(s engine.Store) *measure.Trial {
	now := ""
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if now == "" {
				now = value(0)
				return s.Put(ctx, counter, now)
			}
			swapped, err := s.CAS(ctx, counter, now, value(i))
			if err == nil && !swapped {
				return measure.Wrongf("compare-and-set number %d failed, nobody else writes", i)
			}
			now = value(i)
			return err
		},
		Check: func(ctx context.Context, _ []int) error {
			if swapped, err := s.CAS(ctx, counter, "another value", "x"); err != nil || swapped {
				return measure.Wrongf("compare-and-set that had to fail: swapped %t, %v", swapped, err)
			}
			got, found, err := s.Get(ctx, counter, nil)
			return expectValue(counter, now, got, found, err)
		},
	}
}
