// Package kernel measures distances: sums over the coordinates of two rows, or of one query and
// four rows at once.
//
// The loops exist at several levels: plain Go that every platform has, and assembly for what a
// CPU offers beyond it. All levels take any length, read nothing behind it, and agree with the
// plain loop: exactly for int8, within rounding for float32, because a wide loop adds up in
// another order. One level gives the same bits for the same rows, every time and, for the plain
// one, on every machine.
//
// Nothing here is checked twice: lengths are, in the callers' words, a promise (see package vector,
// which is the only importer and documents what the functions mean).
package kernel
