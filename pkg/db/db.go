package inmem

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// DB is an open database. It is safe for concurrent use. Close it once at the end; handles made
// from it answer ErrClosed from then on.
type DB struct {
	path     string
	options  Options
	b        backend.Backend
	m        *txn.Manager
	system   *backend.Scope // the records of the database itself
	epoch    uint64         // which open of the database this is
	names    scopeNames
	recovery Recovery
	keeper   *keeper // of chains of forks
	vectors  *vecindex.Manager
	imports  imports

	retention *retention

	inspector *inspector // nil: nobody may look
	lease     *lease     // of a copy that Inspect looks at, else nil
}

// parts is what a DB is assembled from besides its options.
type parts struct {
	path     string
	backend  backend.Backend
	epoch    uint64
	recovery Recovery
	// depth replaces mostDepth, if it is not 0.
	depth int
	// manager carries what tests replace: sleeping and chance.
	manager txn.Config
}

// assemble puts the layers together over an authority. Options are complete and valid.
func assemble(p parts, o Options) *DB {
	c := p.manager
	c.Retry, c.MaxBytes, c.MaxWrites = o.Retry, o.MaxTxnBytes, o.MaxTxnWrites
	d := &DB{
		path: p.path, options: o, b: p.backend, m: txn.New(p.backend, c),
		system: &backend.Scope{Number: codec.SystemScope},
		epoch:  p.epoch, recovery: p.recovery,
		vectors: vecindex.New(p.backend, vecindex.Options{Budget: o.VectorMemory}),
	}
	d.keeper = newKeeper(d, p.depth)
	d.retention = newRetention(d)
	return d
}

// Path is the database's directory as it was given to Open.
func (d *DB) Path() string { return d.path }

// Close makes everything durable, ends all background work and releases the directory. Commits
// under way end first. A second Close returns nil.
//
// Errors: ErrStorage if what was committed could not be made durable, or the database had failed.
func (d *DB) Close() error {
	d.inspector.close()
	defer d.lease.end()
	d.retention.close()
	d.keeper.close()
	err := d.vectors.Close() // it reads from what is closed next
	if err := errors.Join(err, d.b.Close()); err != nil {
		return fmt.Errorf("close %s: %w", d.path, err)
	}
	return nil
}

// Version is the version that a reader sees now: the greatest v such that every commit up to v can
// be read. It never goes back while the database is open; after a kill in Batched or Async what was
// lost is gone, and its versions are never given out again.
func (d *DB) Version() uint64 { return d.b.Published() }

// DurableVersion is the greatest version that is known to be on stable storage, together with
// everything before it.
func (d *DB) DurableVersion() uint64 { return d.b.Durable() }

// WaitDurable returns when a version is on stable storage. It asks for no sync; see Flush.
//
// Errors: ErrInvalidArgument for a version that was never handed out, ErrTimeout, ErrCanceled,
// ErrStorage, ErrClosed.
func (d *DB) WaitDurable(ctx context.Context, version uint64) error {
	if err := txn.ContextError(d.b.WaitDurable(ctx, version)); err != nil {
		return fmt.Errorf("wait for durable version %d: %w", version, err)
	}
	return nil
}

// Flush returns when every commit that came before the call is on stable storage.
//
// Errors: ErrTimeout, ErrCanceled, ErrStorage, ErrClosed.
func (d *DB) Flush(ctx context.Context) error {
	if err := txn.ContextError(d.b.Flush(ctx)); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// Recovery reports what Open found.
func (d *DB) Recovery() Recovery { return d.recovery }
