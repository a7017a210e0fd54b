package backend

import "time"

// CheckpointInfo says what a checkpoint holds and what it cost.
type CheckpointInfo struct {
	// Version is that of the newest commit in it: it holds all up to it and none above.
	Version uint64
	// Files and Bytes are what lies in its directory. Files that it shares with the database by hard
	// links are counted, although they take no space as long as the database has them, too.
	Files int
	Bytes int64
	// Held is how long commits that wait for the disk were held up.
	Held time.Duration

	_ struct{}
}
