package model

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
)

type sweeper interface {
	Sweep(ctx context.Context, now time.Time) error
}

// patience is for checks whose goroutines have to meet: they try again until they do. The others
// find their bug at once, and a check that finds nothing costs this long.
const patience = 20 * time.Second

// mutant is an authority with one planted bug, and the checks that have to find it.
type mutant struct {
	bug     string
	wrap    func(*Backend) backend.Backend
	catches []string
}

func (m mutant) env() backendtest.Env {
	clock := backendtest.NewClock()
	b := New(clock.Now)
	return backendtest.Env{
		Backend: m.wrap(b),
		Clock:   clock,
		Reopen: func() (backend.Backend, error) {
			b = b.Reopen()
			return m.wrap(b), nil
		},
		Sweep: func(ctx context.Context, opened backend.Backend) error {
			return opened.(sweeper).Sweep(ctx, clock.Now())
		},
	}
}

// TestSuiteCatchesMutants proves that the conformance suite can fail: every planted bug is found by
// every check that claims to look for it.
func TestSuiteCatchesMutants(t *testing.T) {
	quietRapid(t)
	checks := map[string]backendtest.Check{}
	for _, c := range backendtest.Checks() {
		require.NotContains(t, checks, c.Name, "two checks of one name")
		checks[c.Name] = c
	}
	for _, m := range mutants {
		t.Run(m.bug, func(t *testing.T) {
			for _, name := range m.catches {
				require.Contains(t, checks, name)
				err := checks[name].Try(m.env())
				for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
					err = checks[name].Try(m.env())
				}
				require.Error(t, err, "%s does not catch it", name)
				require.False(t, errors.Is(err, backendtest.ErrSkipped), "%s was skipped", name)
				require.True(t, strings.HasPrefix(err.Error(), name), "the error names the check")
			}
		})
	}
}

// quietRapid keeps rapid from writing failure files and from shrinking what fails on purpose.
func quietRapid(t *testing.T) {
	for name, value := range map[string]string{
		"rapid.nofailfile": "true", "rapid.shrinktime": time.Millisecond.String()} {
		old := flag.Lookup(name).Value.String()
		require.NoError(t, flag.Set(name, value))
		t.Cleanup(func() { _ = flag.Set(name, old) })
	}
}

// TestCheckWithoutMeansIsSkipped: what an Env cannot do is skipped, not passed.
func TestCheckWithoutMeansIsSkipped(t *testing.T) {
	skipped := 0
	for _, c := range backendtest.Checks() {
		if !strings.HasPrefix(c.Name, "Reopen/") && !strings.HasPrefix(c.Name, "Sweep/") {
			continue
		}
		clock := backendtest.NewClock()
		err := c.Try(backendtest.Env{Backend: New(clock.Now), Clock: clock})
		require.ErrorIs(t, err, backendtest.ErrSkipped, c.Name)
		skipped++
	}
	require.Greater(t, skipped, 10)
}
