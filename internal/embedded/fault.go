package embedded

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
)

// fault holds the first storage failure of a database. From the moment it is set the database is
// read-only for good: what is on disk stays as it was, and nothing more is acknowledged.
type fault struct {
	first  atomic.Pointer[faultError]
	failed chan struct{} // closed when the fault is set
	// stuck is closed when a part of Pebble has stopped for good: Pebble must not be waited for.
	stuck     chan struct{}
	stuckOnce sync.Once
}

func newFault() *fault {
	return &fault{failed: make(chan struct{}), stuck: make(chan struct{})}
}

// stick says that Pebble does not come to rest any more.
func (f *fault) stick() { f.stuckOnce.Do(func() { close(f.stuck) }) }

// isStuck tells whether Pebble does not come to rest any more.
func (f *fault) isStuck() bool {
	select {
	case <-f.stuck:
		return true
	default:
		return false
	}
}

// faultError is a sticky storage failure; it matches backend.ErrStorage and its cause.
type faultError struct {
	op    string
	cause error
}

func (e *faultError) Error() string {
	return fmt.Sprintf("%v: %s: %v; the database is read-only now, close it and open it again",
		backend.ErrStorage, e.op, e.cause)
}

func (e *faultError) Unwrap() []error { return []error{backend.ErrStorage, e.cause} }

// set records a failure if it is the first, and reports whether it was.
func (f *fault) set(op string, cause error) bool {
	first := f.first.CompareAndSwap(nil, &faultError{op: op, cause: cause})
	if first {
		close(f.failed)
	}
	return first
}

// err is the failure, or nil.
func (f *fault) err() error {
	if e := f.first.Load(); e != nil {
		return e
	}
	return nil
}
