package backendtest

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// verdict judges a concurrent run after its end. Tail gives the order and the commit times; the
// requests give the values; replaying them one by one on the dumb twin tells what every reader
// should have seen.
type verdict struct {
	w         *world
	h         *history
	from      uint64 // the last version before the run
	told      []told
	byVersion map[uint64]int // index into told
}

// newVerdict starts from scopes that nothing but their creation has happened to, and no commit of
// anybody else after version from.
func newVerdict(w *world, from uint64, scopes []*backend.Scope) *verdict {
	v := &verdict{w: w, from: from, byVersion: map[uint64]int{},
		h: newHistory(w.commitRecord(from).Time)}
	for _, s := range scopes {
		require.Empty(w, w.scan(s, backend.Range{}, from))
	}
	return v
}

// session takes the transactions of one goroutine, in the order in which it made them.
func (v *verdict) session(mine []told) {
	w := v.w
	var last uint64
	for _, t := range mine {
		require.GreaterOrEqual(w, t.pin, last, "a snapshot is older than what its session saw")
		last = max(last, t.pin)
		if t.out.Version != 0 {
			require.NoError(w, t.err)
			require.Greater(w, t.out.Version, last, "a commit lies above its snapshot")
			_, twice := v.byVersion[t.out.Version]
			require.False(w, twice, "version %d was handed out twice", t.out.Version)
			v.byVersion[t.out.Version] = len(v.told)
			last = t.out.Version
		}
		v.told = append(v.told, t)
	}
}

// commits replays the run in the order that Tail tells.
func (v *verdict) commits() {
	w, h := v.w, v.h
	previous, replayed := v.from, 0
	for _, c := range w.tail(v.from + 1) {
		i, known := v.byVersion[c.Version]
		require.True(w, known, "nobody was told of commit %d", c.Version)
		t := v.told[i]
		require.Greater(w, c.Version, previous)
		require.Equal(w, previous, c.Previous)
		require.GreaterOrEqual(w, c.Time, h.time)
		require.Equal(w, t.req.Flags, c.Flags)
		require.Equal(w, w.commitRecord(c.Version), c.CommitRecord)
		require.Empty(w, h.conflicts(&t.req),
			"commit %d (snapshot %d) should have been refused", c.Version, t.pin)
		e := h.effect(&t.req, c.Time)
		require.Equal(w, h.scopes(e), c.Scopes, "changes of commit %d", c.Version)
		require.Equal(w, e.existed, t.out.Existed, "deletes of commit %d", c.Version)
		appended := h.apply(&t.req, e, c.Version, c.Time)
		require.Equal(w, appended, append([]backend.Appended(nil), t.out.Appends...))
		previous = c.Version
		replayed++
	}
	require.Equal(w, len(v.byVersion), replayed, "Tail leaves commits out")
}

// answers compares what readers and refused transactions were told with the replayed history.
func (v *verdict) answers() {
	w, h := v.w, v.h
	for _, t := range v.told {
		for _, o := range t.gets {
			require.Equal(w, h.at(o.cell, t.pin), bare(o.Record), "%q at %d", o.key, t.pin)
		}
		for _, s := range t.scans {
			want := h.live(s.scope, codec.KV, s.r, t.pin)
			require.Equal(w, keysOf(want), keysOf(s.pairs), "scan at %d", t.pin)
			for i, p := range s.pairs {
				require.Equal(w, want[i].record, bare(p.record), "%q in scan at %d", p.key, t.pin)
			}
		}
		switch {
		case !t.commit:
		case t.err != nil:
			v.refusal(t)
		case t.out.Version == 0:
			require.Zero(w, t.out)
			require.Empty(w, t.req.Appends)
			for _, x := range t.req.Writes {
				require.NotEqual(w, backend.Put, x.Op, "a put takes a version")
			}
		}
	}
}

// refusal demands that each reported conflict was real.
func (v *verdict) refusal(t told) {
	w := v.w
	require.ErrorIs(w, t.err, backend.ErrConflict)
	require.Zero(w, t.out)
	var conflict *backend.ConflictError
	require.True(w, errors.As(t.err, &conflict))
	require.NotEmpty(w, conflict.Keys)
	require.True(w, slices.IsSortedFunc(conflict.Keys, func(x, y backend.Conflict) int {
		return compareCells(cell{x.Scope, x.Primitive, x.Key}, cell{y.Scope, y.Primitive, y.Key})
	}))
	for _, k := range conflict.Keys {
		c := cell{k.Scope, k.Primitive, k.Key}
		require.True(w, v.reliedOn(t, c, k), "%s was neither read nor a condition", k)
		require.NotEqual(w, k.Expected, k.Found)
		require.True(w, k.Found == 0 || v.h.written(c, k.Found) == k.Found,
			"%s: no such version was written", k)
	}
}

func (v *verdict) reliedOn(t told, c cell, k backend.Conflict) bool {
	for _, x := range t.req.Conditions {
		if k.CAS && c == (cell{x.Scope.Number, x.Primitive, x.Key}) && x.Expected == k.Expected {
			return true
		}
	}
	for _, x := range t.req.Reads {
		if !k.CAS && c == (cell{x.Scope.Number, x.Primitive, x.Key}) && x.Stamp == k.Expected {
			return true
		}
	}
	return phantom(&t.req, k) || slices.ContainsFunc(t.req.Ranges, func(x backend.RangeRead) bool {
		return !k.CAS && c.scope == x.Scope.Number && x.Range.Contains(c.key) &&
			v.h.written(c, t.pin) == k.Expected
	})
}
