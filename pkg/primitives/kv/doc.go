// Package kv is the key-value primitive: values under keys, per run.
//
// KV has one implementation for all three forms of a scope. run.KV() commits every write by itself,
// tx.KV() works inside a transaction, view.KV() is read-only; the methods are the same.
//
// Keys are Go strings of any bytes, the empty string and NUL included, up to codec.MaxKeySize. They
// are ordered byte by byte. Values are immutable and stay valid as long as they are held.
//
// Absence is no error: a key that never existed, was deleted, or has expired reads as absent.
package kv
