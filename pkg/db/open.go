package inmem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/embedded"
)

// Open opens the database in the directory path, which is created if missing, and recovers it if it
// was not closed. Options may be nil. With Durability None the path is only a name.
//
// Errors: ErrInvalidArgument naming every fault of the options, ErrLocked if another process or
// another handle has it open, ErrCorrupt, ErrFormat, ErrStorage.
func Open(path string, o *Options) (*DB, error) {
	options := o.withDefaults()
	if err := options.validate(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	e, err := embedded.Open(context.Background(), engineOptions(path, &options, time.Now))
	if err != nil {
		return nil, err // it names the directory
	}
	d := assemble(parts{
		path: path, backend: e, epoch: e.BootEpoch(), recovery: recoveryOf(e.Recovery()),
	}, options)
	if err := d.dropImports(context.Background()); err != nil {
		// Nobody sees what is left, and the next import tries again.
		options.Logger.Warn("what is left of an import stays for now", "error", err)
	}
	if options.Inspect == InspectBySocket {
		if d.inspector, err = startInspector(d); err != nil {
			return nil, fmt.Errorf("open %s: %w", path, errors.Join(err, d.Close()))
		}
	}
	d.retention.start()
	return d, nil
}

// engineOptions is the one place where options become the engine's.
func engineOptions(path string, o *Options, clock func() time.Time) embedded.Options {
	mode := map[Durability]embedded.Mode{
		Strict: embedded.Strict, Batched: embedded.Batched, Async: embedded.Async,
		None: embedded.None,
	}[o.Durability]
	return embedded.Options{
		Dir: path, Mode: mode, SyncInterval: o.SyncInterval, SyncCommits: o.SyncCommits,
		MemoryBudget: o.MemoryBudget, CacheSize: o.CacheSize, MinFreeSpace: o.MinFreeSpace,
		Logger: o.Logger, Clock: clock,
	}
}

// recoveryOf is the one place where the engine's report becomes ours.
func recoveryOf(r embedded.Report) Recovery {
	return Recovery{
		Created: r.Created, Clean: r.Clean, Version: r.Last, Durable: r.Proven, Next: r.Next,
		LogFile: r.LogFile, LogOffset: r.LogOffset, LogDropped: r.LogDropped,
	}
}

// restore has the engine restore a checkpoint.
func restore(ctx context.Context, from, to string, o RestoreOptions) (RestoreInfo, error) {
	r, err := embedded.Restore(ctx, embedded.RestoreOptions{
		From: from, To: to, Progress: o.Progress,
	})
	return RestoreInfo{Version: r.Version, Files: r.Files, Bytes: r.Bytes}, err
}

// openGathered has the engine read all that can be read of a damaged directory into a new one, and
// opens that. Nothing expires in it, and no history is removed. Commits up to lost are missing at
// its end.
func openGathered(ctx context.Context, from, dir string) (
	d *DB, files []SalvagedFile, lost uint64, err error,
) {
	gathered, err := embedded.Gather(ctx, embedded.GatherOptions{From: from, To: dir})
	if err != nil {
		return nil, nil, 0, err
	}
	for _, f := range gathered.Files {
		files = append(files, SalvagedFile(f))
	}
	if gathered.Durable > gathered.Newest {
		lost = gathered.Durable
	}
	options := (&Options{RetentionInterval: -1}).withDefaults()
	o := engineOptions(dir, &options, time.Now)
	o.SweepInterval = -1
	e, err := embedded.Open(ctx, o)
	if err != nil {
		return nil, nil, 0, err
	}
	d = assemble(parts{path: dir, backend: e, epoch: e.BootEpoch()}, options)
	return d, files, lost, nil
}
