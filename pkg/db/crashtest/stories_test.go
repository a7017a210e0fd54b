package crashtest

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// story is what is known of a run that comes and goes: the lines of its owner, 0 for never, and how
// far it was found to have come.
type story struct {
	enters, entered [deleted + 1]int
	parent          string // of a fork
	at              uint64
	found           stage
}

// story returns the one of the run that a line is about.
func (l *ledger) story(n line) *story {
	if l.runs[n.Run] == nil {
		l.runs[n.Run] = &story{parent: n.Parent, at: n.At}
	}
	return l.runs[n.Run]
}

// last is the greatest stage with a line.
func last(lines [deleted + 1]int) stage {
	for s := deleted; s > nowhere; s-- {
		if lines[s] > 0 {
			return s
		}
	}
	return nowhere
}

// stageOf finds out how far a run has come; of one that is not there nowhere.
func stageOf(t *testing.T, db *inmem.DB, id string) stage {
	t.Helper()
	run, err := db.Run(t.Context(), id)
	if errors.Is(err, inmem.ErrRunNotFound) {
		return nowhere
	}
	require.NoError(t, err)
	info, err := run.Info(t.Context())
	require.NoError(t, err)
	if len(info.Tags) > 0 {
		require.Equal(t, []string{"second", "tagged"}, info.Tags, "a part of a change")
	}
	switch {
	case info.Status == inmem.Completed:
		require.NotEmpty(t, info.Tags)
		return completed
	case len(info.Tags) > 0:
		return tagged
	}
	require.Equal(t, inmem.Active, info.Status)
	return begun
}

// findStories looks how far the runs of this life have come.
func (l *ledger) findStories(t *testing.T, db *inmem.DB) {
	t.Helper()
	for id, s := range l.runs {
		s.found = stageOf(t, db, id)
		if s.found == nowhere && s.enters[deleted] > 0 {
			s.found = deleted
		}
	}
}

// gone: the run is not there, for whatever reason.
func (l *ledger) gone(id string) bool {
	s := l.runs[id]
	if s == nil {
		was, ok := l.lives[id]
		return ok && was.found == deleted
	}
	return s.found == nowhere || s.found == deleted
}

// checkRuns: a run is as far as its owner was promised, and no further than he wanted; what is lost
// is lost with all that was committed later. A fork shows what its parent showed.
func (l *ledger) checkRuns(t *testing.T, db *inmem.DB, mode inmem.Durability) {
	t.Helper()
	for id, was := range l.lives {
		if was.found != deleted {
			require.Equal(t, was.found, stageOf(t, db, id), "run %s", id)
		} else {
			require.Equal(t, nowhere, stageOf(t, db, id), "run %s is back", id)
		}
	}
	version, forks := db.Recovery().Version, 0
	for _, id := range slices.Sorted(maps.Keys(l.runs)) {
		s := l.runs[id]
		require.LessOrEqual(t, s.found, last(s.enters), "run %s", id)
		for at := begun; at <= deleted; at++ {
			line := s.entered[at]
			if line == 0 || s.found >= at {
				continue
			}
			require.False(t, mode == inmem.Strict || line < l.covered,
				"run %s, at stage %d for good, is at %d", id, at, s.found)
			l.mustBeLost(t, line, version)
		}
		if s.found != nowhere {
			l.lives[id] = *s
		}
		if s.parent != "" && !l.gone(id) && forks < 2 {
			forks++
			sameAt(t, db, id, s.parent, s.at)
		}
	}
}

// sameAt compares what two runs show at a version, in all primitives.
func sameAt(t *testing.T, db *inmem.DB, a, b string, version uint64) {
	t.Helper()
	var hashes []inmem.Hash
	for _, id := range []string{a, b} {
		run, err := db.Run(t.Context(), id)
		require.NoError(t, err)
		hash, err := run.StateHash(t.Context(), version)
		require.NoError(t, err)
		hashes = append(hashes, hash)
	}
	require.Equal(t, hashes[0], hashes[1], "runs %s and %s at %d", a, b, version)
}

// mustBeLost: what was acknowledged at a line is gone, so all that was started later must be, too.
func (l *ledger) mustBeLost(t *testing.T, at int, version uint64) {
	t.Helper()
	for _, o := range l.ops {
		if at > 0 && o.intended > at && o.version > 0 {
			require.Greater(t, o.version, version, "a hole: %s is there", o.name)
		}
	}
}
