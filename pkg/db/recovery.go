package inmem

// Recovery reports what Open found and did.
type Recovery struct {
	// Created says that the directory was empty.
	Created bool
	// Clean says that the database was closed before. Otherwise its process ended or the machine
	// stopped, and the log was replayed.
	Clean bool
	// Version is the version of the newest commit found; everything up to it is there.
	Version uint64
	// Durable is the version up to which commits were known to be on stable storage. It is never
	// greater than Version: that would be ErrCorrupt.
	Durable uint64
	// Next is where versions go on from. Those between Version and Next were never visible to
	// anybody, or were lost with the end of the log.
	Next uint64
	// LogFile and LogOffset say where the log that was replayed ended. LogDropped counts the bytes
	// behind it that could not be used: a torn end, or what a reused file held before.
	LogFile               string
	LogOffset, LogDropped int64

	_ struct{}
}
