package crashtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// logged is a commit as the journals of all runs together tell it.
type logged struct {
	changed map[place]bool // true: written, false: deleted
}

// readLog reads the commits of this life that are there. What expired and what retention did are
// no commits of the owner's; the journal of the pruned run is not whole.
func (l *ledger) readLog(t *testing.T, db *inmem.DB, f found) map[uint64]*logged {
	t.Helper()
	ids := []string{}
	for i := range banks {
		ids = append(ids, bankID(i))
	}
	for id, s := range l.runs {
		if !slices.Contains(ids, id) && id != prunedID && s.found > nowhere && s.found < deleted {
			ids = append(ids, id)
		}
	}
	commits := map[uint64]*logged{}
	if db.Recovery().Version <= l.since {
		return commits // From would lie in the future
	}
	for _, id := range ids {
		if l.lives[id].found == nowhere && (l.runs[id] == nil || l.runs[id].found == nowhere) {
			continue // a bank that was never founded
		}
		run, err := db.Run(t.Context(), id)
		require.NoError(t, err)
		number := uint64(0)
		o := inmem.ReplayOptions{From: l.since + 1, Values: inmem.NoValues, OwnOnly: true}
		for c, err := range run.Replay(t.Context(), o) {
			require.NoError(t, err)
			require.True(t, number == 0 || c.Number == number+1, "%s: commit %d behind %d",
				id, c.Number, number)
			number = c.Number
			for _, change := range c.Changes {
				p, ours := placeOf(id, &change, f)
				if !ours {
					continue
				}
				if commits[c.Version] == nil {
					commits[c.Version] = &logged{changed: map[place]bool{}}
				}
				commits[c.Version].changed[p] = change.Op != inmem.ChangeDelete
			}
		}
	}
	return commits
}

// placeOf translates a change; some are not the workers'.
func placeOf(run string, c *inmem.Change, f found) (p place, ours bool) {
	kinds := map[inmem.Primitive]kind{
		inmem.PrimitiveKV: ofKV, inmem.PrimitiveEvents: ofEvent, inmem.PrimitiveCells: ofCell,
		inmem.PrimitiveTraces: ofSpan, inmem.PrimitiveVectors: ofVector,
	}
	k, known := kinds[c.Primitive]
	p = place{run, k, c.Key}
	if k == ofEvent {
		p.key = f.names[run][c.Seq]
	}
	foundation := k == ofVector && c.Key == "" // of the collection
	return p, known && c.Op != inmem.ChangeExpire && !foundation
}

// checkLog holds the commits that are there to what was told: every acknowledged one up to the
// recovered version is there with exactly its writes, none above; every other one was under way,
// and is there as a whole. It returns how many there are of both.
func (l *ledger) checkLog(
	t *testing.T, commits map[uint64]*logged, version uint64,
) (acknowledged, underWay int) {
	t.Helper()
	left := maps.Clone(commits)
	for _, o := range l.acknowledged() {
		c := commits[o.version]
		if o.version > version {
			require.Nil(t, c, "%s is beyond what was recovered", o.name)
			continue
		}
		acknowledged++
		if c == nil {
			require.True(t, l.explains(o, &logged{}), "%s, acknowledged as %d, is gone: %v", o.name,
				o.version, o.writes)
			continue
		}
		require.True(t, l.explains(o, c), "%s, acknowledged as %d: %v became %v", o.name, o.version,
			o.writes, c.changed)
		delete(left, o.version)
	}
	used := map[string]bool{}
	for _, v := range slices.Sorted(maps.Keys(left)) {
		require.LessOrEqual(t, v, version)
		i := ""
		for name, o := range l.ops {
			if o.done == 0 && !o.lost && !used[name] && l.explains(o, left[v]) {
				i = name
				break
			}
		}
		if i == "" {
			require.Fail(t, "a commit that nobody made, or a part of one", "%d: %v", v, left[v].changed)
		}
		used[i] = true
	}
	return acknowledged, len(left)
}

// explains tells whether the commit is the operation, all of it and nothing else. What went to runs
// whose journal is gone cannot be seen; a delete of what was absent is not there.
func (l *ledger) explains(o *op, c *logged) bool {
	mine := map[place]bool{}
	for _, w := range o.writes {
		p := w.place()
		mine[p] = true
		if w.Run == prunedID || l.gone(w.Run) {
			continue
		}
		if _, there := c.changed[p]; !there && w.Value != "" {
			return false
		}
	}
	for p := range c.changed {
		if !mine[p] {
			return false
		}
	}
	return true
}
