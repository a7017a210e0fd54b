//go:build !amd64 && !arm64

package memtable

func prefetch(*[BlockSize]uintptr, int) {}
