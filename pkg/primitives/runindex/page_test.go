package runindex

import (
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// R190: a run that is there at the first page, and meets the conditions all the time, is on exactly
// one page, whatever happens between the pages; no run is on two.
func TestR190PagesAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{world: newWorld(t)}
		for range rapid.IntRange(0, 12).Draw(t, "runs") {
			s.create(t)
			if rapid.Bool().Draw(t, "tick") {
				s.tick(time.Second)
			}
			if rapid.IntRange(0, 2).Draw(t, "move") == 0 {
				s.move(t)
			}
		}
		q := s.drawQuery(t)
		q.Limit = rapid.IntRange(1, 3).Draw(t, "limit")
		work := rapid.SampledFrom([]int{1, 50, pageWork}).Draw(t, "work")
		steady := s.twin.find(q, s.epoch)
		var numbers []codec.Scope // of the runs found: an id can be used again
		for first := true; first || q.Token != ""; first = false {
			p, err := s.index().query(s.ctx, q, work)
			require.NoError(t, err)
			for _, r := range p.Runs {
				i := slices.IndexFunc(s.twin.runs, func(o *twinRun) bool { return o.ID == r.ID })
				numbers = append(numbers, s.twin.runs[i].scope.Number)
			}
			q.Token = p.Next
			for range rapid.IntRange(0, 3).Draw(t, "acts") {
				act := rapid.SampledFrom([]string{"create", "move", "tag", "delete", "sweep"})
				if name := act.Draw(t, "act"); name == "create" || len(s.twin.runs) > 0 {
					s.acts()[name](t)
				}
				steady = slices.DeleteFunc(steady, func(r *twinRun) bool {
					return r.deleted || !r.matches(&q, s.epoch)
				})
			}
		}
		slices.Sort(numbers)
		require.Len(t, slices.Compact(slices.Clone(numbers)), len(numbers), "a run is on two pages")
		for _, r := range steady {
			require.Contains(t, numbers, r.scope.Number, "%s is on no page", r.ID)
		}
	})
}

// A token belongs to its query; everything but the limit counts.
func TestTokens(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.begin(NewRun{Tenant: "t", Tags: []string{"a", "b"}})
		w.tick(time.Second)
	}
	q := Query{Tenant: "t", Tags: []string{"b", "a"}, Limit: 2}
	p, err := w.index().Query(w.ctx, q)
	require.NoError(t, err)
	require.NotEmpty(t, p.Next)
	q.Token, q.Limit, q.Tags = p.Next, 3, []string{"a", "b", "a"}
	q.Status, q.Status = nil, []codec.Status{}
	p, err = w.index().Query(w.ctx, q)
	require.NoError(t, err, "the order of tags and the limit do not matter")
	require.Len(t, p.Runs, 3)
	require.Empty(t, p.Next, "the last page says so")
	for name, change := range map[string]func(*Query){
		"tenant":      func(q *Query) { q.Tenant = "" },
		"app":         func(q *Query) { q.App = "t" },
		"agent":       func(q *Query) { q.Agent = "x" },
		"tags":        func(q *Query) { q.Tags = []string{"a"} },
		"status":      func(q *Query) { q.Status = []codec.Status{codec.Active} },
		"archived":    func(q *Query) { q.IncludeArchived = true },
		"interrupted": func(q *Query) { q.Interrupted = true },
		"parent":      func(q *Query) { q.Parent = idText([16]byte{1}) },
		"since":       func(q *Query) { q.Since = time.Unix(1, 0) },
		"until":       func(q *Query) { q.Until = time.Unix(2e9, 0) },
		"order":       func(q *Query) { q.Reverse = true },
		"token":       func(q *Query) { q.Token = "x" + q.Token[1:] },
		"cut":         func(q *Query) { q.Token = q.Token[:8] },
		"longer":      func(q *Query) { q.Token += "AAAA" },
		"no base64":   func(q *Query) { q.Token = "!" },
		"nothing":     func(q *Query) { q.Token = base64.RawURLEncoding.EncodeToString([]byte{1}) },
	} {
		other := q
		change(&other)
		_, err := w.index().Query(w.ctx, other)
		require.ErrorIs(t, err, codec.ErrInvalidArgument, name)
	}
	var left []string
	for r, err := range w.index().All(w.ctx, q) {
		require.NoError(t, err)
		left = append(left, r.ID)
	}
	require.Equal(t, ids(p.Runs, func(r Info) string { return r.ID }), left, "All goes on there, too")
}

// All takes its limit as the most runs at all, reads more than one page, and can be broken off.
func TestAll(t *testing.T) {
	w := newWorld(t)
	const many = 2*allPage + 7
	for range many {
		w.begin(NewRun{})
	}
	for _, limit := range []int{0, 1, allPage, allPage + 1, many, many + 1} {
		n := 0
		for _, err := range w.index().All(w.ctx, Query{Limit: limit}) {
			require.NoError(t, err)
			n++
		}
		want := many
		if limit > 0 {
			want = min(limit, many)
		}
		require.Equal(t, want, n, "limit %d", limit)
	}
	seq := w.index().All(w.ctx, Query{})
	n := 0
	for range seq {
		if n++; n == 3 {
			w.begin(NewRun{})
			break
		}
	}
	n = 0
	for _, err := range seq {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, many+1, n, "it looks anew")
	for _, err := range w.index().All(w.ctx, Query{Limit: -1}) {
		require.ErrorIs(t, err, codec.ErrInvalidArgument)
	}
}

// Beginning finds runs by the first characters of their ids, in every status, and nothing else.
func TestBeginning(t *testing.T) {
	w := newWorld(t)
	var all []*backend.Scope
	for _, id := range []string{
		"01a206ff-a0f7-78cc-997c-22c61a014079", "01a206ff-b000-7000-8000-000000000001",
		"01a30000-0000-7000-8000-000000000001",
	} {
		all = append(all, w.begin(NewRun{ID: uuid.MustParse(id)}))
	}
	find := func(x Index, text string, limit int) []string {
		list, err := x.Beginning(w.ctx, text, limit)
		require.NoError(t, err)
		return ids(list, func(r Info) string { return r.ID })
	}
	require.Equal(t, []string{all[0].Record, all[1].Record}, find(w.index(), "01A206FF", 0))
	require.Equal(t, []string{all[0].Record}, find(w.index(), "01a206ff", 1))
	require.Equal(t, []string{all[2].Record}, find(w.index(), all[2].Record, 0))
	require.Len(t, find(w.index(), "", 0), 3)
	for _, none := range []string{"01a4", "@", "x", all[0].Record + "0"} {
		require.Empty(t, find(w.index(), none, 0), none)
	}
	require.NoError(t, w.record(all[0]).Archive(w.ctx))
	require.Len(t, find(w.index(), "01a206ff", 0), 2, "archived ones, too")
	require.NoError(t, w.delete(all[0]))
	require.Equal(t, []string{all[1].Record}, find(w.index(), "01a206ff", 0))
	_, err := w.index().Beginning(w.ctx, "0", -1)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
}

// Times beyond what a nanosecond clock can say bound nothing.
func TestTimeBounds(t *testing.T) {
	w := newWorld(t)
	w.begin(NewRun{})
	far, long := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		q    Query
		want int
	}{
		{Query{Since: long, Until: far}, 1}, {Query{Since: far}, 0}, {Query{Until: long}, 0},
		{Query{Since: *w.clock}, 1}, {Query{Until: *w.clock}, 0},
		{Query{Since: w.clock.Add(time.Second), Until: *w.clock}, 0},
	} {
		for _, down := range []bool{false, true} {
			c.q.Reverse = down
			n, err := w.index().Count(w.ctx, c.q)
			require.NoError(t, err)
			require.Equal(t, c.want, n, "%+v", c.q)
			p, err := w.index().Query(w.ctx, c.q)
			require.NoError(t, err)
			require.Len(t, p.Runs, c.want)
		}
	}
}

// Cost by page, not by total: what a page walks over has one bound for all queries and any number
// of runs, and what is easy to find costs little more than what is on the page. A full walk by
// pages comes to its end with all that there is to find.
func TestR190CostByPage(t *testing.T) {
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	easy := []string{"all", "archived too", "archived", "active", "interrupted", "paused", "failed",
		"ended", "tenant", "tenant app agent", "agent"}
	crowds := []int{2000, 4000}
	if os.Getenv("INMEM_LONG") != "" {
		crowds = []int{100_000}
	}
	for _, runs := range crowds {
		fill(w, runs, uint64(runs))
		for _, shape := range shapes {
			for _, down := range []bool{false, true} {
				q := shape.q
				q.Reverse = down
				name := fmt.Sprintf("%s of %d, down %v", shape.name, runs, down)
				n, err := w.index().Count(w.ctx, q)
				require.NoError(t, err)
				f, err := newFilter(&q)
				require.NoError(t, err)
				found, bound := 0, w.index().walk(w.ctx, f, 0).start()
				for first := true; first || bound != ""; first = false {
					walk := w.index().walk(w.ctx, f, pageWork)
					var p Page
					p, bound, err = w.index().page(f, walk, bound, DefaultLimit)
					require.NoError(t, err, name)
					found += len(p.Runs)
					// The last round of seeks was begun before the work was done.
					require.Greater(t, walk.left, -20*(seekCost+downCost*patienceUp), name)
					if slices.Contains(easy, shape.name) {
						require.LessOrEqual(t, walk.keys, DefaultLimit+10, name)
						require.LessOrEqual(t, walk.seeks, 8, name)
						require.True(t, bound == "" || len(p.Runs) == DefaultLimit, name)
					}
				}
				require.Equal(t, n, found, name)
			}
		}
	}
}

// Two streams that never meet are left after a bounded search, with a token that goes on behind it.
func TestPageIsCutOff(t *testing.T) {
	w := newWorld(t)
	const many = 400
	for i := range many {
		w.begin(NewRun{Tags: []string{fmt.Sprint(i % 2)}})
		w.tick(time.Second)
	}
	last := w.begin(NewRun{Tags: []string{"0", "1"}, ID: uuid.Max})
	for _, down := range []bool{false, true} {
		q := Query{Tags: []string{"0", "1"}, Reverse: down}
		var found []string
		empty := 0
		for first := true; first || q.Token != ""; first = false {
			p, err := w.index().query(w.ctx, q, 200)
			require.NoError(t, err)
			found = append(found, ids(p.Runs, func(r Info) string { return r.ID })...)
			if len(p.Runs) == 0 {
				empty++
			}
			q.Token = p.Next
		}
		require.Equal(t, []string{last.Record}, found)
		require.GreaterOrEqual(t, empty, 2)
		require.Less(t, empty, many/2)
	}
}
