package engine

import "unsafe"

// BytesOf is the content of a string without a copy. Whoever gets it must only read.
func BytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// StringOf is a string over bytes without a copy. It is valid as long as nobody writes to them.
func StringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
