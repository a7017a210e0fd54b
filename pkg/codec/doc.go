// Package codec turns keys, values and records into bytes and back. It is pure: no I/O, no clock,
// no state. docs/format.md specifies the same bytes for people; tests hold the two together.
//
//   - Keys: AppendKey, DecodeKey and their relatives. Only this package makes engine keys.
//   - Tuples: an order-preserving encoding for index keys.
//   - Values: Value, the eight kinds, as deterministic CBOR; conversion from and to Go and JSON.
//   - Envelope: the flags around every stored value.
//   - Records: CommitRecord, JournalRecord, ScopeRecord, EventRecord, VectorCollection, VectorRow.
//   - Format: the format number and feature bits.
//
// # Rules for all decoders
//
// They trust nothing: whatever the bytes, they return a value or an error, never panic, and
// allocate in proportion to the bytes they were given and not to a length those bytes claim. They
// accept exactly what the encoders make, so whatever was decoded encodes to the same bytes again
// (fields that a newer writer added and that may be ignored are the only thing that is lost).
//
// # Rules for all slices and strings
//
// Decoded slices and strings alias their input, which must not change from then on. Encoders read
// their arguments during the call only. All functions are safe for concurrent use.
package codec
