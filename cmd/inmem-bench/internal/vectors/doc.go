// Package vectors holds the workloads of the vector primitive: recall against queries per second,
// filtered search, the building of an index, reopening, and memory, on clustered sets of our own
// making and on files. Every answer is held against the exact one.
package vectors
