//go:build !amd64 && !arm64

package kernel

import "unsafe"

// Prefetch4 does nothing here.
func Prefetch4(_, _, _, _ unsafe.Pointer, _ int) {}
