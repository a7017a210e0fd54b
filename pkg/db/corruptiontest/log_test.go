package corruptiontest

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A log of all kinds of commits, cut at any byte: what is there is what the database was at one of
// its commits, the longer the log the newer, and never less than what was proven (R108, R129). Long
// form: every byte; otherwise those around every change of the outcome, found by bisection.
func TestLogCutAtEveryByte(t *testing.T) {
	_, s, _ := build(t, 3, fewRows)
	name := ""
	for _, file := range s.now.names() {
		if strings.HasSuffix(file, ".log") {
			name = file // the newest
		}
	}
	log := s.now[name]
	x := &cutting{t: t, s: s, log: name, dir: filepath.Join(scratch(t), "db"), seen: map[uint64]int{}}
	end := len(bytes.TrimRight(log, "\x00"))
	if _, long := places(t); long {
		var before uint64
		for n := range end + 1 {
			now := x.at(n)
			require.GreaterOrEqual(t, now, before, "cut at %d", n)
			before = now
		}
	} else {
		x.between(0, x.at(0), end, x.at(end))
	}
	require.Equal(t, s.last, x.at(len(log)))
	t.Logf("log of %d bytes; states: %v", end, x.seen)
	require.GreaterOrEqual(t, len(x.seen), 2)
}

// cutting opens a database with its log cut at one byte after the other.
type cutting struct {
	t    *testing.T
	s    *subject
	log  string
	dir  string
	seen map[uint64]int // cuts by the version that was found; 0 is refused
}

// between looks at the bytes where the outcome changes, and demands that it rises.
func (x *cutting) between(low int, before uint64, high int, after uint64) {
	require.LessOrEqual(x.t, before, after, "cut at %d and at %d", low, high)
	if before == after || high-low <= 1 {
		return
	}
	middle := (low + high) / 2
	now := x.at(middle)
	x.between(low, before, middle, now)
	x.between(middle, now, high, after)
}

// at is the version at which the database opens with n bytes of its log, 0 if it is refused.
func (x *cutting) at(n int) uint64 {
	d := &damage{file: x.log, data: append([]byte{}, x.s.now[x.log][:n]...)}
	trial := &trial{t: x.t, s: x.s, d: d, dir: x.dir}
	trial.spoil()
	db, err := inmem.Open(x.dir, options())
	if err != nil {
		require.True(x.t, isDamage(err) && trial.names(err), "cut at %d: %v", n, err)
		x.seen[0]++
		return 0
	}
	defer func() { require.NoError(x.t, db.Close()) }()
	r := db.Recovery()
	want, ok := x.s.cuts[r.Version]
	require.True(x.t, ok, "cut at %d: version %d was none", n, r.Version)
	require.GreaterOrEqual(x.t, r.Version, x.s.proven, "cut at %d", n)
	require.Greater(x.t, r.Next, x.s.last, "cut at %d: a version comes again", n)
	require.Equal(x.t, x.log, r.LogFile)
	require.LessOrEqual(x.t, r.LogOffset, int64(n), "cut at %d", n)
	require.GreaterOrEqual(x.t, r.LogOffset+r.LogDropped, int64(0))
	if x.seen[r.Version]++; x.seen[r.Version] <= 3 || n%101 == 0 {
		require.Empty(x.t, difference(x.s.reader.mustRead(x.t, db), want), "cut at %d", n)
	}
	return r.Version
}
