package simtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// caught simulates with a plant until that is found.
func caught(t *testing.T, p *plant) *Failure {
	t.Helper()
	c := Config{Seed: 1, Steps: 4000, plant: p}
	_, err := Run(t.Context(), c)
	var f *Failure
	require.True(t, errors.As(err, &f), "the simulation does not find it: %v", err)
	t.Logf("found after %d steps of episode %d: %v", len(f.Steps), f.Episode, f.Err)
	return f
}

// lossy loses a part of some commits.
type lossy struct {
	authority
	n *int
}

func (b lossy) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if *b.n++; *b.n%20 == 0 && len(r.Writes) > 1 {
		less := *r
		less.Writes = r.Writes[1:]
		return b.authority.Commit(ctx, &less)
	}
	return b.authority.Commit(ctx, r)
}

// stale now and then reads what was there before the newest version.
type stale struct {
	authority
	n *int
}

func (b stale) Get(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	r, err := b.authority.Get(ctx, s, p, key, at)
	if *b.n++; err == nil && *b.n%10 == 0 && p == codec.KV && r.Version > 1 {
		return b.authority.Get(ctx, s, p, key, r.Version-1)
	}
	return r, err
}

// GetPlain sends everything to Get.
func (b stale) GetPlain(
	*backend.Scope, codec.Primitive, string, uint64,
) (value []byte, version, hint uint64, ok bool) {
	return nil, 0, 0, false
}

// A database that loses a write, returns an old value, validates no reads, or does not sync its log
// is found out, and what is found can be made small and played again.
func TestPlantsAreFound(t *testing.T) {
	t.Run("a lost write", func(t *testing.T) {
		n := 0
		caught(t, &plant{over: func(b authority) authority { return lossy{b, &n} }})
	})
	t.Run("an old value", func(t *testing.T) {
		n := 0
		caught(t, &plant{over: func(b authority) authority { return stale{b, &n} }})
	})
	t.Run("no validation", func(t *testing.T) {
		p := &plant{over: func(b authority) authority { return careless{b} }}
		f := caught(t, p)
		small := Shrink(t.Context(), Config{Seed: 1, plant: p}, f, 3*time.Second)
		require.LessOrEqual(t, len(small.Steps), len(f.Steps), small.Report())
		require.Contains(t, small.Report(), "make sim SEED=1")
		again := Config{Seed: 1, Episode: small.Episode, Only: small.Steps, plant: p}
		_, err := Run(t.Context(), again)
		require.Error(t, err)
	})
	t.Run("a sync of the log that is not done", func(t *testing.T) {
		f := caught(t, &plant{forget: func(file string) bool {
			return strings.HasSuffix(file, ".log")
		}})
		require.Contains(t, f.Error(), "crash")
	})
}

// careless validates no reads.
type careless struct{ authority }

func (b careless) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	less := *r
	less.Reads, less.Ranges = nil, nil
	return b.authority.Commit(ctx, &less)
}
