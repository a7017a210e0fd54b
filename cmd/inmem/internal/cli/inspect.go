package cli

import (
	"context"
	"errors"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// inspect calls fn with a checkpoint that the process which has the database open makes for us, and
// says so. locked is the error of Open.
func (e *env) inspect(ctx context.Context, locked error,
	fn func(context.Context, *inmem.DB) error,
) error {
	db, info, err := inmem.Inspect(ctx, e.dir, options())
	if errors.Is(err, inmem.ErrLocked) {
		return advise(locked, "end that process; or let it open the database with Options.Inspect = "+
			"InspectBySocket, and others can look while it works; or let it make a checkpoint")
	}
	if err != nil {
		return err
	}
	if e.copied != info.PID {
		e.copied = info.PID
		fmt.Fprintf(e.err, "inmem: process %d has it open: this is a checkpoint of it, at version %d\n",
			info.PID, info.Version)
	}
	return errors.Join(fn(ctx, db), db.Close())
}
