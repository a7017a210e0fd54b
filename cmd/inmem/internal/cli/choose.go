package cli

import (
	"context"
	"errors"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// latest is the word for the run that was begun last.
const latest = "latest"

// run finds a run by its id, by the beginning of an id that no other run has, or as "latest", the
// one that was begun last.
func (e *env) run(ctx context.Context, db *inmem.DB, name string) (*inmem.Run, error) {
	if name == latest {
		page, err := db.Runs().Query(ctx, inmem.RunQuery{Reverse: true, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(page.Runs) == 0 {
			return nil, advise(notFoundf("there is no run in the database"),
				"inmem begin starts one, inmem import brings some")
		}
		return db.Run(ctx, page.Runs[0].ID)
	}
	run, err := db.Run(ctx, strings.ToLower(name))
	if err == nil || !errors.Is(err, inmem.ErrInvalidArgument) {
		return run, err
	}
	id, err := byPrefix(ctx, db, name)
	if err != nil {
		return nil, err
	}
	return db.Run(ctx, id)
}

// byPrefix finds the one run whose id begins so.
func byPrefix(ctx context.Context, db *inmem.DB, name string) (string, error) {
	prefix := strings.ToLower(name)
	if prefix == "" || strings.Trim(prefix, "0123456789abcdef-") != "" {
		return "", advise(usagef("%q is not a run", name),
			`name it by its id, by the beginning of it, or as "latest"; inmem runs lists them`)
	}
	found, err := db.Runs().Beginning(ctx, prefix, 2)
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", advise(notFoundf("no run has an id that begins with %s", name),
			"inmem runs lists them")
	case 1:
		return found[0].ID, nil
	}
	return "", advise(usagef("more than one run has an id that begins with %s", name),
		"name more of it: %s, %s...", found[0].ID, found[1].ID)
}

// point finds a run at a version: RUN, RUN@VERSION or RUN@TIME. Without a version it is 0, which
// stands for the newest.
func (e *env) point(ctx context.Context, db *inmem.DB, text string) (inmem.Point, error) {
	return e.pointAt(ctx, db, text, "")
}

// pointAt is point with a flag --at, which means the same as what stands behind the @.
func (e *env) pointAt(ctx context.Context, db *inmem.DB, text, at string) (inmem.Point, error) {
	name, behind, ok := strings.Cut(text, "@")
	if ok && at != "" {
		return inmem.Point{}, usagef("%s and --at %s both say when", text, at)
	}
	if ok {
		at = behind
	}
	run, err := e.run(ctx, db, name)
	if err != nil {
		return inmem.Point{}, err
	}
	version, err := e.version(ctx, run, at)
	return inmem.Point{Run: run, Version: version}, err
}

// viewing opens the database and calls fn with a view of a run: as it is now, or as it was at a
// version or time.
func (e *env) viewing(ctx context.Context, name, at string,
	fn func(context.Context, *inmem.View) error) error {
	return e.look(ctx, func(ctx context.Context, db *inmem.DB) error {
		p, err := e.pointAt(ctx, db, name, at)
		if err != nil {
			return err
		}
		return e.view(ctx, p, fn)
	})
}

// view calls fn with a view of a point.
func (e *env) view(ctx context.Context, p inmem.Point,
	fn func(context.Context, *inmem.View) error) error {
	if p.Version == 0 {
		return p.Run.View(ctx, func(v *inmem.View) error { return fn(ctx, v) })
	}
	v, err := p.Run.At(ctx, p.Version)
	if err != nil {
		return err
	}
	err = errors.Join(fn(ctx, v), v.Close())
	if errors.Is(err, inmem.ErrRunNotFound) {
		return advise(err, "it had not begun at version %d; inmem show %s tells its versions",
			p.Version, p.Run.ID())
	}
	return err
}
