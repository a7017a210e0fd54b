package workloads

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func (m *maker) cas() []measure.Workload {
	return []measure.Workload{
		m.writes(measure.Workload{
			Name: "txn_cas/success_sequential", About: "read value and version, compare-and-set; 1 key",
			Setup: m.open(m.cfg.Mode, load{}, casTrial(casOnce)),
		}, 1),
		m.readsOnly(measure.Workload{
			Name: "txn_cas/failure_version_mismatch", About: "compare-and-set that names a wrong version",
			Setup: m.open(m.cfg.Mode, load{"key", 1}, casFailureTrial),
		}),
		m.writes(measure.Workload{
			Name: "txn_cas/create_new_key", About: "compare-and-set that creates a new key",
			Setup: m.open(m.cfg.Mode, load{}, m.insertTrial(1, 1, create)),
		}, 1),
		m.writes(measure.Workload{
			Name: "txn_cas/retry_until_success", About: "read and compare-and-set until it succeeds; 1 key",
			Setup: m.open(m.cfg.Mode, load{}, casTrial(casUntilDone)),
		}, 1),
	}
}

// casOnce adds one to the counter if nobody else does.
func casOnce(ctx context.Context, s *store) (was int64, version uint64, err error) {
	e, err := s.kv.GetVersioned(ctx, counter)
	if err != nil {
		return 0, 0, err
	}
	if was, err = e.Value.AsInt(); err != nil {
		return 0, 0, measure.Wrongf("key %q: %v", counter, err)
	}
	version, err = s.kv.CAS(ctx, counter, e.Version, inmem.Int(was+1))
	return was, version, err
}

// casUntilDone adds one to the counter, whoever else does.
func casUntilDone(ctx context.Context, s *store) (was int64, version uint64, err error) {
	for range mostAttempts {
		was, version, err = casOnce(ctx, s)
		if !errors.Is(err, inmem.ErrVersionMismatch) {
			return was, version, err
		}
	}
	return 0, 0, err
}

func casTrial(step func(context.Context, *store) (int64, uint64, error)) prepare {
	return func(ctx context.Context, s *store) (*measure.Trial, error) {
		last, err := s.kv.Put(ctx, counter, inmem.Int(0))
		if err != nil {
			return nil, err
		}
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				was, version, err := step(ctx, s)
				if err != nil {
					return err
				}
				if was != int64(i) {
					return measure.Wrongf("the counter was %d before increment %d", was, i+1)
				}
				return expectNewer(version, &last)
			},
			Check: func(ctx context.Context, done []int) error {
				return s.expectAt(ctx, counter, inmem.Int(int64(sum(done))))
			},
		}, nil
	}
}

// create writes keys that never existed.
func create(ctx context.Context, s *store, keys measure.Keys, first, end int) (
	version uint64, err error) {
	for i := first; i < end; i++ {
		if version, err = s.kv.CAS(ctx, keys.At(i), 0, s.data.values.at(i)); err != nil {
			return 0, err
		}
	}
	return version, nil
}

func casFailureTrial(ctx context.Context, s *store) (*measure.Trial, error) {
	const never = 999_999 // as in the original; nothing is written that could reach it
	key, want := s.data.keys.At(0), s.data.values.at(0)
	before, err := s.kv.GetVersioned(ctx, key)
	if err != nil {
		return nil, err
	}
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			_, err := s.kv.CAS(ctx, key, never, want)
			return expectLost(err)
		},
		Check: func(ctx context.Context, _ []int) error {
			after, err := s.kv.GetVersioned(ctx, key)
			if err == nil && after != before {
				return measure.Wrongf("a compare-and-set that failed left version %d, expected %d",
					after.Version, before.Version)
			}
			return err
		},
	}, nil
}

// expectLost checks the answer to a compare-and-set that must lose.
func expectLost(err error) error {
	switch {
	case err == nil:
		return measure.Wrongf("a compare-and-set that had to fail succeeded")
	case !errors.Is(err, inmem.ErrVersionMismatch) || !errors.Is(err, inmem.ErrConflict):
		return measure.Wrongf("a compare-and-set failed with %q, expected a version mismatch", err)
	}
	return nil
}
