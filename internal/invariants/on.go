//go:build invariants

package invariants

// Enabled reports whether this build checks named invariants. Being a constant, it lets the
// compiler drop the checks from ordinary builds.
const Enabled = true
