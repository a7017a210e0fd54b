package backend

import (
	"errors"
	"fmt"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The errors of a commit authority. The front door (package db) exports them under its own name,
// with the table of all errors; codec has the ones about bytes and values.
var (
	// ErrConflict: a read, range or condition no longer held at commit. See *ConflictError.
	ErrConflict = errors.New("conflict")
	// ErrVersionMismatch: a compare-and-set found another version. Only together with ErrConflict.
	ErrVersionMismatch = errors.New("version mismatch")
	// ErrScopeNotActive: the scope's status does not admit writes. See *ScopeStatusError.
	ErrScopeNotActive = errors.New("run is not active")
	// ErrScopeGone: the scope does not exist, or no longer.
	ErrScopeGone = errors.New("run not found")
	// ErrTxnTooOld: the transaction pinned more memory than the budget allows and was ended.
	ErrTxnTooOld = errors.New("transaction is too old")
	// ErrReadOnly: the database takes no writes.
	ErrReadOnly = errors.New("database is read-only")
	// ErrClosed: the database is closed.
	ErrClosed = errors.New("database is closed")
	// ErrStorage: the storage failed. Unless the error also matches ErrNoSpace the database is
	// read-only from then on.
	ErrStorage = errors.New("storage failure")
	// ErrNoSpace: too little free disk space to accept the commit safely. Matches ErrStorage; later
	// commits succeed once there is space again.
	ErrNoSpace = fmt.Errorf("%w: not enough free disk space", ErrStorage)
	// ErrLocked: another process, or another handle of this one, has the directory open.
	ErrLocked = errors.New("database is locked")
	// ErrPruned: retention has removed the history that was asked for.
	ErrPruned = errors.New("history was pruned")
)

// Conflict is one key that stood in the way of a commit.
type Conflict struct {
	Scope     codec.Scope
	Primitive codec.Primitive
	Key       string
	// Expected is the version that was read, or that a CAS named; Found the one at commit. For a key
	// that was not read but lies in a range that was, Expected is the version of the pin.
	Expected, Found uint64
	// CAS marks a failed condition; otherwise the key was read, or lies in a range that was.
	CAS bool
}

// shownKey bounds the part of a key that the text of a conflict shows, in bytes.
const shownKey = 64

// String names the key, up to its first 64 bytes, what was expected, and what was found.
func (c Conflict) String() string {
	key, dots := c.Key, ""
	if len(key) > shownKey {
		key, dots = key[:shownKey], "..."
	}
	verb := "read at"
	if c.CAS {
		verb = "expected"
	}
	return fmt.Sprintf("%s%s %s version %d, found %d",
		codec.FormatKey(c.Scope, c.Primitive, key), dots, verb, c.Expected, c.Found)
}

// ConflictError lists every key that stood in the way, in key order. It matches ErrConflict, and
// ErrVersionMismatch if a CAS is among them.
type ConflictError struct {
	Keys []Conflict
	_    struct{}
}

func (e *ConflictError) Error() string {
	var b strings.Builder
	b.WriteString("conflict: ")
	for i, k := range e.Keys {
		if i == 3 {
			fmt.Fprintf(&b, "; and %d more", len(e.Keys)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(k.String())
	}
	return b.String()
}

// Is implements errors.Is.
func (e *ConflictError) Is(target error) bool {
	if target == ErrConflict {
		return true
	}
	if target != ErrVersionMismatch {
		return false
	}
	for _, k := range e.Keys {
		if k.CAS {
			return true
		}
	}
	return false
}

// ScopeStatusError names the status that refused a write. It matches ErrScopeNotActive.
type ScopeStatusError struct {
	Record string // the scope's record key: for a run its id
	Status codec.Status
	_      struct{}
}

func (e *ScopeStatusError) Error() string {
	return fmt.Sprintf("run %s is not active: it is %s", e.Record, e.Status)
}

// Is implements errors.Is.
func (e *ScopeStatusError) Is(target error) bool { return target == ErrScopeNotActive }

// PrunedError says that a version lies below what retention has left of a scope, or of one of its
// primitives. It matches ErrPruned.
type PrunedError struct {
	Run      string // the scope's record key: for a run its id
	Version  uint64 // the one that was asked for
	Earliest uint64 // the earliest that can be read
	_        struct{}
}

func (e *PrunedError) Error() string {
	return fmt.Sprintf("run %s: version %d: history was pruned, the earliest readable version is %d",
		e.Run, e.Version, e.Earliest)
}

// Is implements errors.Is.
func (e *PrunedError) Is(target error) bool { return target == ErrPruned }

// UnknownOutcomeError reports a commit that has its place in the log and is, or may become,
// visible, while the caller cannot be told whether it outlives a crash.
type UnknownOutcomeError struct {
	Version uint64 // the commit's version, for WaitDurable or a later look
	Cause   error
	_       struct{}
}

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("commit %d: outcome unknown: %v", e.Version, e.Cause)
}

// Unwrap returns the cause.
func (e *UnknownOutcomeError) Unwrap() error { return e.Cause }
