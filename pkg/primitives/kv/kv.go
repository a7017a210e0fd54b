package kv

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// KV reads and writes the keys of one run. It is a small value: copy it freely. Made from a run or
// a view it is safe for concurrent use; made from a transaction it shares the transaction's rules.
//
// Errors of all methods: codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrCorrupt,
// txn.ErrTxnDone in an ended transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of
// the storage. Writes are also refused on a view (read-only) and on a run that has ended. Every
// message names the operation, the run and the key.
type KV struct {
	scope txn.Scope
	space string // what its keys begin with in the store; empty for the run's own keys
}

// New returns the primitive over a scope.
func New(s txn.Scope) KV { return KV{scope: s} }

// In returns the keys of an extension: apart from the run's own keys, and from those of every other
// name. Any name will do, also the empty one; it takes its length and three bytes from the limit
// of a key. Nothing but the name opens the door to an extension's keys.
func In(s txn.Scope, name string) KV {
	return KV{scope: s, space: string(codec.Tuple(nil).AppendString(name))}
}

// place is where a key lies in the store.
func (k KV) place(key string) (codec.Primitive, string) {
	if k.space == "" {
		return codec.KV, key
	}
	return codec.Extensions, k.space + key
}

// Atomic lets fn do several operations as one step and returns the commit version. It is for
// primitives built on an extension: one implementation then serves a run, a transaction and a view.
//
// On a run it is a transaction of its own, retried on conflicts as Update is: fn runs again, so it
// must have no effects but those on its KV. Inside a transaction fn works on that one, the version
// is 0, and what fn wrote before it failed stays part of the transaction: look before you write. A
// view refuses it.
func (k KV) Atomic(ctx context.Context, fn func(KV) error) (uint64, error) {
	return k.scope.Atomic(ctx, func(s txn.Scope) error {
		return fn(KV{scope: s, space: k.space})
	})
}

// Entry is a key with its versions and times.
type Entry struct {
	// Value is Null unless Exists.
	Value codec.Value
	// Exists is false if the key never existed, was deleted, or has expired.
	Exists bool
	// Version is the version of the last write: what CAS has to name, also for a key that was
	// deleted or has expired. 0 means that the key never existed, or, inside a transaction, that
	// the last write is the transaction's own and has no version yet.
	Version uint64
	// Written is the time of that write's commit; zero when Version is 0.
	Written time.Time
	// Expires is the deadline of a value that exists; zero for none.
	Expires time.Time
}

// Get returns the value of a key and whether it exists. No allocation for scalars, strings and
// bytes that are in memory. A value that is in memory is returned even if ctx is done.
func (k KV) Get(ctx context.Context, key string) (codec.Value, bool, error) {
	p, at := k.place(key)
	data, exists, err := k.scope.Value(ctx, p, at)
	if err != nil || !exists {
		return codec.Value{}, false, k.wrap("get", key, err)
	}
	v, err := codec.DecodeStored(data)
	if err != nil {
		return codec.Value{}, false, k.wrap("get", key, err)
	}
	return v, true, nil
}

// GetVersioned returns a key with its version, times and deadline, also when it is absent. The time
// costs a second lookup.
func (k KV) GetVersioned(ctx context.Context, key string) (Entry, error) {
	p, at := k.place(key)
	e, err := k.scope.Get(ctx, p, at)
	if err != nil {
		return Entry{}, k.wrap("get", key, err)
	}
	found := Entry{Exists: e.Exists, Version: e.Version}
	if e.Expiry != 0 {
		found.Expires = time.Unix(0, e.Expiry)
	}
	if e.Exists {
		if found.Value, err = codec.DecodeValue(e.Value); err != nil {
			return Entry{}, k.wrap("get", key, err)
		}
	}
	written, err := k.scope.CommitTime(ctx, e.Version)
	if err != nil {
		return Entry{}, k.wrap("get", key, err)
	}
	if written != 0 {
		found.Written = time.Unix(0, written)
	}
	return found, nil
}

// GetMany returns the values of the keys that exist, all from one version.
func (k KV) GetMany(ctx context.Context, keys []string) (map[string]codec.Value, error) {
	found := make(map[string]codec.Value, len(keys))
	one := KV{scope: k.scope.Snapshot(), space: k.space}
	for _, key := range keys {
		v, ok, err := one.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if ok {
			found[key] = v
		}
	}
	return found, nil
}

// Exists reports whether a key exists.
func (k KV) Exists(ctx context.Context, key string) (bool, error) {
	p, at := k.place(key)
	_, exists, err := k.scope.Value(ctx, p, at)
	return exists, k.wrap("exists", key, err)
}

// Put writes a value and returns the commit version (0 inside a transaction). A blind write never
// conflicts: of two, the later committer's value stays. It clears the deadline of an earlier value.
//
// The write is durable as the database's mode says when Put returns. Errors also: ErrTooLarge for a
// value of more than codec.MaxValueSize bytes or a transaction beyond its limits.
func (k KV) Put(ctx context.Context, key string, v codec.Value) (uint64, error) {
	return k.put(ctx, key, v, 0)
}

// PutWithTTL is Put of a value that expires after ttl, which must be positive. The deadline is
// absolute, survives restarts, and saturates far in the future.
func (k KV) PutWithTTL(ctx context.Context, key string, v codec.Value, ttl time.Duration,
) (uint64, error) {
	deadline, err := k.scope.Deadline(ttl)
	if err != nil {
		return 0, k.wrap("put", key, err)
	}
	return k.put(ctx, key, v, deadline)
}

func (k KV) put(ctx context.Context, key string, v codec.Value, deadline int64) (uint64, error) {
	data, err := encode(v)
	if err != nil {
		return 0, k.wrap("put", key, err)
	}
	p, at := k.place(key)
	version, err := k.scope.Put(ctx, p, at, data, deadline)
	return version, k.wrap("put", key, err)
}

// encode encodes a value into memory of its own, in one piece.
func encode(v codec.Value) ([]byte, error) {
	return codec.AppendValue(make([]byte, 0, min(v.EncodedSize(), codec.MaxValueSize)), v)
}

// Delete deletes a key and reports whether it existed: decided at its place in the commit order, so
// that of two racing deletes one says true; inside a transaction provisionally, as the transaction
// sees it. Deleting a missing key writes nothing.
func (k KV) Delete(ctx context.Context, key string) (bool, error) {
	p, at := k.place(key)
	existed, err := k.scope.Delete(ctx, p, at)
	return existed, k.wrap("delete", key, err)
}

// CAS writes a value if the key's version is still expected, and returns the commit version (0
// inside a transaction). Expected 0 demands that the key never existed; a deleted key is recreated
// by naming the version that GetVersioned tells for it. Like Put it clears an earlier deadline.
//
// A direct CAS that loses returns a *txn.ConflictError (ErrConflict and ErrVersionMismatch) and is
// never retried. Inside a transaction the condition is checked at commit and stays even if the
// value is replaced or deleted later on; later reads of the transaction see the value.
func (k KV) CAS(ctx context.Context, key string, expected uint64, v codec.Value) (uint64, error) {
	data, err := encode(v)
	if err != nil {
		return 0, k.wrap("cas", key, err)
	}
	p, at := k.place(key)
	version, err := k.scope.CAS(ctx, p, at, expected, data)
	return version, k.wrap("cas", key, err)
}

// shownKey bounds the part of a key that an error message shows, in bytes.
const shownKey = 64

// wrap says which operation failed, on which run and key; nil stays nil.
func (k KV) wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &opError{op: op, run: k.scope.Name(), key: key, cause: err}
}

// opError says which operation failed. Its text is made when somebody asks: most conflicts are
// judged by errors.Is, and nobody reads them.
type opError struct {
	op, run, key string
	cause        error
}

func (e *opError) Error() string {
	key, dots := e.key, ""
	if len(key) > shownKey {
		key, dots = key[:shownKey], "..."
	}
	return fmt.Sprintf("kv %s run %s key %q%s: %v", e.op, e.run, key, dots, e.cause)
}

func (e *opError) Unwrap() error { return e.cause }
