package agents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func (p *past) replayTrial(context.Context) (*measure.Trial, error) {
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		n := 0
		for c, err := range p.run.Replay(ctx, inmem.ReplayOptions{To: p.end}) {
			if err != nil {
				return err
			}
			for i := range c.Changes {
				if _, err := c.Changes[i].Value(); err != nil {
					return err
				}
			}
			n += len(c.Changes)
		}
		return expectEqual("changes in a replay", n, 2*p.keys)
	}}, nil
}

func (p *past) diffTrial(context.Context) (*measure.Trial, error) {
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		a, b := inmem.Point{Run: p.run, Version: p.half}, inmem.Point{Run: p.run, Version: p.end}
		n := 0
		for _, err := range p.db.DiffEntries(ctx, a, b, inmem.DiffOptions{}) {
			if err != nil {
				return err
			}
			n++
		}
		return expectEqual("keys that differ", n, p.keys)
	}}, nil
}

func (p *past) hashTrial(ctx context.Context) (*measure.Trial, error) {
	want, err := p.run.StateHash(ctx, p.end)
	if err != nil {
		return nil, err
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		got, err := p.run.StateHash(ctx, p.end)
		if err != nil {
			return err
		}
		return expectEqual("hash of a state", got, want)
	}}, nil
}

func (p *past) catchUpTrial(context.Context) (*measure.Trial, error) {
	if err := p.db.Flush(context.Background()); err != nil { // a watch tells what is durable
		return nil, err
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		n := 0
		for c, err := range p.run.Watch(ctx, inmem.WatchOptions{}) {
			if err != nil {
				return err
			}
			if n += len(c.Changes); n >= 2*p.keys {
				break
			}
		}
		return expectEqual("changes that were told", n, 2*p.keys)
	}}, nil
}

// counter counts what is written to it.
type counter struct{ bytes int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.bytes += int64(len(b))
	return len(b), nil
}

func (p *past) exportTrial(context.Context) (*measure.Trial, error) {
	size := int64(0)
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			c := &counter{}
			o := inmem.ExportOptions{At: p.end}
			if _, err := p.db.ExportRun(ctx, p.run.ID(), c, o); err != nil {
				return err
			}
			if i > 0 && c.bytes != size {
				return measure.Wrongf("two bundles of one run: %d and %d bytes", size, c.bytes)
			}
			size = c.bytes
			return nil
		},
		Metrics: func() []measure.Metric {
			return []measure.Metric{{Name: "bundle", Unit: "B/entry",
				Value: float64(size) / float64(2*p.keys)}}
		},
	}, nil
}

// checkpoint copies the database; one in memory alone has nothing to copy.
func (p *past) checkpoint() measure.Workload {
	if p.m.cfg.Mode == inmem.None.String() {
		return measure.Workload{}
	}
	w := p.on("checkpoint", "copy the database while it is open", nil)
	w.Setup = func(_ context.Context, dir string) (*measure.Trial, error) {
		var held int64
		n := 0
		return &measure.Trial{
			Op: func(ctx context.Context, _, i int) error {
				to := filepath.Join(dir, fmt.Sprintf("copy-%d", i))
				info, err := p.db.Checkpoint(ctx, to)
				if err != nil {
					return err
				}
				n, held = n+1, held+int64(info.Held)
				if info.Version < p.end {
					return measure.Wrongf("a checkpoint at version %d, found %d before it",
						info.Version, p.end)
				}
				return os.RemoveAll(to)
			},
			Metrics: func() []measure.Metric {
				return []measure.Metric{{Name: "log held still", Unit: "us",
					Value: float64(held) / float64(max(n, 1)) / 1000}}
			},
		}, nil
	}
	return w
}

// retention removes the older half of a run's history, once.
func (m *maker) retention(keys int) measure.Workload {
	w := m.workload("retention", "remove all history of a run but its last commit",
		func(ctx context.Context, w *world) (*measure.Trial, error) {
			run, half, err := fillRun(ctx, w.db, keys)
			if err != nil {
				return nil, err
			}
			return &measure.Trial{
				Op: func(ctx context.Context, _, _ int) error {
					target := inmem.RetentionTarget{Run: run.ID()}
					if _, err := w.db.SetRetention(ctx, target, inmem.Keep{Commits: 1}); err != nil {
						return err
					}
					_, err := w.db.ApplyRetention(ctx, nil)
					return err
				},
				Check: func(ctx context.Context, _ []int) error {
					if _, err := run.At(ctx, half); !errors.Is(err, inmem.ErrPruned) {
						return measure.Wrongf("a view of what was removed: %v", err)
					}
					return expectPast(ctx, run.KV(), 0, 1)
				},
			}, nil
		})
	w.Once, w.Units, w.Unit = true, keys, "versions"
	return w
}
