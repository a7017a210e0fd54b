//go:build !linux

package citizentest

import "testing"

// openFiles cannot be told here.
func openFiles(*testing.T) []string { return nil }
