// Package engine puts databases behind one small interface, so that the same workload with the same
// checks runs over all of them: in-mem through its public API, Pebble by itself, and an unlocked Go
// map as the limit. Further ones live in the nested module cmd/inmem-bench/peers.
package engine

import (
	"context"
	"errors"
	"time"
)

// Engine is a database that can be measured.
type Engine struct {
	// Name is short and unique; Version is what was built, About one line for people.
	Name, Version, About string
	// Limit says that this is no database but a yardstick: it keeps nothing and scans nothing.
	Limit bool
	// Ours says that this is in-mem: what it costs the process is measured too.
	Ours bool
	// Durability says in one sentence what this engine does in each of the modes it is opened in.
	Durability map[string]string
	// Open opens the database in a directory that exists, new or as it was left.
	Open func(ctx context.Context, dir string, o Options) (Store, error)
}

// The modes that engines are opened in. Strict: on stable storage when the call returns. Batched:
// at the latest SyncEvery after it, except for what the engine says of itself in Durability.
const (
	Strict  = "strict"
	Batched = "batched"
)

// SyncEvery is the longest time a commit waits for its sync in mode batched.
const SyncEvery = 100 * time.Millisecond

// Options say how a database is opened.
type Options struct {
	// Mode is Strict or Batched.
	Mode string
	// Memory is what all caches and buffers together may take, in bytes.
	Memory int64
	// Workers is the number of goroutines that will use the store at once; 0 is one. An engine may
	// set up group commit for that many, or leave out locks for one.
	Workers int
}

// ErrConflict is what Update returns when another commit changed what the transaction read. Nothing
// of the transaction has happened then.
var ErrConflict = errors.New("conflict")

// Reader reads the present, or in a transaction or view its snapshot.
type Reader interface {
	// Get appends the value of a key to dst. found is false, and dst unchanged, for an absent key.
	Get(ctx context.Context, key string, dst []byte) (value []byte, found bool, err error)
}

// Tx is a transaction: it reads its own writes.
type Tx interface {
	Reader
	// Put writes one key when the transaction commits.
	Put(ctx context.Context, key, value string) error
}

// Store is an open database. It is safe for concurrent use by Options.Workers goroutines.
type Store interface {
	Reader
	// Put writes one key in a commit of its own.
	Put(ctx context.Context, key, value string) error
	// Delete removes a key and says whether it was there.
	Delete(ctx context.Context, key string) (existed bool, err error)
	// Update runs fn once in a serializable transaction and commits it. Errors: ErrConflict, and
	// what fn returned.
	Update(ctx context.Context, fn func(Tx) error) error
	// CAS writes a value if the key holds the expected one at that moment.
	CAS(ctx context.Context, key, expected, value string) (swapped bool, err error)
	// View runs fn on one snapshot.
	View(ctx context.Context, fn func(Reader) error) error
	// Scan visits the keys with a prefix in order, until each returns false: all of them, or those
	// from a first one on, which has the prefix. Key and value are valid during the call only.
	Scan(ctx context.Context, prefix, from string, each func(key, value string) bool) error
	// Load writes n keys in the way that is fastest here and still keeps every commit whole.
	Load(ctx context.Context, n int, at func(i int) (key, value string)) error
	// Flush puts all on stable storage.
	Flush(ctx context.Context) error
	// Close releases the database; what was written is found by the next Open.
	Close() error
}
