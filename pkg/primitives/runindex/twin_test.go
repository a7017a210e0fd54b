package runindex

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// twin is what the index should show: a list of runs, looked through from end to end.
type twin struct {
	runs []*twinRun
}

type twinRun struct {
	Info
	scope   *backend.Scope
	parent  *twinRun // nil: none, or it was deleted
	reads   bool     // it is a fork that reads through its parent
	epoch   uint64
	created time.Time
	// changed counts up with every change, so that a test knows which runs were left alone.
	changed int
	deleted bool
}

func (w *twin) drop(r *twinRun) {
	w.runs = slices.DeleteFunc(w.runs, func(o *twinRun) bool { return o == r })
	r.deleted = true
	for _, o := range w.runs {
		if o.parent == r {
			o.parent = nil
		}
	}
}

// matches is Query in other words.
func (r *twinRun) matches(q *Query, epoch uint64) bool {
	if len(q.Status) > 0 && !slices.Contains(q.Status, r.Status) {
		return false
	}
	if len(q.Status) == 0 && r.Status == codec.Archived && !q.IncludeArchived {
		return false
	}
	if q.Interrupted && (r.Status != codec.Active || r.epoch >= epoch) {
		return false
	}
	for _, tag := range q.Tags {
		if !slices.Contains(r.Tags, tag) {
			return false
		}
	}
	return (q.Tenant == "" || q.Tenant == r.Tenant) && (q.App == "" || q.App == r.App) &&
		(q.Agent == "" || q.Agent == r.Agent) &&
		(q.Parent == "" || r.parent != nil && r.parent.ID == q.Parent) &&
		(q.Since.IsZero() || !r.created.Before(q.Since)) &&
		(q.Until.IsZero() || r.created.Before(q.Until))
}

// find is the answer to a query.
func (w *twin) find(q Query, epoch uint64) []*twinRun {
	var list []*twinRun
	for _, r := range w.runs {
		if r.matches(&q, epoch) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *twinRun) int {
		ida, idb := uuid.MustParse(a.ID), uuid.MustParse(b.ID)
		order := cmp.Or(a.created.Compare(b.created), bytes.Compare(ida[:], idb[:]))
		if q.Reverse {
			return -order
		}
		return order
	})
	return list
}

func ids[T any](list []T, id func(T) string) []string {
	out := []string{}
	for _, r := range list {
		out = append(out, id(r))
	}
	return out
}

func twinIDs(list []*twinRun) []string {
	return ids(list, func(r *twinRun) string { return r.ID })
}

// story is a world and its twin, driven by rapid.
type story struct {
	*world
	twin twin
	gone []*twinRun
	// tx is set while the story goes on inside a transaction.
	tx *txn.Tx
}

func (s *story) system() txn.Scope {
	if s.tx != nil {
		return s.tx.Scope(system())
	}
	return s.m.Scope(system())
}

func (s *story) index() Index { return New(s.system(), s.epoch) }

func (s *story) record(r *twinRun) Record {
	run := s.m.Scope(r.scope)
	if s.tx != nil {
		run = s.tx.Scope(r.scope)
	}
	return NewRecord(s.system(), run, s.epoch)
}

var (
	someTags    = []string{"a", "b", "c", "a\x00", "\x00", "/", "__meta__"}
	someTenants = []string{"", "", "acme", "acm", "acme\x00", "@acme", "__meta__"}
	someNames   = []string{"", "x", "y", "\x00"}
)

func drawTags(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(someTags), 0, 3).Draw(t, "tags")
}

// pick draws a run, or nil if there is none.
func (s *story) pick(t *rapid.T) *twinRun {
	if len(s.twin.runs) == 0 {
		t.Skip("no runs")
	}
	return rapid.SampledFrom(s.twin.runs).Draw(t, "run")
}

func (s *story) create(t *rapid.T) {
	n := NewRun{
		Tenant: rapid.SampledFrom(someTenants).Draw(t, "tenant"),
		App:    rapid.SampledFrom(someNames).Draw(t, "app"),
		Agent:  rapid.SampledFrom(someNames).Draw(t, "agent"),
		Tags:   drawTags(t), Metadata: codec.Int(int64(len(s.twin.runs))),
	}
	n.ID = [16]byte{rapid.Byte().Draw(t, "id"), 15: 1}
	var parent *twinRun
	if len(s.twin.runs) > 0 && rapid.Bool().Draw(t, "child") {
		parent = s.pick(t)
		n.Parent = uuid.MustParse(parent.ID)
		if rapid.Bool().Draw(t, "fork") {
			n.ForkVersion = rapid.Uint64Range(1, s.b.Published()).Draw(t, "version")
		}
	}
	scope, err := s.world.create(n)
	id := idText(n.ID)
	if slices.Contains(twinIDs(s.twin.runs), id) {
		require.ErrorIs(t, err, ErrRunExists)
		return
	}
	require.NoError(t, err)
	r := &twinRun{scope: scope, parent: parent, epoch: s.epoch, created: *s.clock, Info: Info{
		ID: id, Tenant: n.Tenant, App: n.App, Agent: n.Agent, Status: codec.Active,
		Created: *s.clock, Updated: *s.clock, Metadata: n.Metadata,
		Tags: slices.Compact(slices.Sorted(slices.Values(n.Tags))),
	}}
	if parent != nil {
		r.Parent, r.ForkVersion, r.reads = parent.ID, n.ForkVersion, n.ForkVersion > 0
	}
	if r.reads {
		r.Tenant, r.App = cmp.Or(r.Tenant, parent.Tenant), cmp.Or(r.App, parent.App)
		r.Agent = cmp.Or(r.Agent, parent.Agent)
	}
	s.twin.runs = append(s.twin.runs, r)
}

// moves are the methods that change a status, by what they make of it.
var moves = map[codec.Status]func(Record, context.Context) error{
	codec.Active: Record.Resume, codec.Paused: Record.Pause, codec.Completed: Record.Complete,
	codec.Failed:    func(r Record, ctx context.Context) error { return r.Fail(ctx, "why") },
	codec.Cancelled: Record.Cancel, codec.Archived: Record.Archive,
}

// table is 2.9 of the requirements, read line by line: from, to.
var table = map[codec.Status][]codec.Status{
	codec.Active: {codec.Paused, codec.Completed, codec.Failed, codec.Cancelled,
		codec.Archived},
	codec.Paused:    {codec.Active, codec.Cancelled, codec.Archived},
	codec.Completed: {codec.Archived},
	codec.Failed:    {codec.Archived},
	codec.Cancelled: {codec.Archived},
}

func (s *story) move(t *rapid.T) {
	r := s.pick(t)
	to := codec.Status(rapid.IntRange(1, 6).Draw(t, "to"))
	err := moves[to](s.record(r), s.ctx)
	again := to == codec.Active && r.Status == codec.Active && r.epoch < s.epoch
	if !slices.Contains(table[r.Status], to) && !again {
		require.ErrorIs(t, err, txn.ErrInvalidTransition)
		return
	}
	require.NoError(t, err)
	s.changed(r)
	r.Status = to
	switch to {
	case codec.Active:
		r.epoch = s.epoch
	case codec.Failed:
		r.Error = "why"
		fallthrough
	case codec.Completed, codec.Cancelled, codec.Archived:
		if r.Ended.IsZero() {
			r.Ended = s.now()
		}
	}
}

// now is the time that changes are dated with.
func (s *story) now() time.Time { return time.Unix(0, s.system().Now()) }

func (s *story) changed(r *twinRun) {
	r.changed++
	r.Updated = s.now()
}

func (s *story) tag(t *rapid.T) {
	r := s.pick(t)
	tags := drawTags(t)
	before := r.Tags
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		require.NoError(t, s.record(r).AddTags(s.ctx, tags...))
		tags = slices.Concat(before, tags)
	case 1:
		require.NoError(t, s.record(r).RemoveTags(s.ctx, tags...))
		tags = slices.DeleteFunc(slices.Clone(before),
			func(tag string) bool { return slices.Contains(tags, tag) })
	case 2:
		require.NoError(t, s.record(r).SetTags(s.ctx, tags...))
	}
	r.Tags = slices.Compact(slices.Sorted(slices.Values(tags)))
	if !slices.Equal(r.Tags, before) {
		s.changed(r)
	}
}

func (s *story) delete(t *rapid.T) {
	r := s.pick(t)
	err := s.world.delete(r.scope)
	if forks := s.twin.forks(r); len(forks) > 0 {
		var refused *ForksError
		require.ErrorAs(t, err, &refused)
		require.ErrorIs(t, err, ErrHasForks)
		require.Equal(t, len(forks), refused.Forks)
		require.Subset(t, twinIDs(forks), refused.First)
		return
	}
	require.NoError(t, err)
	s.twin.drop(r)
	s.gone = append(s.gone, r)
}

// forks are the runs that read through one.
func (w *twin) forks(of *twinRun) (list []*twinRun) {
	for _, r := range w.runs {
		if r.reads && r.parent == of {
			list = append(list, r)
		}
	}
	return list
}

func (s *story) flatten(t *rapid.T) {
	r := s.pick(t)
	require.NoError(t, s.world.flatten(r.scope))
	r.reads = false
}

func (s *story) drawQuery(t *rapid.T) Query {
	q := Query{
		Tenant: rapid.SampledFrom(someTenants).Draw(t, "tenant"), Reverse: rapid.Bool().Draw(t, "down"),
	}
	maybe := func(what string) bool { return rapid.IntRange(0, 2).Draw(t, what) == 0 }
	if maybe("by status") {
		status := rapid.Custom(func(t *rapid.T) codec.Status {
			return codec.Status(rapid.IntRange(1, 6).Draw(t, "status"))
		})
		q.Status = rapid.SliceOfN(status, 0, 8).Draw(t, "statuses")
	}
	q.IncludeArchived = maybe("archived")
	q.Interrupted = rapid.IntRange(0, 4).Draw(t, "interrupted") == 0
	if maybe("by name") {
		q.App = rapid.SampledFrom(someNames).Draw(t, "app")
		q.Agent = rapid.SampledFrom(someNames).Draw(t, "agent")
	}
	if maybe("by tags") {
		q.Tags = drawTags(t)
	}
	if maybe("by parent") {
		if all := slices.Concat(s.twin.runs, s.gone); len(all) > 0 {
			q.Parent = rapid.SampledFrom(all).Draw(t, "parent").ID
		}
	}
	at := func(what string) time.Time {
		return time.Unix(1e9+rapid.Int64Range(0, 20).Draw(t, what), 0)
	}
	if maybe("since") {
		q.Since = at("since")
	}
	if maybe("until") {
		q.Until = at("until")
	}
	return q
}

// check compares an answer of each kind with the twin.
func (s *story) check(t *rapid.T) {
	q := s.drawQuery(t)
	want := s.twin.find(q, s.epoch)
	x := s.index()
	var got []string
	for r, err := range x.All(s.ctx, q) {
		require.NoError(t, err)
		got = append(got, r.ID)
		i := slices.Index(twinIDs(want), r.ID)
		require.GreaterOrEqual(t, i, 0, "%+v: %s is none of them", q, r.ID)
		expected := want[i].Info
		expected.Interrupted = expected.Status == codec.Active && want[i].epoch < s.epoch
		if len(r.Tags) == 0 {
			r.Tags, expected.Tags = nil, nil
		}
		require.Equal(t, expected, r)
	}
	require.Equal(t, twinIDs(want), append([]string{}, got...), "%+v", q)
	n, err := x.Count(s.ctx, q)
	require.NoError(t, err)
	require.Len(t, want, n, "%+v", q)

	// The same by pages, with little work allowed for each.
	got = []string{}
	q.Limit = rapid.IntRange(1, 3).Draw(t, "limit")
	work := rapid.SampledFrom([]int{1, 100, pageWork}).Draw(t, "work")
	for pages := 0; pages == 0 || q.Token != ""; pages++ {
		require.Less(t, pages, 1000)
		p, err := x.query(s.ctx, q, work)
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.Runs), q.Limit)
		got = append(got, ids(p.Runs, func(r Info) string { return r.ID })...)
		q.Token = p.Next
	}
	require.Equal(t, twinIDs(want), got, "%+v", q)
	s.checkStats(t, q)
	s.checkLineage(t)
	if s.tx == nil {
		report, err := x.Verify(s.ctx)
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)
	}
}

func (s *story) checkStats(t *rapid.T, q Query) {
	got, err := s.index().Stats(s.ctx, q)
	require.NoError(t, err)
	q.IncludeArchived = true
	var want Stats
	for _, r := range s.twin.find(q, s.epoch) {
		*map[codec.Status]*int{
			codec.Active: &want.Active, codec.Paused: &want.Paused,
			codec.Completed: &want.Completed, codec.Failed: &want.Failed,
			codec.Cancelled: &want.Cancelled, codec.Archived: &want.Archived,
		}[r.Status]++
		if r.Status == codec.Active && r.epoch < s.epoch {
			want.Interrupted++
		}
	}
	require.Equal(t, want, got, "%+v", q)
}

func (s *story) checkLineage(t *rapid.T) {
	if len(s.twin.runs) == 0 {
		return
	}
	r := rapid.SampledFrom(s.twin.runs).Draw(t, "of")
	var up, want []string
	for a, err := range s.record(r).Ancestors(s.ctx) {
		require.NoError(t, err)
		up = append(up, a.ID)
	}
	for a := r.parent; a != nil; a = a.parent {
		want = append(want, a.ID)
	}
	require.Equal(t, want, up)
	var down []string
	for c, err := range s.record(r).Children(s.ctx) {
		require.NoError(t, err)
		down = append(down, c.ID)
	}
	children := s.twin.find(Query{Parent: r.ID, IncludeArchived: true}, s.epoch)
	require.Equal(t, twinIDs(children), append([]string{}, down...))
	s.checkForks(t, r)
	ok, err := s.index().Exists(s.ctx, r.ID)
	require.NoError(t, err)
	require.True(t, ok)
	for _, g := range s.gone {
		if slices.Contains(twinIDs(s.twin.runs), g.ID) {
			continue
		}
		ok, err := s.index().Exists(s.ctx, strings.ToUpper(g.ID))
		require.NoError(t, err)
		require.False(t, ok)
		_, err = s.index().Get(s.ctx, g.ID)
		require.ErrorIs(t, err, txn.ErrRunNotFound)
	}
}

// checkForks asks for the forks of a run, and for what it reads through itself.
func (s *story) checkForks(t *rapid.T, r *twinRun) {
	type fork struct {
		id      string
		version uint64
	}
	got, want := []fork{}, []fork{}
	for f, err := range Forks(s.ctx, s.system(), r.scope.Number) {
		require.NoError(t, err)
		got = append(got, fork{f.ID, f.Version})
	}
	for _, f := range s.twin.forks(r) {
		want = append(want, fork{f.ID, f.ForkVersion})
	}
	require.ElementsMatch(t, want, got)
	require.True(t, slices.IsSortedFunc(got, func(a, b fork) int {
		return cmp.Compare(a.version, b.version)
	}))
	if s.tx == nil {
		var up []Ref
		for a := r; a.reads; a = a.parent {
			up = append(up, refOf(a.parent.scope))
		}
		through, err := Through(s.ctx, s.system(), refOf(r.scope))
		require.NoError(t, err)
		require.Equal(t, up, through)
	}
	children, err := Children(s.ctx, s.system(), r.scope.Number)
	require.NoError(t, err)
	var below []Child
	for _, c := range s.twin.runs {
		if c.parent == r {
			below = append(below, Child{refOf(c.scope), c.ForkVersion > 0, c.Tags})
		}
	}
	show := func(list []Child) (all []string) {
		for _, c := range list {
			all = append(all, fmt.Sprintf("%v %v %q", c.Ref, c.Forked, c.Tags))
		}
		slices.Sort(all)
		return all
	}
	require.Equal(t, show(below), show(children))
}

// acts are what can happen to the records.
func (s *story) acts() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": s.create, "create another": s.create, "move": s.move, "move again": s.move,
		"tag": s.tag, "delete": s.delete, "flatten": s.flatten,
		"tick": func(t *rapid.T) {
			s.tick(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
		},
		"sweep": func(t *rapid.T) {
			require.NoError(t, s.sweepBy(rapid.IntRange(1, 4).Draw(t, "size")))
		},
		"crash": func(*rapid.T) { s.epoch++ },
	}
}

// R190, R193, E91, E92: whatever is done to the records, every question is answered as by looking
// through all of them; and the entries are exactly those that the records ask for.
func TestR190AgainstALookAtAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{world: newWorld(t)}
		acts := s.acts()
		acts[""] = s.check
		t.Repeat(acts)
	})
}

// The same inside a transaction: it sees what it has changed, and nobody else does before the end.
func TestR190InATransaction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{world: newWorld(t)}
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			s.create(t)
			s.tick(time.Second)
			if rapid.Bool().Draw(t, "move") {
				s.move(t)
			}
		}
		s.epoch++
		outside, before := *s, fmt.Sprint(twinIDs(s.twin.find(Query{}, s.epoch)))
		_, err := s.m.Update(s.ctx, nil, txn.Options{}, func(tx *txn.Tx) error {
			s.tx = tx
			t.Repeat(map[string]func(*rapid.T){
				"move": s.move, "tag": s.tag, "": func(t *rapid.T) {
					s.check(t)
					page, err := outside.world.index().Query(s.ctx, Query{})
					require.NoError(t, err)
					got := ids(page.Runs, func(r Info) string { return r.ID })
					require.Equal(t, before, fmt.Sprint(got))
				},
			})
			return nil
		})
		require.NoError(t, err)
		s.tx = nil
		s.check(t)
	})
}
