//go:build !race

package invariants

// Race reports whether this build has the race detector, under which everything takes several times
// as long and allocates: what a test says of allocations is of ordinary builds.
const Race = false
