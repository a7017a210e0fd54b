//go:build amd64 || arm64

package kernel

import "unsafe"

// Prefetch4 asks the CPU to bring n bytes from each of four places into its caches. It waits for
// nothing, changes nothing, and reads nothing: a place may be anywhere.
func Prefetch4(a, b, c, d unsafe.Pointer, n int) { prefetch4(a, b, c, d, n) }

//go:noescape
func prefetch4(a, b, c, d unsafe.Pointer, n int)
