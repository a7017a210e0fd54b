package inmem

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Reclaimed is what Reclaim did: Before and After are the bytes on disk of the tables it rewrote.
type Reclaimed = backend.Reclaimed

// Reclaim gives the disk space of deleted runs, and of history that retention has removed, back to
// the file system now. Without it that happens in the course of time, as tables are rewritten
// anyhow. It keeps nobody waiting, but takes the disk's time: as much as it takes to write what is
// left beside the deleted runs. Call it after large deletions, Promote among them, or never.
//
// It takes turns with retention that is under way, and with the compactions of the store, of which
// one runs at a time: while commits never pause, it may take as long as they go on, so give ctx a
// deadline. What is to be reclaimed is known to the process that removed it: after a crash, a
// Reclaim finds what was removed since the Open, and the rest comes back in the course of time.
//
// The files of the log, whose number and size are bounded, stay until they are used again.
//
// Errors: ErrTimeout, ErrCanceled, ErrReadOnly, ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) Reclaim(ctx context.Context) (Reclaimed, error) {
	r, err := d.b.Reclaim(ctx)
	if err = txn.ContextError(err); err != nil {
		return r, fmt.Errorf("reclaim disk space: %w", err)
	}
	return r, nil
}
