// Package vector holds the pure algorithms of vector search: distances between rows, exact and
// approximate indexes over them, and filters over their metadata. It knows rows, slots and
// versions, but no runs, no transactions and no disk.
//
//   - kernels: DotProduct, SquaredL2, DotInt8 and their forms for four rows at once, in the
//     widest instructions that the CPU has, and in plain Go everywhere
//   - Metric: how two rows are compared
//   - Filter: conditions on metadata
//
// Everything is deterministic: the same rows in the same order give the same index and the same
// answers, on one machine and level of kernels (see Kernels).
package vector
