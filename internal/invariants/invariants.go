// Package invariants holds the switch for checks that only test builds make (-tags invariants).
//
// A check costs nothing in an ordinary build as long as its condition is computed behind Enabled:
//
//	if invariants.Enabled {
//		invariants.Check(version <= horizon, "evicted version %d above horizon %d", version, horizon)
//	}
package invariants

import "fmt"

// Violation is the value that Check panics with, so that a test can tell it from any other panic.
type Violation string

// Error returns the message.
func (v Violation) Error() string { return "invariant violated: " + string(v) }

// Check panics with a Violation when an invariant does not hold. It does nothing in ordinary
// builds, where a library must not end its host. Safe for concurrent use.
func Check(holds bool, format string, args ...any) {
	if Enabled && !holds {
		panic(Violation(fmt.Sprintf(format, args...)))
	}
}

// Failf is Check for hot paths, where the arguments of a call would be allocated each time:
//
//	if invariants.Enabled && version > horizon {
//		invariants.Failf("evicted version %d above horizon %d", version, horizon)
//	}
func Failf(format string, args ...any) {
	if Enabled {
		panic(Violation(fmt.Sprintf(format, args...)))
	}
}

// Mangle overwrites bytes whose life has ended, so that a use after that shows up in tests. It does
// nothing in ordinary builds. The caller must own b alone.
func Mangle(b []byte) {
	if !Enabled {
		return
	}
	for i := range b {
		b[i] = 0xCC
	}
}
