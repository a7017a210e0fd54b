package measure

import (
	"context"
	"time"
)

const (
	settleLook = 5 * time.Millisecond
	settleMost = 3 * time.Second
)

// settle waits until this process leaves the processors alone, but not longer than most. A database
// that was just loaded still sorts and moves what it got; that work is the setup's, and would
// compete with the operations to be measured.
func settle(ctx context.Context, used func() (time.Duration, bool), most time.Duration) {
	last, ok := used()
	quiet := 0
	for start := time.Now(); ok && quiet < 2 && time.Since(start) < most; {
		look := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(settleLook):
		}
		var now time.Duration
		now, ok = used()
		quiet++
		if now-last > time.Since(look)/8 {
			quiet = 0
		}
		last = now
	}
}

// Settle waits until this process leaves the processors alone, some seconds at most.
func Settle(ctx context.Context) { settle(ctx, processorTime, settleMost) }

// SettleLoaded is Settle after a load of millions of keys, whose sorting takes longer.
func SettleLoaded(ctx context.Context) { settle(ctx, processorTime, fixtureSettle) }

// ProcessorTime is what this process has used so far, over all processors; 0 where that cannot be
// learned.
func ProcessorTime() time.Duration {
	used, _ := processorTime()
	return used
}
