package inmem

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Isolation is what the commit of a transaction validates.
type Isolation = txn.Isolation

const (
	// Snapshot validates every key that was read or that a scan went over. The default.
	Snapshot = txn.Snapshot
	// Serializable validates scanned ranges, too: no phantom survives.
	Serializable = txn.Serializable
)

// TxOptions configure one transaction. The zero value takes the database's options.
type TxOptions struct {
	// Isolation is Snapshot or Serializable; default Snapshot.
	Isolation Isolation
	// Durability can be Strict: the commit returns when it is on stable storage, whatever the
	// database's mode. A transaction can ask for more than the mode, not for less, and in mode None
	// for nothing (ErrInvalidArgument).
	Durability Durability
	// Retry replaces the database's policy in UpdateWith; without effect in Begin.
	Retry *Retry

	_ struct{}
}

// Tx is a read-write transaction. Its reads come from one snapshot and its own writes; its writes
// take effect together at the commit, or not at all. It belongs to one goroutine at a time; after
// its end everything answers ErrTxnDone. Versions that its writes return are 0: not known yet.
//
// A transaction that a Run started belongs to that run. One that the DB started names each run with
// On.
type Tx struct {
	d     *DB
	t     *txn.Tx
	scope txn.Scope
}

// KV returns the keys of the transaction's run. In a transaction over several runs:
// tx.On(run).KV().
func (tx *Tx) KV() KV { return kv.New(tx.scope) }

// On returns the transaction as it works on a run. It is the same transaction: Commit and Rollback
// end it whichever of the two they are called on. In a transaction of another run every operation
// on the result fails with ErrInvalidArgument.
func (tx *Tx) On(r *Run) *Tx {
	on := &Tx{d: tx.d, t: tx.t}
	if r != nil && r.d == tx.d {
		on.scope = tx.t.Scope(r.scope)
	}
	return on
}

// Commit ends a transaction made by Begin, makes its writes take effect, and returns the commit
// version, 0 if it wrote nothing. Inside the function of Update it is refused.
//
// Errors: ErrConflict (with *ConflictError), ErrRunNotActive, ErrTimeout, ErrCanceled,
// ErrTxnTooOld, ErrTxnDone, ErrReadOnly, ErrStorage, ErrClosed. Whatever the error, the
// transaction has ended.
func (tx *Tx) Commit(ctx context.Context) (uint64, error) { return tx.t.Commit(ctx) }

// Rollback ends a transaction made by Begin without writing anything. After the end, and beside a
// Commit that has begun, it does nothing and returns ErrTxnDone, so it can be deferred. Inside the
// function of Update it is refused.
func (tx *Tx) Rollback() error { return tx.t.Rollback() }

// Snapshot is the version that all reads of the transaction come from.
func (tx *Tx) Snapshot() uint64 { return tx.t.Snapshot() }

// Counts says how many keys the transaction has read, written and set conditions on so far.
func (tx *Tx) Counts() txn.Counts { return tx.t.Counts() }

// View is a read-only look at one version. It is safe for concurrent use. One that a function was
// given ends with that function, one that At made with Close; then everything answers ErrTxnDone.
type View struct {
	d     *DB
	v     *txn.View
	scope txn.Scope
}

// KV returns the keys of the view's run. In a view of the database: view.On(run).KV().
func (v *View) KV() KV { return kv.New(v.scope) }

// On returns the view as it looks at a run.
func (v *View) On(r *Run) *View {
	on := &View{d: v.d, v: v.v}
	if r != nil && r.d == v.d {
		on.scope = v.v.Scope(r.scope)
	}
	return on
}

// Version is the version that the view shows: of the newest commit at or below the one asked for.
func (v *View) Version() uint64 { return v.v.Version() }

// Update runs fn in a transaction over several runs, each named with tx.On, and returns the commit
// version, 0 if nothing was written. See Run.Update.
func (d *DB) Update(ctx context.Context, fn func(*Tx) error) (uint64, error) {
	return d.update(ctx, nil, TxOptions{}, fn)
}

// UpdateWith is Update with options.
func (d *DB) UpdateWith(ctx context.Context, o TxOptions, fn func(*Tx) error) (uint64, error) {
	return d.update(ctx, nil, o, fn)
}

// View calls fn with a read-only view of the database as it is published now, and returns its
// error unchanged. It waits for nobody. Errors of its own: ErrTimeout or ErrCanceled if ctx is
// done at the start.
func (d *DB) View(ctx context.Context, fn func(*View) error) error {
	return d.view(ctx, nil, fn)
}

// Begin starts a transaction over several runs, each named with tx.On, which its caller ends with
// Commit or Rollback. It is never retried. See Run.Begin.
func (d *DB) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	return d.begin(ctx, nil, o)
}

func (d *DB) update(ctx context.Context, only *backend.Scope, o TxOptions, fn func(*Tx) error,
) (uint64, error) {
	options, err := d.txOptions(o)
	if err != nil {
		return 0, err
	}
	return d.m.Update(ctx, only, options, func(t *txn.Tx) error {
		return fn(&Tx{d: d, t: t, scope: t.Scope(only)})
	})
}

func (d *DB) view(ctx context.Context, s *backend.Scope, fn func(*View) error) error {
	return d.m.View(ctx, func(v *txn.View) error {
		return fn(&View{d: d, v: v, scope: v.Scope(s)})
	})
}

func (d *DB) begin(ctx context.Context, only *backend.Scope, o TxOptions) (*Tx, error) {
	options, err := d.txOptions(o)
	if err != nil {
		return nil, err
	}
	t, err := d.m.Begin(ctx, only, options)
	if err != nil {
		return nil, err
	}
	return &Tx{d: d, t: t, scope: t.Scope(only)}, nil
}

// txOptions checks a transaction's options against the database's.
func (d *DB) txOptions(o TxOptions) (txn.Options, error) {
	options := txn.Options{Isolation: o.Isolation, Retry: o.Retry}
	mode := d.options.Durability
	switch {
	case o.Isolation > Serializable:
		return options, fmt.Errorf("%w: isolation %d", ErrInvalidArgument, o.Isolation)
	case len(retryFaults(o.Retry)) > 0:
		return options, fmt.Errorf("%w: %s", ErrInvalidArgument, retryFaults(o.Retry)[0])
	case o.Durability == 0 || o.Durability == mode:
	case o.Durability == Strict && mode != None:
		options.Durability = backend.Durable
	default:
		return options, fmt.Errorf("%w: a transaction cannot be %v in a database that is %v",
			ErrInvalidArgument, o.Durability, mode)
	}
	return options, nil
}
