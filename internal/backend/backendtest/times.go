package backendtest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
)

// newestCommit asks for the newest commit at or below a version.
func (w *world) newestCommit(at uint64) (uint64, int64) {
	w.Helper()
	version, time, err := w.b.NewestCommit(w.ctx, at)
	require.NoError(w, err)
	return version, time
}

func (w *world) versionAt(time int64) uint64 {
	w.Helper()
	version, err := w.b.VersionAt(w.ctx, time)
	require.NoError(w, err)
	return version
}

// wantTimes compares both questions about times with what Tail tells, at every version that is not
// deep in a gap, and around every time.
func (w *world) wantTimes() {
	w.Helper()
	var version uint64
	var time int64
	for _, c := range w.tail(0) {
		below := c.Version - 1
		gotVersion, gotTime := w.newestCommit(below)
		require.Equal(w, []any{version, time}, []any{gotVersion, gotTime}, "at %d", below)
		if c.Time > time {
			require.Equal(w, version, w.versionAt(c.Time-1), "right before %d", c.Version)
		}
		version, time = c.Version, c.Time
		gotVersion, gotTime = w.newestCommit(version)
		require.Equal(w, []any{version, time}, []any{gotVersion, gotTime}, "at %d", version)
	}
	for _, at := range []uint64{w.b.Published(), beyond} {
		gotVersion, gotTime := w.newestCommit(at)
		require.Equal(w, []any{version, time}, []any{gotVersion, gotTime}, "at %d", at)
	}
	for _, at := range []int64{time, time + 1, time + 1e15} {
		require.Equal(w, version, w.versionAt(at))
	}
}

// timeChecks are about the times of commits.
var timeChecks = []Check{
	{"R212-versions-by-time", func(w *world) {
		require.Zero(w, w.versionAt(0))
		s := w.scope()
		for i := range 40 {
			w.put(s, "k", fmt.Sprint(i))
			if i%3 == 0 {
				w.env.Clock.Advance(time.Duration(i) * time.Second)
			}
		}
		w.env.Clock.Advance(-time.Hour) // commit times stand still
		w.put(s, "k", "late")
		w.wantTimes()
	}},
	{"versions-by-time-survive-a-reopen", func(w *world) {
		s := w.scope()
		for i := range 20 {
			w.put(s, "k", fmt.Sprint(i))
			w.env.Clock.Advance(time.Second)
		}
		w.reopen()
		w.wantTimes()
		w.put(again(s), "k", "more")
		w.wantTimes()
	}},
}
