// Package vectorio reads vectors from the files that data sets and models come in, row by row,
// however large they are:
//
//   - fvecs, and ivecs for lists of neighbours: per row a count and so many numbers of four bytes,
//     little-endian
//   - npy: a two-dimensional array of NumPy, of float32, float64, int8 or uint8
//   - idx: the format of MNIST; all dimensions after the first are one row
//   - JSON lines: {"id": "a", "vector": [0.5, 1], "metadata": {"lang": "go"}} on every line
//
// Rows are given as they are in the file: whether a NaN, or a vector of zeros, is welcome is up to
// who takes them. What is not in the format ends the sequence with an *Error that says where.
package vectorio
