package codec

import (
	"errors"
	"fmt"
)

// The errors about bytes and values. Callers test for them with errors.Is; the struct types below
// carry the details for errors.As. The front door (package db) exports them under its own name.
var (
	// ErrInvalidArgument: the caller passed something that can never be stored, such as a string
	// that is not UTF-8.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrTooLarge: a key, value or nesting is over its limit. See *SizeError.
	ErrTooLarge = errors.New("too large")
	// ErrTypeMismatch: a value is of another kind than was asked for. See *TypeError.
	ErrTypeMismatch = errors.New("type mismatch")
	// ErrCorrupt: stored bytes are not what this package writes. See *CorruptError.
	ErrCorrupt = errors.New("corrupt data")
	// ErrFormat: stored bytes are well-formed but of a newer format, or need a feature that this
	// version of the library does not have.
	ErrFormat = errors.New("unsupported format")
)

// Limits. Each is checked where bytes are made, and again where they are read.
const (
	// MaxKeySize is the longest user key in bytes.
	MaxKeySize = 8 << 10
	// MaxInternalKeySize is the longest user key, in bytes, of the system scope and of index
	// entries: they hold user keys, escaped, together with more.
	MaxInternalKeySize = 32 << 10
	// MaxValueSize is the greatest size of a value in bytes: of its content for String and Bytes,
	// of its encoded elements for Array and Map.
	MaxValueSize = 32 << 20
	// MaxNesting is how deep Arrays and Maps may lie in each other. A scalar has depth 0, an empty
	// Array depth 1.
	MaxNesting = 128
)

// SizeError names what was over its limit. It matches ErrTooLarge.
type SizeError struct {
	What  string // "key", "value", "nesting", ...
	Size  int    // what was found; for nesting: at least this deep
	Limit int    // the greatest size allowed
	_     struct{}
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s is too large: %d, limit %d", e.What, e.Size, e.Limit)
}

// Is implements errors.Is.
func (e *SizeError) Is(target error) bool { return target == ErrTooLarge }

// TypeError names the kind or Go type that was expected and the one that was found. It matches
// ErrTypeMismatch.
type TypeError struct {
	// Path is where in the value it happened, such as .steps[3].name; empty for the value itself.
	Path     string
	Expected string
	Found    string
	_        struct{}
}

func (e *TypeError) Error() string {
	at := ""
	if e.Path != "" {
		at = " at " + e.Path
	}
	return fmt.Sprintf("type mismatch%s: expected %s, found %s", at, e.Expected, e.Found)
}

// Is implements errors.Is.
func (e *TypeError) Is(target error) bool { return target == ErrTypeMismatch }

// CorruptError tells where stored bytes depart from the format. It matches ErrCorrupt.
type CorruptError struct {
	What   string // what was being decoded: "key", "value", "commit record", ...
	Offset int    // of the offending byte, from the start of what was being decoded
	Detail string // found against expected
	_      struct{}
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt %s at byte %d: %s", e.What, e.Offset, e.Detail)
}

// Is implements errors.Is.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// corrupt makes a *CorruptError. It is kept out of line so that decoders stay small.
//
//go:noinline
func corrupt(what string, offset int, format string, args ...any) error {
	return &CorruptError{What: what, Offset: offset, Detail: fmt.Sprintf(format, args...)}
}

// tooLarge makes a *SizeError.
//
//go:noinline
func tooLarge(what string, size, limit int) error {
	return &SizeError{What: what, Size: size, Limit: limit}
}

// invalid makes an error that matches ErrInvalidArgument.
//
//go:noinline
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalidArgument}, args...)...)
}
