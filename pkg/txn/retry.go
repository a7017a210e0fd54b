package txn

import (
	"context"
	"math"
	"time"
)

// Retry says how often and how fast a managed transaction is tried again after a conflict. Only
// conflicts of its own commit are retried. The wait before retry n (from 0) is drawn at random
// between zero and min(Base << n, Cap): full jitter, so that losers do not meet again. After it the
// retry may have to wait for its turn at the key that it lost, behind others; see Config.Turn.
type Retry struct {
	// Max is the number of retries after the first attempt; 0 is none.
	Max int
	// Base is the longest wait before the first retry. Default 10 ms.
	Base time.Duration
	// Cap bounds every wait. Default 100 ms.
	Cap time.Duration

	_ struct{}
}

// The defaults of Retry.
const (
	DefaultRetries   = 3
	DefaultRetryBase = 10 * time.Millisecond
	DefaultRetryCap  = 100 * time.Millisecond
)

// DefaultRetry is what holds when nothing is said: 3 retries, 10 ms, at most 100 ms.
func DefaultRetry() *Retry {
	return &Retry{Max: DefaultRetries, Base: DefaultRetryBase, Cap: DefaultRetryCap}
}

// Limit is the longest wait before retry number attempt, counted from 0. No attempt overflows.
func (r *Retry) Limit(attempt int) time.Duration {
	base, limit := r.Base, r.Cap
	if base == 0 {
		base = DefaultRetryBase
	}
	if limit == 0 {
		limit = DefaultRetryCap
	}
	// base << attempt would pass the limit, or overflow: compare with the shift undone.
	if attempt >= 63 || base > limit>>attempt {
		return limit
	}
	return base << attempt
}

// backoff waits before a transaction is tried again: first until the commits that it lost to can be
// read, or the next attempt would read the same versions and lose for certain; then at random; then
// for its turn at the first key that it lost. While it sleeps the key is hot: see Tx.firstRead.
func (m *Manager) backoff(ctx context.Context, r *Retry, attempt int, lost *ConflictError,
) (mine turn, err error) {
	err = m.awaitPublished(ctx, lost.latest())
	if err == nil {
		k := lost.place()
		m.queue.announce(k)
		if err = m.pause(ctx, r.Limit(attempt)); err == nil {
			mine, err = m.queue.enter(ctx, k)
		}
		m.queue.arrive(k)
	}
	if err != nil {
		return turn{}, &retryError{retry: attempt + 1, cause: ContextError(err), lost: lost}
	}
	return mine, nil
}

// pause sleeps between nothing and limit.
func (m *Manager) pause(ctx context.Context, limit time.Duration) error {
	n := int64(limit)
	if n <= 0 {
		return nil
	}
	if n < math.MaxInt64 {
		n++ // the limit itself is among the waits
	}
	return m.cfg.Sleep(ctx, time.Duration(m.cfg.Int64N(n)))
}

func (m *Manager) awaitPublished(ctx context.Context, version uint64) error {
	if m.b.Published() >= version {
		return nil
	}
	return m.b.WaitPublished(ctx, version)
}

// sleep waits for d or until ctx is done, whichever comes first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
