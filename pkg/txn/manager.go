package txn

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// The default size limits of one transaction.
const (
	DefaultMaxBytes  = 64 << 20
	DefaultMaxWrites = 100_000
)

// Config is what a Manager is made of besides its authority. Zero fields take the defaults.
type Config struct {
	// Sleep waits for d, or returns the context's error earlier.
	Sleep func(ctx context.Context, d time.Duration) error
	// Int64N draws evenly from [0, n), n > 0. Safe for concurrent use.
	Int64N func(n int64) int64
	// Retry is the policy of transactions that bring none of their own.
	Retry *Retry
	// MaxBytes bounds the keys and values that one transaction buffers, in bytes.
	MaxBytes int64
	// MaxWrites bounds the keys that one transaction writes, and the conditions it sets.
	MaxWrites int
	// Turn is how long a turn at a hot key is safe while others wait for it. After it, and before
	// twice as long, the next in line goes ahead.
	Turn time.Duration

	_ struct{}
}

// Manager starts transactions and views on one authority. Safe for concurrent use.
type Manager struct {
	b     backend.Backend
	cfg   Config
	count counters
	queue queue
}

// New returns a Manager over an authority, which stays the caller's to close.
func New(b backend.Backend, c Config) *Manager {
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Int64N == nil {
		c.Int64N = rand.Int64N
	}
	if c.Retry == nil {
		c.Retry = DefaultRetry()
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxWrites == 0 {
		c.MaxWrites = DefaultMaxWrites
	}
	if c.Turn == 0 {
		c.Turn = DefaultTurn
	}
	m := &Manager{b: b, cfg: c}
	m.queue.init(c.Turn)
	return m
}

// Scope returns the auto-commit form for the keys of s.
func (m *Manager) Scope(s *backend.Scope) Scope { return Scope{m: m, s: s} }

// settle is called after every commit that took a version. Commits are published in order, so one
// that has its place may still wait for an earlier one; whoever committed must find his own writes
// when he is told of the version.
func (m *Manager) settle(ctx context.Context, version uint64) error {
	err := m.awaitPublished(ctx, version)
	if err == nil || ctx.Err() != nil {
		// The outcome is known, it only cannot be read for another moment: no error.
		return nil
	}
	return &backend.UnknownOutcomeError{Version: version, Cause: err}
}
