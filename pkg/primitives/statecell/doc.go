// Package statecell is the state cell primitive: named values, per run, that are changed by
// compare-and-swap or by read-compute-write, and that a state machine may govern.
//
// Cells has one implementation for all three forms of a scope. run.Cells() commits every write by
// itself, tx.Cells() works inside a transaction, view.Cells() is read-only; the methods are the
// same. Names are any bytes, the empty string and NUL included, up to codec.MaxKeySize, ordered
// byte by byte. Values are immutable. Of[T] is a cell of a Go type.
//
// # Versions
//
// A cell's version is the commit version of its last write, a delete included. It tells one write
// from every other and never repeats, also not when the cell is deleted and initialized anew: a
// stale CompareAndSwap cannot win by accident. Several writes of one transaction make one version.
// A cell that never existed has version 0. Whoever wants to create a deleted cell by
// CompareAndSwap names the version of the delete; Init creates both kinds.
//
// # Ways to write
//
//	Init            creates; ErrExists if the cell exists
//	Store           writes blindly; creates; never conflicts
//	CompareAndSwap  writes if the version is the expected one; the caller judges a loss
//	Update          reads, computes, writes; tried again until it wins; ErrNotFound if missing
//	UpdateOrInit    the same, from a given value if missing
//	Delete          deletes; false if there was nothing
//	Fire            takes a transition of the machine
//
// Directly, callers of Update, UpdateOrInit and Fire that meet on one cell queue for it and proceed
// in turn. Inside a transaction all of them are part of it, and what they read is in its read set.
//
// # Machines
//
// Define puts a cell under a Machine: its value is then always one of the declared states, as a
// String, and every write takes a declared transition. What decides is the state at the commit:
// when another write moves the cell in between, the step is judged anew from there (directly), or
// the transaction is a conflict. A definition that commits while writes are under way binds those
// that commit later, blind ones included.
//
// A guard is a Go function that a transition names. The database stores the name; the function is
// registered by the program (NewWithGuards). A guard that is missing when its transition is tried
// is codec.ErrInvalidArgument, and nothing happens.
//
// # Errors
//
// Of all methods: codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrCorrupt, txn.ErrTxnDone in
// an ended transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of the storage.
// Writes are also refused on a view (read-only) and on a run that has ended. Every message names
// the operation, the run and the cell.
package statecell
