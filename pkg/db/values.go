package inmem

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// KV reads and writes the keys of one run; see package kv for its methods. Made by the KV methods
// of Run, Tx and View.
type KV = kv.KV

// ScanOptions select and order the keys of KV.Scan, KV.List and KV.Count.
type ScanOptions = kv.ScanOptions

// Value is a stored value: null, bool, int64, float64, string, bytes, array or map. Opaque and
// immutable; the zero Value is null. Kinds are never converted into each other. Package codec has
// its methods and the kinds.
type Value = codec.Value

// Null returns the null value.
func Null() Value { return codec.Null() }

// Bool returns a boolean value.
func Bool(b bool) Value { return codec.Bool(b) }

// Int returns an integer value.
func Int(i int64) Value { return codec.Int(i) }

// Float returns a floating-point value; the bits of NaN, infinities and -0 are kept.
func Float(f float64) Value { return codec.Float(f) }

// String returns a string value. Text that is not valid UTF-8 is refused with ErrInvalidArgument
// when it is written: use Bytes.
func String(s string) Value { return codec.String(s) }

// Bytes returns a bytes value; b is copied.
func Bytes(b []byte) Value { return codec.Bytes(b) }

// ValueOf converts a Go value: structs and maps with string keys become maps, slices arrays, []byte
// bytes, time.Time RFC 3339 text. What does not fit is an error, never a silent null.
//
// Errors: ErrTypeMismatch, ErrInvalidArgument, ErrTooLarge.
func ValueOf(v any) (Value, error) { return codec.ValueOf(v) }

// Get reads a key into a Go type. The kinds must agree: an Int does not become a float64.
//
// Errors: those of KV.Get, and ErrTypeMismatch.
func Get[T any](ctx context.Context, k KV, key string) (T, bool, error) {
	var into, none T
	v, ok, err := k.Get(ctx, key)
	if err != nil || !ok {
		return none, false, err
	}
	if err := v.Decode(&into); err != nil {
		return none, false, fmt.Errorf("get key %q as %T: %w", key, into, err)
	}
	return into, true, nil
}

// Put writes a Go value, converted as by ValueOf, and returns the commit version (0 inside a
// transaction).
//
// Errors: those of ValueOf and KV.Put.
func Put[T any](ctx context.Context, k KV, key string, v T) (uint64, error) {
	value, err := codec.ValueOf(v)
	if err != nil {
		return 0, fmt.Errorf("put key %q from %T: %w", key, v, err)
	}
	return k.Put(ctx, key, value)
}
