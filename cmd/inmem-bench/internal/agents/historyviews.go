package agents

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func (p *past) random() measure.LCG { return measure.NewLCG(p.m.cfg.Seed, 0) }

func (p *past) viewTrial(context.Context) (*measure.Trial, error) {
	g := p.random()
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		version := p.half + uint64(g.Below(int(p.end-p.half)))
		v, err := p.run.At(ctx, version)
		if err != nil {
			return err
		}
		if err := expectEqual("version of a view", v.Version(), version); err != nil {
			return err
		}
		return v.Close()
	}}, nil
}

func (p *past) asOfTrial(ctx context.Context) (*measure.Trial, error) {
	g := p.random()
	v, err := p.run.At(ctx, p.half)
	if err != nil {
		return nil, err
	}
	return &measure.Trial{
		Op: func(ctx context.Context, _, _ int) error {
			return expectPast(ctx, v.KV(), g.Below(p.keys), 0)
		},
		Close: v.Close,
	}, nil
}

func (p *past) keyHistoryTrial(context.Context) (*measure.Trial, error) {
	g := p.random()
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		n := 0
		for _, err := range p.run.KV().History(ctx, pastKey(g.Below(p.keys))) {
			if err != nil {
				return err
			}
			n++
		}
		return expectEqual("versions of a key", n, 2)
	}}, nil
}

// forkTrial leaves its forks to the fixture: they must not make the next ones dearer.
func (p *past) forkTrial(context.Context) (*measure.Trial, error) {
	return &measure.Trial{Op: func(ctx context.Context, _, i int) error {
		child, err := p.run.Fork(ctx, inmem.ForkOptions{At: p.end})
		if err != nil || i%100 > 0 {
			return err
		}
		return expectPast(ctx, child.KV(), i%p.keys, 1)
	}}, nil
}

func (p *past) forkGetTrial(ctx context.Context) (*measure.Trial, error) {
	g := p.random()
	child, err := p.run.Fork(ctx, inmem.ForkOptions{At: p.end})
	if err != nil {
		return nil, err
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return expectPast(ctx, child.KV(), g.Below(p.keys), 1)
	}}, nil
}

func (p *past) forkScanTrial(ctx context.Context) (*measure.Trial, error) {
	g := p.random()
	child, err := p.run.Fork(ctx, inmem.ForkOptions{At: p.end})
	if err != nil {
		return nil, err
	}
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		first, n := g.Below(p.keys/perCommit)*perCommit, 0
		o := inmem.ScanOptions{Start: pastKey(first), Limit: perCommit}
		for pair, err := range child.KV().Scan(ctx, o) {
			if err != nil {
				return err
			}
			if pair.Key != pastKey(first+n) {
				return measure.Wrongf("scan of a fork: found %s behind %d keys", pair.Key, n)
			}
			n++
		}
		return expectEqual("keys in a scan", n, perCommit)
	}}, nil
}

// toldTrial puts and waits until a watch tells of it. What it costs is mostly the sync.
func (m *maker) toldTrial(ctx context.Context, w *world) (*measure.Trial, error) {
	watching, stop := context.WithCancel(ctx)
	told := make(chan uint64, 1)
	failed := make(chan error, 1)
	from := w.db.Version() + 1
	go func() {
		for c, err := range w.run.Watch(watching, inmem.WatchOptions{From: from}) {
			if err != nil {
				failed <- err
				return
			}
			told <- c.Version
		}
	}()
	strict := inmem.TxOptions{}
	if m.cfg.Mode != inmem.None.String() { // there is no disk to wait for
		strict.Durability = inmem.Strict
	}
	return &measure.Trial{
		Op: func(ctx context.Context, _, i int) error {
			version, err := w.run.UpdateWith(ctx, strict, func(tx *inmem.Tx) error {
				_, err := tx.KV().Put(ctx, fmt.Sprint(i%1000), inmem.Int(int64(i)))
				return err
			})
			if err != nil {
				return err
			}
			select {
			case got := <-told:
				return expectEqual("version that a watch told", got, version)
			case err := <-failed:
				return err
			}
		},
		Close: func() error {
			stop()
			return nil
		},
	}, nil
}
