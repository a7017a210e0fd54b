package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// poll looks at the database again and again until ctx is done, which is no error: it is how such a
// command ends. In between the database is closed, so that others can work with it. If one of them
// has it open, that is an error at the first look; later on it is waited for.
func (e *env) poll(ctx context.Context, every time.Duration,
	fn func(context.Context, *inmem.DB) error) error {
	if every <= 0 {
		return usagef("an interval of %s: it must be positive", every)
	}
	waiting := false
	for first := true; ; first = false {
		err := e.look(ctx, fn)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			waiting = false
		case first, !errors.Is(err, inmem.ErrLocked):
			return err
		case !waiting:
			waiting = true
			fmt.Fprintf(e.err, "inmem: waiting: %v\n", err)
		}
		if err := e.out.Flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
