package rows

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// loads fill an empty database, up to and with the sync at the end.
func (m *maker) loads() []measure.Workload {
	const n = 1_000_000
	return []measure.Workload{m.row("load/1m", "load 1,000,000 keys in random order, and flush",
		measure.Workload{
			Once: true, Long: true, Units: n, Unit: "keys",
			Setup: m.fresh(0, 1, m.mode(), func(s engine.Store) *measure.Trial {
				k := keysOf(n)
				return &measure.Trial{
					Op: func(ctx context.Context, _, _ int) error {
						if err := load(ctx, s, k); err != nil {
							return err
						}
						return s.Flush(ctx)
					},
					Check: func(ctx context.Context, _ []int) error {
						return sample(ctx, s, k)
					},
				}
			}),
		})}
}

// sample checks some thousand keys.
func sample(ctx context.Context, s engine.Reader, k keys) error {
	for i := 0; i < k.n; i += k.n/1000 + 1 {
		got, found, err := s.Get(ctx, k.at(i), nil)
		if err := expectValue(k.at(i), value(i), got, found, err); err != nil {
			return err
		}
	}
	return nil
}

// reopen opens a database with all that the fixture holds. The files are copied while it is open
// and at rest: what a killed process leaves behind, the log not yet replayed. With closed the copy
// is opened and closed once before, untimed.
func (m *maker) reopen(f *shared, name, about string, closed bool) measure.Workload {
	w := m.row(name, about, measure.Workload{Once: true, Fixture: &f.Fixture})
	w.Setup = func(ctx context.Context, dir string) (*measure.Trial, error) {
		if err := f.store.Flush(ctx); err != nil {
			return nil, err
		}
		if err := measure.CopyTree(dir, f.dir); err != nil {
			return nil, err
		}
		o := m.options(m.mode(), f.keys.n, 1)
		if closed {
			s, err := m.e.Open(ctx, dir, o)
			if err != nil {
				return nil, err
			}
			if err := s.Close(); err != nil {
				return nil, err
			}
		}
		var s engine.Store
		return &measure.Trial{
			Op: func(ctx context.Context, _, _ int) (err error) {
				if s, err = m.e.Open(ctx, dir, o); err != nil {
					return err
				}
				r := &m.readers(1)[0]
				return r.get(ctx, s, f.keys, f.keys.n/2)
			},
			Check: func(ctx context.Context, _ []int) error { return sample(ctx, s, f.keys) },
			Close: func() error {
				if s == nil {
					return nil
				}
				return s.Close()
			},
		}, nil
	}
	return w
}
