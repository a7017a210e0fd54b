package rows

import (
	"context"
	"errors"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Plain is a database of in-mem that was closed, and opened by Pebble alone.
type Plain interface {
	// Scan reads all entries between two keys, and returns their number and the bytes of their values.
	Scan(lower, upper []byte) (entries, size int, err error)
	// Close releases the files.
	Close() error
}

// PlainScan is the limit of a replay: Pebble alone reads the same entries of the same files, in its
// order, and decodes none. The version is Pebble's; open opens the files in a directory.
func PlainScan(version string, open func(dir string) (Plain, error)) measure.System {
	return measure.System{
		Name: "plain-scan", Limit: true, About: "the same entries of the same files, read by Pebble",
		Version: version,
		Workloads: func(cfg measure.Config) []measure.Workload {
			m := &maker{e: engine.Engine{Limit: true}, cfg: cfg}
			return m.replays(func(p *past, _ context.Context, dir string) (err error) {
				p.plain, err = open(dir)
				return err
			}, (*past).scanPlain)
		},
	}
}

// The sizes of the run that is replayed: each key was put once, ten in a commit.
const (
	replayKeys  = 100_000
	replayBatch = 10
	// replayScope is the number that the first run of a database has in its files.
	replayScope = codec.Scope(1)
)

// past is a run whose history is read back, after the database was closed: all lies in its files.
type past struct {
	measure.Fixture
	db    *inmem.DB
	run   *inmem.Run
	plain Plain
}

// replays is the row of a replay, by in-mem or by the limit.
func (m *maker) replays(open func(*past, context.Context, string) error,
	read func(*past, context.Context) (int, error)) []measure.Workload {
	p := &past{}
	p.Fixture = measure.Fixture{
		Name: "replay",
		Setup: func(ctx context.Context, dir string) error {
			if err := fillPast(ctx, dir); err != nil {
				return err
			}
			return open(p, ctx, dir)
		},
		Close: func() error {
			if p.plain != nil {
				return p.plain.Close()
			}
			return p.db.Close()
		},
	}
	w := m.row("replay/100k", "replay a run of 100,000 keys with values, from the files",
		measure.Workload{Units: replayKeys, Unit: "changes", Fixture: &p.Fixture, Long: true})
	w.Extra = true
	w.Setup = func(context.Context, string) (*measure.Trial, error) {
		return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
			n, err := read(p, ctx)
			if err == nil && n != replayKeys {
				return measure.Wrongf("replay: %d changes, expected %d", n, replayKeys)
			}
			return err
		}}, nil
	}
	return []measure.Workload{w}
}

// fillPast makes the run and closes the database.
func fillPast(ctx context.Context, dir string) (err error) {
	db, err := inmem.Open(dir, &inmem.Options{SyncInterval: time.Hour, SyncCommits: 1 << 30})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	run, err := theRun(ctx, db)
	if err != nil {
		return err
	}
	k := keysOf(replayKeys)
	for first := 0; first < replayKeys; first += replayBatch {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			for i := first; i < first+replayBatch; i++ {
				at := shuffled(i, replayKeys)
				if _, err := tx.KV().Put(ctx, k.at(at), inmem.String(value(at))); err != nil {
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

// theRun is the one run of the database.
func theRun(ctx context.Context, db *inmem.DB) (*inmem.Run, error) {
	const id = "0197f3a0-0000-7000-8000-000000000002"
	run, err := db.Run(ctx, id)
	if errors.Is(err, inmem.ErrRunNotFound) {
		return db.BeginRun(ctx, inmem.RunOptions{ID: id})
	}
	return run, err
}

func (p *past) open(ctx context.Context, dir string) (err error) {
	if p.db, err = inmem.Open(dir, nil); err != nil {
		return err
	}
	if p.run, err = theRun(ctx, p.db); err != nil {
		return errors.Join(err, p.db.Close())
	}
	return nil
}

// replay reads all changes with their values.
func (p *past) replay(ctx context.Context) (changes int, err error) {
	size := 0
	for c, err := range p.run.Replay(ctx, inmem.ReplayOptions{}) {
		if err != nil {
			return changes, err
		}
		for i := range c.Changes {
			v, err := c.Changes[i].Value()
			if err != nil {
				return changes, err
			}
			text, err := v.AsString()
			if err != nil {
				return changes, err
			}
			size += len(text)
		}
		changes += len(c.Changes)
	}
	if size != valueSize*changes {
		return changes, measure.Wrongf("replay: %d bytes in %d changes", size, changes)
	}
	return changes, nil
}

// scanPlain goes over the entries of the run: its changes, and at most one record for each commit,
// for the records of commits that came together share keys.
func (p *past) scanPlain(context.Context) (changes int, err error) {
	lower, upper := codec.ScopeBounds(replayScope)
	entries, size, err := p.plain.Scan(lower, upper)
	switch {
	case err != nil:
		return 0, err
	case size < replayKeys*valueSize:
		return 0, measure.Wrongf("plain scan: %d bytes", size)
	case entries < replayKeys || entries > replayKeys+replayKeys/replayBatch:
		return 0, measure.Wrongf("plain scan: %d entries of %d changes", entries, replayKeys)
	}
	return replayKeys, nil
}
