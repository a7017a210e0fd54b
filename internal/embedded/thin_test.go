package embedded

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/backendtest"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// tabled brings everything into tables, and the sentinel to say so of all but the newest commits.
func tabled(t testing.TB, db *DB, s *backend.Scope) {
	t.Helper()
	for range 2 {
		commit(t, db, put(s, "tabled", "yes"))
		require.NoError(t, db.handover.push())
		require.NoError(t, db.store.Flush())
	}
}

// thin thins the list of commits, and returns how many went.
func thin(t testing.TB, db *DB) int {
	t.Helper()
	require.NoError(t, settle(ctx, db))
	gone, err := db.thinAll(ctx)
	require.NoError(t, err)
	return gone
}

// lastWalk is what is known of the last walk.
func lastWalk(t testing.TB, db *DB) (last thinned) {
	t.Helper()
	require.NoError(t, db.graveyard.inTurn(ctx, func() error {
		last = db.graveyard.thinned
		return nil
	}))
	return last
}

// listed are the commit records of a database.
func listed(t testing.TB, db *DB) []codec.CommitRecord {
	t.Helper()
	require.NoError(t, db.handover.push())
	c, err := newCommitCursor(db.store)
	require.NoError(t, err)
	var all []codec.CommitRecord
	for ok := c.seek(1); ok; ok = c.next() {
		all = append(all, c.rec)
	}
	require.NoError(t, c.close())
	return all
}

// linked demands that each record names the one before it.
func linked(t testing.TB, list []codec.CommitRecord) {
	t.Helper()
	last := uint64(0)
	for _, rec := range list {
		require.Equal(t, last, rec.Previous, "commit %d", rec.Version)
		last = rec.Version
	}
}

// sound demands that Check finds nothing.
func sound(t testing.TB, db *DB) {
	t.Helper()
	_, err := db.Check(ctx, backend.CheckOptions{}, func(p backend.Problem) {
		t.Errorf("%+v", p)
	})
	require.NoError(t, err)
}

// The records of commits of which nothing is left go, and only those: what lives keeps its commits
// and their times, and the commits of others that were made with it.
func TestCommitsOfDeletedRunsGo(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, dies, dead := newScope(t, db, 1), newScope(t, db, 2), newScope(t, db, 3)
	var alone, together []uint64
	for i := range 3000 {
		value := fmt.Sprint(i)
		alone = append(alone, commit(t, db, put(dies, "a", value)))
		if i%1000 == 7 {
			together = append(together, commit(t, db, put(dies, "b", value), put(lives, "b", value)),
				commit(t, db, put(lives, "c", value)))
		}
		alone = append(alone, commit(t, db, put(dead, "a", value)))
	}
	before := listed(t, db)
	linked(t, before)
	require.Zero(t, thin(t, db), "nothing was deleted")
	for _, s := range []*backend.Scope{dies, dead} {
		_, err := db.Commit(ctx, deletion(s))
		require.NoError(t, err)
	}
	tabled(t, db, lives)
	require.Equal(t, len(alone), thin(t, db))
	for _, v := range alone { // also of those that are remembered as recent
		at, _, err := db.NewestCommit(ctx, v)
		require.NoError(t, err)
		require.Less(t, at, v)
	}
	require.Eventually(t, func() bool { // the sentinel says a little later what is in tables
		walked := lastWalk(t, db)
		require.Zero(t, thin(t, db), "not twice")
		return walked == lastWalk(t, db)
	}, time.Minute, time.Millisecond, "nothing was freed since, so nobody looks")
	sound(t, db)

	require.NoError(t, db.Close())
	db = mustOpen(t, o)
	after := listed(t, db)
	linked(t, after)
	for _, rec := range before {
		got, err := db.CommitRecord(ctx, rec.Version)
		require.NoError(t, err)
		if slices.Contains(alone, rec.Version) {
			require.Zero(t, got.Version, "commit %d", rec.Version)
			continue
		}
		require.Equal(t, rec.Version, got.Version)
		require.Equal(t, rec.Time, got.Time)
		require.Equal(t, rec.Scopes, got.Scopes)
	}
	for _, v := range together {
		time, err := db.CommitTime(ctx, v)
		require.NoError(t, err)
		require.NotZero(t, time)
	}
	sound(t, db)
	lives = &backend.Scope{Number: lives.Number, Record: lives.Record}
	commit(t, db, put(lives, "b", "later"))
	linked(t, listed(t, db))
}

// Pages: however the records lie under keys, and wherever a page of them ends, the chain goes on.
func TestThinningGoesOverManyKeys(t *testing.T) {
	for _, every := range []int{1, 2, 100, freeBatch - 1, freeBatch, freeBatch + 1} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			o := memOptions()
			o.SweepInterval = -1
			db := mustOpen(t, o)
			lives, dies := newScope(t, db, 1), newScope(t, db, 2)
			stays, goes := 0, 0
			for i := range 2*freeBatch + 50 {
				s := dies
				if i%every == every-1 {
					s = lives
					stays++
				} else {
					goes++
				}
				commit(t, db, put(s, "a", "1"))
				require.NoError(t, db.handover.push())
			}
			_, err := db.Commit(ctx, deletion(dies))
			require.NoError(t, err)
			tabled(t, db, lives)
			require.Equal(t, goes, thin(t, db))
			list := listed(t, db)
			linked(t, list)
			require.Len(t, list, 2+stays+1+2)
			sound(t, db)
		})
	}
}

// A hole that damage has left is not closed: whoever looks finds it as before.
func TestThinningLeavesHoles(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, dies := newScope(t, db, 1), newScope(t, db, 2)
	var versions []uint64
	for range 20 {
		versions = append(versions, commit(t, db, put(dies, "a", "1")))
		require.NoError(t, db.handover.push())
	}
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	tabled(t, db, lives)
	require.NoError(t, db.store.Delete(codec.AppendCommitKey(nil, versions[10]), nil))
	require.Equal(t, 18, thin(t, db))
	behind, err := db.CommitRecord(ctx, versions[11])
	require.NoError(t, err)
	require.Equal(t, versions[10], behind.Previous)
	var problems []backend.Problem
	_, err = db.Check(ctx, backend.CheckOptions{}, func(p backend.Problem) {
		problems = append(problems, p)
	})
	require.NoError(t, err)
	require.Len(t, problems, 1)
	require.Equal(t, versions[11], problems[0].Version)
}

// A crash behind a walk, with none, half or all of what was not synced kept, leaves a list without
// a hole, of which nothing is missing that lives.
func TestThinningSurvivesCrashes(t *testing.T) {
	for _, kept := range []int{0, 50, 100} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(kept)))
			mem := disktest.New()
			var points []*disktest.Disk
			crash := func() {
				points = append(points, mem.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: kept, RNG: rng}))
			}
			o := memOptions()
			o.SweepInterval, o.SyncInterval = -1, time.Hour
			o.FS = mem
			db := mustOpen(t, o)
			lives, dies := newScope(t, db, 1), newScope(t, db, 2)
			var stay []uint64
			for i := range 3 * freeBatch {
				commit(t, db, put(dies, "a", "1"))
				if i%50 == 0 {
					stay = append(stay, commit(t, db, put(lives, fmt.Sprint(i), "1")))
				}
				require.NoError(t, db.handover.push())
			}
			_, err := db.Commit(ctx, deletion(dies))
			require.NoError(t, err)
			require.NoError(t, settle(ctx, db))
			tabled(t, db, lives)
			require.Equal(t, 3*freeBatch, thin(t, db))
			for range 12 {
				crash()
			}
			commit(t, db, put(lives, "behind", "1"))
			require.NoError(t, db.Flush(ctx))
			crash()
			for _, fs := range points {
				o.FS = fs
				db, err := Open(ctx, o)
				require.NoError(t, err)
				list := listed(t, db)
				linked(t, list)
				for _, v := range stay {
					require.True(t, slices.ContainsFunc(list, func(r codec.CommitRecord) bool {
						return r.Version == v
					}))
				}
				sound(t, db)
				require.NoError(t, db.Close())
			}
		})
	}
}

// A copy may say of itself that all up to a commit is in tables that had gone before it was
// complete. That is no hole; what is missing behind it is.
func TestOpenOfACopyThatWasThinned(t *testing.T) {
	mem := disktest.New()
	o := memOptions()
	o.SweepInterval, o.FS = -1, mem
	db := mustOpen(t, o)
	lives, dies := newScope(t, db, 1), newScope(t, db, 2)
	var versions []uint64
	for range 10 {
		versions = append(versions, commit(t, db, put(dies, "a", "1")))
		require.NoError(t, db.handover.push())
	}
	_, err := db.Commit(ctx, deletion(dies))
	require.NoError(t, err)
	require.NoError(t, db.handover.push()) // it has a key of its own
	tabled(t, db, lives)
	require.Equal(t, 10, thin(t, db))
	require.NoError(t, db.Flush(ctx))
	reopen := func() error {
		o.FS = mem.CrashClone(vfs.CrashCloneCfg{})
		s, err := readSentinel(o.FS, o.Dir)
		require.NoError(t, err)
		s.Flushed = versions[5]
		require.NoError(t, writeSentinel(o.FS, o.Dir, s))
		db, err := Open(ctx, o)
		if err == nil {
			require.NoError(t, db.Close())
		}
		return err
	}
	require.NoError(t, reopen())
	behind := listed(t, db)[2]
	require.Greater(t, behind.Version, versions[9])
	require.NoError(t, db.store.Delete(codec.AppendCommitKey(nil, behind.Version), pebble.Sync))
	err = reopen()
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, "follows")
}

// What follows from a deletion is in the log behind it, also if the deleted scope is not freed yet.
func TestThinningComesBehindDeletions(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	lives, first, second := newScope(t, db, 1), newScope(t, db, 2), newScope(t, db, 3)
	commit(t, db, put(second, "a", "1"))
	_, err := db.Commit(ctx, deletion(first))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	tabled(t, db, lives)
	require.NoError(t, db.graveyard.inTurn(ctx, func() error {
		_, err := db.Commit(ctx, deletion(second))
		require.NoError(t, err)
		require.Less(t, db.handover.handed.load(), db.Published())
		gone, err := db.thin(ctx)
		require.Equal(t, 1, gone)
		require.Equal(t, db.Published(), db.handover.handed.load())
		return err
	}))
}

// The scopes that last, against a list of all numbers.
func TestLastingScopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Map(rapid.IntRange(0, 40), func(n int) codec.Scope { return codec.Scope(n) })
		want := map[codec.Scope]bool{}
		r := lasting{live: rapid.SliceOfDistinct(number, rapid.ID).Draw(t, "live")}
		slices.Sort(r.live)
		for _, n := range r.live {
			want[n] = true
		}
		for range rapid.IntRange(0, 8).Draw(t, "spans") {
			x := span{from: number.Draw(t, "from")}
			x.to = x.from + number.Draw(t, "more")
			r.copied = append(r.copied, x)
			for n := x.from; n <= x.to; n++ {
				want[n] = true
			}
		}
		r.copied = joined(r.copied)
		for n := range codec.Scope(100) {
			require.Equal(t, want[n], r.has(n), "%d of %v", n, r)
		}
	})
}

// What is not in tables yet stays: the next open needs it to tell what was lost.
func TestNewCommitsOfDeletedRunsStay(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s := newScope(t, db, 1)
	for range 100 {
		commit(t, db, put(s, "a", "1"))
	}
	_, err := db.Commit(ctx, deletion(s))
	require.NoError(t, err)
	require.Zero(t, thin(t, db))
	require.Len(t, listed(t, db), 102)
}

// In the background nothing is done before there are many new commits.
func TestThinningWaitsUntilItIsWorthIt(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	s, other := newScope(t, db, 1), newScope(t, db, 2)
	for range 100 {
		commit(t, db, put(s, "a", "1"))
	}
	_, err := db.Commit(ctx, deletion(s))
	require.NoError(t, err)
	require.NoError(t, settle(ctx, db))
	tabled(t, db, other)
	before := len(listed(t, db))
	require.NoError(t, db.thinSome(ctx))
	require.Len(t, listed(t, db), before)
	for range thinAfter {
		commit(t, db, put(other, "a", "1"))
	}
	require.NoError(t, db.thinSome(ctx))
	require.Len(t, listed(t, db), before+thinAfter-100)
	require.NotZero(t, lastWalk(t, db).walked)
	require.Equal(t, uint64(1), lastWalk(t, db).freed)

	// After a restart there is a list that nobody has thinned yet.
	require.NoError(t, db.Close())
	db = mustOpen(t, o)
	require.NoError(t, db.thinSome(ctx))
	require.NotZero(t, lastWalk(t, db).earlier)
}

// The records that a fork was given when it was flattened keep their times when the runs that they
// were written to are gone.
func TestCommitsThatAForkWasGivenStay(t *testing.T) {
	o := memOptions()
	o.SweepInterval = -1
	db := mustOpen(t, o)
	other := newScope(t, db, 9)
	oldest := run(newScope(t, db, 1), 1)
	var given []uint64
	for i := range 10 {
		given = append(given, commit(t, db, put(oldest.Scope, fmt.Sprint(i), "oldest")))
	}
	parent := fork(t, db, oldest, db.Published())
	given = append(given, commit(t, db, put(parent.Scope, "p", "parent")))
	flattened(t, db, &parent)
	child := fork(t, db, parent, db.Published())
	flattened(t, db, &child)
	require.Equal(t, oldest.Number, child.rec.Oldest)
	drop := func(f forked) {
		_, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{f.removal()}})
		require.NoError(t, err)
		tabled(t, db, other)
	}
	drop(oldest)
	drop(parent)
	require.Zero(t, thin(t, db))
	for _, v := range given {
		rec, err := db.CommitRecord(ctx, v)
		require.NoError(t, err)
		require.Equal(t, v, rec.Version)
	}
	sound(t, db)
	drop(child)
	require.Equal(t, len(given), thin(t, db))
	linked(t, listed(t, db))
	sound(t, db)
}

// drawn lets helpers fail as rapid wants it.
type drawn struct {
	testing.TB
	draw *rapid.T
}

func (d drawn) Errorf(format string, args ...any) { d.draw.Errorf(format, args...) }
func (d drawn) FailNow()                          { d.draw.FailNow() }
func (d drawn) Helper()                           { d.draw.Helper() }

// thinModel is a database of runs that come and go, and what is known of it.
type thinModel struct {
	drawn
	o     Options
	clock *backendtest.Clock
	db    *DB
	keep  *backend.Scope // lives for ever
	live  map[codec.Scope]forked
	times map[uint64]codec.CommitRecord // of all commits there ever were
	next  byte
}

// pick draws a live run.
func (m *thinModel) pick(label string) (forked, bool) {
	if len(m.live) == 0 {
		return forked{}, false
	}
	n := rapid.SampledFrom(slices.Sorted(maps.Keys(m.live))).Draw(m.draw, label)
	return m.live[n], true
}

// note takes in what was committed since.
func (m *thinModel) note() {
	from := uint64(1)
	for v := range m.times {
		from = max(from, v+1)
	}
	for c, err := range m.db.Tail(context.Background(), from) {
		require.NoError(m, err)
		m.times[c.Version] = c.CommitRecord
	}
}

func (m *thinModel) begin() {
	m.next++
	f := run(newScope(m.drawn, m.db, m.next), m.next)
	m.live[f.Number] = f
}

func (m *thinModel) write() {
	a, ok := m.pick("run")
	if !ok {
		return
	}
	key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.draw, "key")
	w := []backend.Write{put(a.Scope, key, "1")}
	if b, _ := m.pick("other"); b.Number != a.Number && rapid.Bool().Draw(m.draw, "joint") {
		w = append(w, put(b.Scope, "joint", "1"))
	}
	for range rapid.IntRange(1, 30).Draw(m.draw, "commits") {
		commit(m.drawn, m.db, w...)
		m.clock.Advance(time.Millisecond)
	}
	if rapid.IntRange(0, 3).Draw(m.draw, "deadline") == 0 {
		ttl := time.Duration(rapid.IntRange(1, 40).Draw(m.draw, "ttl")) * time.Millisecond
		commit(m.drawn, m.db, putTTL(a.Scope, m.clock, "short", ttl))
	}
}

// seen is what a live run shows at every version, as a view of the past judges it.
func (m *thinModel) seen(f forked) (all []string) {
	last := m.db.Published()
	for at := uint64(1); at <= last; at += 1 + last/300 {
		_, now, err := m.db.NewestCommit(ctx, at)
		require.NoError(m, err)
		c := m.db.Scan(ctx, f.Scope, codec.KV, backend.Range{}, at)
		text := ""
		for c.Next() {
			if r := c.Record(); r.Expiry == 0 || r.Expiry > now {
				text += fmt.Sprintf("%s@%d ", c.Key(), r.Version)
			}
		}
		require.NoError(m, c.Err())
		c.Close()
		all = append(all, text)
	}
	return all
}

func (m *thinModel) fork() {
	if a, ok := m.pick("parent"); ok {
		f := fork(m.drawn, m.db, a, m.db.Published())
		m.live[f.Number] = f
	}
}

func (m *thinModel) flatten() {
	if a, ok := m.pick("fork"); ok && a.rec.ReadsThrough() {
		flattened(m.drawn, m.db, &a)
		m.live[a.Number] = a
	}
}

func (m *thinModel) drop() {
	a, ok := m.pick("deleted")
	for _, f := range m.live {
		ok = ok && !(f.rec.ReadsThrough() && f.rec.ParentNumber == a.Number)
	}
	if ok {
		_, err := m.db.Commit(ctx, &backend.Request{Writes: []backend.Write{a.removal()}})
		require.NoError(m, err)
		delete(m.live, a.Number)
	}
}

func (m *thinModel) reopen() {
	require.NoError(m, m.db.Close())
	var err error
	m.db, err = Open(ctx, m.o)
	require.NoError(m, err)
	m.keep = &backend.Scope{Number: m.keep.Number, Record: m.keep.Record}
	for n, f := range m.live {
		f.Scope = &backend.Scope{Number: f.Number, Record: f.Record}
		m.live[n] = f
	}
}

func (m *thinModel) thin() {
	m.note()
	tabled(m.drawn, m.db, m.keep)
	before := map[codec.Scope][]string{}
	for n, f := range m.live {
		before[n] = m.seen(f)
	}
	thin(m.drawn, m.db)
	for i := range m.db.times.slots { // as after a reopen
		m.db.times.slots[i].version.Store(0)
	}
	for n, f := range m.live {
		require.Equal(m, before[n], m.seen(f), "scope %d", n)
	}
	m.note()
	list := listed(m.drawn, m.db)
	linked(m.drawn, list)
	left := map[uint64]bool{}
	for _, rec := range list {
		want := m.times[rec.Version]
		want.Previous = rec.Previous
		require.Equal(m, want, rec)
		left[rec.Version] = true
	}
	for v, rec := range m.times {
		for _, s := range rec.Scopes {
			if _, lives := m.live[s.Scope]; lives || s.Scope == 0 || s.Scope == m.keep.Number {
				require.True(m, left[v], "commit %d of scope %d", v, s.Scope)
			}
		}
	}
	for _, f := range m.live {
		m.readable(f, left)
	}
	sound(m.drawn, m.db)
}

// readable demands that all versions that a run has have their commits.
func (m *thinModel) readable(f forked, left map[uint64]bool) {
	for _, key := range []string{"a", "b", "c", "joint", "short"} {
		at := m.db.Published()
		for r, err := range m.db.Versions(ctx, f.Scope, codec.KV, key, at) {
			require.NoError(m, err)
			require.True(m, left[r.Version], "%s of scope %d at %d", key, f.Number, r.Version)
		}
	}
}

// Random histories of runs, forks and deletions: however often the list of commits is thinned, of
// what lives no commit goes and no time, the chain has no hole, and Check finds nothing.
func TestThinningRandom(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		o := memOptions()
		o.SweepInterval = -1
		clock := backendtest.NewClock()
		o.Clock = clock.Now
		m := &thinModel{drawn: drawn{outer, t}, o: o, clock: clock, live: map[codec.Scope]forked{},
			times: map[uint64]codec.CommitRecord{}}
		var err error
		m.db, err = Open(ctx, o)
		require.NoError(t, err)
		defer func() { require.NoError(t, m.db.Close()) }()
		m.keep = newScope(m.drawn, m.db, 255)
		ops := []func(){m.begin, m.write, m.write, m.write, m.fork, m.flatten, m.drop, m.drop, m.thin,
			m.reopen}
		for range rapid.IntRange(1, 60).Draw(t, "operations") {
			ops[rapid.IntRange(0, len(ops)-1).Draw(t, "operation")]()
		}
		m.thin()
	})
}

// What had gone and is found again in tables that were not compacted since takes its place in the
// list again: there is no hole in it that there was not.
func TestGatherOfAThinnedList(t *testing.T) {
	for _, every := range []int{1, 3, 40} {
		t.Run(fmt.Sprint(every), func(t *testing.T) {
			o := memOptions()
			o.SweepInterval = -1
			db := mustOpen(t, o)
			lives := newScope(t, db, 1)
			var dying []*backend.Scope
			for n := range byte(3) {
				dying = append(dying, newScope(t, db, 2+n))
			}
			for i := range 300 {
				commit(t, db, put(dying[i%3], "a", "1"))
				if i%7 == 0 {
					commit(t, db, put(lives, fmt.Sprint(i), "1"))
				}
				if i%every == 0 {
					require.NoError(t, db.handover.push())
				}
			}
			for _, s := range dying {
				_, err := db.Commit(ctx, deletion(s))
				require.NoError(t, err)
				tabled(t, db, lives)
				require.Greater(t, thin(t, db), 50) // all that have a key below the limit
			}
			left := listed(t, db)
			require.NoError(t, db.Close())
			_, err := Gather(ctx, GatherOptions{From: "db", To: "saved", FS: o.FS})
			require.NoError(t, err)
			o.Dir = "saved"
			db = mustOpen(t, o)
			list := listed(t, db)
			linked(t, list)
			for _, want := range left {
				require.True(t, slices.ContainsFunc(list, func(rec codec.CommitRecord) bool {
					return rec.Version == want.Version && rec.Time == want.Time
				}), "commit %d", want.Version)
			}
			_, err = db.Check(ctx, backend.CheckOptions{}, func(p backend.Problem) {
				require.NotEqual(t, backend.ProblemCommit, p.Kind, "%+v", p)
			})
			require.NoError(t, err)
		})
	}
}
