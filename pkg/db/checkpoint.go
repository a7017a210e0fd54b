package inmem

import (
	"context"
	"time"

	"github.com/inmem-db/inmem/pkg/txn"
)

// CheckpointInfo says what a checkpoint holds and what it cost.
type CheckpointInfo struct {
	// Version is the version of the checkpoint: it holds every commit up to it and none above.
	Version uint64
	// Files and Bytes are what lies in its directory. Most of it are hard links to files of the
	// database, where the file system has them: they take space of their own only when the database
	// has replaced these.
	Files int
	Bytes int64
	// Duration is how long it took, Held for how long of that commits that wait for the disk had to
	// wait.
	Duration, Held time.Duration

	_ struct{}
}

// Checkpoint makes a copy of the database in the directory dir, which does not exist or is empty,
// while the work goes on. The copy is a database of its own, closed and on stable storage: it can
// be opened where it is, copied elsewhere, and restored by Restore. It holds what the database held
// at one version, which is at least that of every commit that returned before the call, with all
// history; runs that are active are interrupted in it.
//
// The copy is made beside dir, in dir+".partial", and moves into its place when it is whole: after
// an error or a crash there is nothing in dir. What a crash leaves beside it is removed by the next
// checkpoint to dir.
//
// Cost: tables are linked, not copied, if dir is on the same file system; so it takes some
// milliseconds and the syncs of a few files, whatever the database holds. Elsewhere everything is
// copied. Only while the newest log is copied, commits that wait for the disk are held up.
//
// Errors: ErrInvalidArgument if dir is not free (it also matches fs.ErrExist), lies in the
// database's own directory, or Durability is None: there is nothing on disk to link; ErrLocked if
// another checkpoint is made there; ErrTimeout, ErrCanceled, ErrClosed. ErrStorage if the disk of
// dir fails, ErrNoSpace if it is full: the database itself goes on.
func (d *DB) Checkpoint(ctx context.Context, dir string) (CheckpointInfo, error) {
	start := time.Now()
	info, err := d.b.Checkpoint(ctx, dir)
	if err != nil {
		return CheckpointInfo{}, txn.ContextError(err)
	}
	return CheckpointInfo{
		Version: info.Version, Files: info.Files, Bytes: info.Bytes,
		Duration: time.Since(start), Held: info.Held,
	}, nil
}

// RestoreOptions configure RestoreWith.
type RestoreOptions struct {
	// Progress is called after every file with how many bytes of all are copied and verified.
	Progress func(done, total int64)

	_ struct{}
}

// RestoreInfo says what was restored.
type RestoreInfo struct {
	// Version is that of the newest commit.
	Version uint64
	// Files and Bytes were copied and verified.
	Files int
	Bytes int64
	// Duration is how long it took.
	Duration time.Duration

	_ struct{}
}

// Restore makes a database in the directory to, which does not exist or is empty, out of a
// checkpoint, or of the directory of a database that was closed. Nothing in from is changed, and
// the two have no file in common. Every byte is verified against its checksum, and the database
// gets an identity of its own; then it moves into its place. So damage is found before anything is
// there, and after an error or a crash nothing is. Open opens what was restored.
//
// Cost: all bytes are read twice and written once.
//
// Errors: ErrCorrupt naming the damaged file; ErrFormat if a newer version wrote it;
// ErrInvalidArgument if from is no checkpoint or was not closed, or to is not free (it also matches
// fs.ErrExist); ErrLocked if from is open, naming the process, or something else is being restored
// to to; ErrStorage, ErrNoSpace, ErrTimeout, ErrCanceled.
func Restore(ctx context.Context, from, to string) (RestoreInfo, error) {
	return RestoreWith(ctx, from, to, RestoreOptions{})
}

// RestoreWith is Restore with options.
func RestoreWith(ctx context.Context, from, to string, o RestoreOptions) (RestoreInfo, error) {
	start := time.Now()
	info, err := restore(ctx, from, to, o)
	if err != nil {
		return RestoreInfo{}, txn.ContextError(err)
	}
	info.Duration = time.Since(start)
	return info, nil
}
