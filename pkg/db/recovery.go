package inmem

// Recovery reports what Open found and did.
type Recovery struct {
	// Clean says that the database was closed before, or is new. Otherwise the process was ended
	// or the machine stopped, and the log was replayed.
	Clean bool
	// Version is the newest version found; everything up to it is there.
	Version uint64
	// Damage describes what was cut off or repaired, one line each; empty if nothing was.
	Damage []string

	_ struct{}
}
