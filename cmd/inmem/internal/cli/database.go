package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// marker is the file that every database directory has; see docs/format.md.
const marker = "INMEM"

// look opens the database for reading and calls fn with it; if another process has it open that
// lets others look, a fresh checkpoint of it.
func (e *env) look(ctx context.Context, fn func(context.Context, *inmem.DB) error) error {
	opened := false
	err := e.change(ctx, func(ctx context.Context, db *inmem.DB) error {
		opened = true
		return fn(ctx, db)
	})
	if opened || !errors.Is(err, inmem.ErrLocked) {
		return err
	}
	return e.inspect(ctx, err, fn)
}

// change opens the database for reading and writing and calls fn with it. When it returns, what fn
// committed is on stable storage.
func (e *env) change(ctx context.Context, fn func(context.Context, *inmem.DB) error) error {
	if err := e.exists(); err != nil {
		return err
	}
	return e.create(ctx, fn)
}

// create is change that makes the database if there is none; not in the current directory unless it
// was named: a database in the middle of somebody's files is rarely meant.
func (e *env) create(ctx context.Context, fn func(context.Context, *inmem.DB) error) error {
	if e.dir == "." {
		if err := e.exists(); err != nil {
			return err
		}
	}
	return e.open(ctx, options(), fn)
}

// open is create with options.
func (e *env) open(ctx context.Context, o *inmem.Options,
	fn func(context.Context, *inmem.DB) error,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db, err := inmem.Open(e.dir, o)
	if err != nil {
		return err
	}
	return errors.Join(fn(ctx, db), db.Close())
}

// options are those of a process that is there for one command: history is only removed by the
// command that says so.
func options() *inmem.Options { return &inmem.Options{RetentionInterval: -1} }

// exists says what to do about a directory without a database.
func (e *env) exists() error {
	_, err := os.Stat(filepath.Join(e.dir, marker))
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	where := e.dir
	if where == "." {
		where = "the current directory"
	}
	return advise(notFoundf("there is no database in %s", where),
		"name one with --db DIR or $%s; inmem init DIR makes one", environment)
}
