//go:build !unix

package measure

import "time"

// processorTime is not to be had here; nothing waits for it then.
func processorTime() (time.Duration, bool) { return 0, false }
