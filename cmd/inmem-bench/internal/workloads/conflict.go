package workloads

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	mostAttempts = 100_000               // for one commit, before the run fails
	backOff      = 10 * time.Microsecond // after a conflict, as in the original
	racers       = 4
)

func (m *maker) conflicts() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{2, 4, 8} {
		all = append(all, m.writes(measure.Workload{
			Name:    fmt.Sprintf("conflict/disjoint_keys/%d", n),
			About:   fmt.Sprintf("%d goroutines put new keys of their own in one run", n),
			Workers: n,
			Setup:   m.open(m.cfg.Mode, load{}, disjointTrial(n)),
		}, 1))
	}
	for _, n := range []int{2, 4} {
		all = append(all, m.writes(measure.Workload{
			Name: fmt.Sprintf("conflict/same_key/%d", n),
			About: fmt.Sprintf(
				"%d goroutines add one to the same key, each until its commit succeeds", n),
			Workers: n,
			Setup:   m.open(m.cfg.Mode, load{}, sameKeyTrial(n)),
		}, 1))
	}
	return append(all, m.writes(measure.Workload{
		Name:  "conflict/cas_one_winner",
		About: "4 goroutines start, try to create the same new key, and end: one wins",
		Setup: m.open(m.cfg.Mode, load{}, m.oneWinnerTrial),
	}, 1))
}

// disjointTrial formats its keys inside the loop, as the original does.
func disjointTrial(workers int) prepare {
	return func(_ context.Context, s *store) (*measure.Trial, error) {
		key := func(worker, i int) string { return fmt.Sprintf("w%d_%07d", worker, i) }
		lanes := make([]lane, workers)
		return &measure.Trial{
			Op: func(ctx context.Context, worker, i int) error {
				version, err := s.kv.Put(ctx, key(worker, i), s.data.values.at(i))
				if err != nil {
					return err
				}
				return expectNewer(version, &lanes[worker].last)
			},
			Check: func(ctx context.Context, done []int) error {
				for worker, n := range done {
					for i := 0; i < n; i += n/1000 + 1 {
						if err := s.expectAt(ctx, key(worker, i), s.data.values.at(i)); err != nil {
							return err
						}
					}
				}
				return s.expectCount(ctx, sum(done))
			},
		}, nil
	}
}

// sameKeyTrial counts attempts: an operation is one commit, however many it takes.
func sameKeyTrial(workers int) prepare {
	return func(ctx context.Context, s *store) (*measure.Trial, error) {
		if _, err := s.kv.Put(ctx, counter, inmem.Int(0)); err != nil {
			return nil, err
		}
		lanes := make([]lane, workers)
		commits := 0
		once := inmem.TxOptions{Retry: &inmem.Retry{Max: 0}}
		add := func(tx *inmem.Tx) error {
			_, err := increment(ctx, tx.KV())
			return err
		}
		return &measure.Trial{
			Op: func(ctx context.Context, worker, _ int) error {
				mine := &lanes[worker]
				for range mostAttempts {
					mine.attempts++
					version, err := s.run.UpdateWith(ctx, once, add)
					if err == nil {
						return expectNewer(version, &mine.last)
					}
					if !errors.Is(err, inmem.ErrConflict) {
						return err
					}
					time.Sleep(backOff)
				}
				return fmt.Errorf("no commit in %d attempts", mostAttempts)
			},
			Check: func(ctx context.Context, done []int) error {
				commits = sum(done)
				return s.expectAt(ctx, counter, inmem.Int(int64(commits)))
			},
			Metrics: func() []measure.Metric {
				attempts := 0
				for i := range lanes {
					attempts += lanes[i].attempts
				}
				share := 100 * float64(commits) / float64(attempts)
				return []measure.Metric{{Name: "committed", Unit: "% of attempts", Value: share}}
			},
		}, nil
	}
}

// oneWinnerTrial takes a new key per round, where the original takes a new database.
func (m *maker) oneWinnerTrial(_ context.Context, s *store) (*measure.Trial, error) {
	keys, most := m.freshKeys()
	winners := make([]byte, most)
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			if i >= most {
				return measure.ErrExhausted
			}
			winner, err := race(ctx, s.kv, keys.At(i))
			winners[i] = byte(winner)
			return err
		},
		Check: func(ctx context.Context, done []int) error {
			n := sum(done)
			for i := 0; i < n; i += n/1000 + 1 {
				if err := s.expectAt(ctx, keys.At(i), inmem.Int(int64(winners[i]))); err != nil {
					return err
				}
			}
			return s.expectCount(ctx, n)
		},
	}, nil
}

// race lets all racers create one key and returns the number of the one that did.
func race(ctx context.Context, k inmem.KV, key string) (int, error) {
	var (
		wg     sync.WaitGroup
		start  = make(chan struct{})
		errs   [racers]error
		winner = -1
	)
	for r := range racers {
		wg.Go(func() {
			<-start
			_, errs[r] = k.CAS(ctx, key, 0, inmem.Int(int64(r)))
		})
	}
	close(start)
	wg.Wait()
	for r, err := range errs {
		if err == nil && winner < 0 {
			winner = r
			continue
		}
		if err := expectLost(err); err != nil {
			return 0, fmt.Errorf("racer %d of %d: %w", r+1, racers, err)
		}
	}
	if winner < 0 {
		return 0, measure.Wrongf("none of %d racers created key %q", racers, key)
	}
	return winner, nil
}
