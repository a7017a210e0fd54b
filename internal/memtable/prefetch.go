//go:build amd64 || arm64

package memtable

// prefetch asks for the first two cache lines at each of the first n places. It waits for nothing
// and reads nothing. REQUIRES: 0 < n.
//
//go:noescape
func prefetch(places *[BlockSize]uintptr, n int)
