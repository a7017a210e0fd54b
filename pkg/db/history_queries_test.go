package inmem_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Finding runs by their records.

// meets says whether a query selects a run.
func (a *attempt) meets(s *mirrorScope, q inmem.RunQuery) bool {
	i := a.info(s)
	if len(q.Status) > 0 && !slices.Contains(q.Status, i.Status) ||
		len(q.Status) == 0 && !q.IncludeArchived && i.Status == inmem.Archived {
		return false
	}
	for _, tag := range q.Tags {
		if !slices.Contains(i.Tags, tag) {
			return false
		}
	}
	if q.Parent != "" {
		if p := a.parentOf(s); p == nil || p.name != q.Parent {
			return false
		}
	}
	return (!q.Interrupted || i.Interrupted) && (q.Tenant == "" || i.Tenant == q.Tenant) &&
		(q.App == "" || i.App == q.App) && (q.Agent == "" || i.Agent == q.Agent) &&
		(q.Since.IsZero() || !i.Created.Before(q.Since)) &&
		(q.Until.IsZero() || i.Created.Before(q.Until))
}

// selection are the runs that a query should yield.
func (a *attempt) selection(q inmem.RunQuery) (runs []inmem.RunInfo) {
	for _, name := range a.names(true) {
		if s := a.scopes[name]; a.meets(s, q) {
			runs = append(runs, a.info(s))
		}
	}
	slices.SortFunc(runs, func(x, y inmem.RunInfo) int {
		if c := x.Created.Compare(y.Created); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	if q.Reverse {
		slices.Reverse(runs)
	}
	return runs
}

func (a *attempt) found(q inmem.RunQuery) string {
	var all []string
	for _, i := range a.selection(q) {
		all = append(all, infoText(i))
	}
	return strings.Join(all, "; ")
}

func drawQuery(r *rand.Rand, now time.Time) (q inmem.RunQuery) {
	maybe := func() bool { return r.IntN(4) == 0 }
	if maybe() {
		q.Status = []inmem.Status{pick(r, statuses...), pick(r, statuses...)}
	} else {
		q.IncludeArchived = maybe()
	}
	if maybe() {
		q.Tags = []string{pick(r, runTags...), pick(r, runTags...)}
	}
	if maybe() {
		q.Parent = pick(r, append(runIDs, noRun)...)
	}
	if maybe() {
		q.Tenant = pick(r, tenants...)
		q.App = pick(r, "", "app")
		q.Agent = pick(r, "", "agent")
	}
	if maybe() {
		q.Since = now.Add(-time.Duration(r.IntN(5)) * time.Second)
	}
	if maybe() {
		q.Until = now.Add(-time.Duration(r.IntN(3)) * time.Second)
	}
	q.Interrupted, q.Reverse = r.IntN(4) == 0, maybe()
	return q
}

// runReads look for runs.
func runReads(r *rand.Rand, m *mirror) (all []deed) {
	for _, id := range append(runIDs, noRun) {
		all = append(all, findRun(id))
	}
	for _, q := range []inmem.RunQuery{{}, {IncludeArchived: true, Reverse: true}} {
		all = append(all, query(q, 2))
	}
	for range 5 {
		all = append(all, query(drawQuery(r, m.now), 1+r.IntN(3)))
	}
	return all
}

func findRun(id string) deed {
	return deed{text: "find " + id, ranged: true, real: func(h hands) string {
		i, err := h.runs.Get(h.ctx, id)
		ok, also := h.runs.Exists(h.ctx, id)
		if also != nil || ok != (err == nil) {
			return fmt.Sprintf("exists says %v (%v), get %v (%v)", ok, also, i, err)
		}
		return answer(err, "%s", infoText(i))
	}, mirror: func(a *attempt) string {
		if s := a.scopes[id]; s != nil {
			return infoText(a.info(s))
		}
		return "run not found"
	}}
}

// query asks for pages of a size, for all at once, for the number, and for the statuses.
func query(q inmem.RunQuery, size int) deed {
	return deed{text: fmt.Sprintf("query %+v by %d", q, size), ranged: true,
		real: func(h hands) string {
			all := lines(h.runs.All(h.ctx, q), infoText)
			n, err := h.runs.Count(h.ctx, q)
			stats, also := h.runs.Stats(h.ctx, q)
			var paged []string
			for p, ask := (inmem.RunPage{Next: "first"}), q; p.Next != ""; ask.Token = p.Next {
				ask.Limit = size
				if p, err = h.runs.Query(h.ctx, ask); err != nil || len(p.Runs) > size {
					return fmt.Sprintf("page of %d (%v)", len(p.Runs), err)
				}
				for _, i := range p.Runs {
					paged = append(paged, infoText(i))
				}
			}
			if pages := strings.Join(paged, "; "); pages != all {
				return "pages " + pages + " all " + all
			}
			return all + answer(err, " %d", n) + answer(also, " %+v", stats)
		}, mirror: func(a *attempt) string {
			stats := inmem.RunStats{}
			wide := q
			wide.IncludeArchived = true
			for _, i := range a.selection(wide) {
				stats.Active += one(i.Status == inmem.Active)
				stats.Interrupted += one(i.Interrupted)
				stats.Paused += one(i.Status == inmem.Paused)
				stats.Completed += one(i.Status == inmem.Completed)
				stats.Failed += one(i.Status == inmem.Failed)
				stats.Cancelled += one(i.Status == inmem.Cancelled)
				stats.Archived += one(i.Status == inmem.Archived)
			}
			return a.found(q) + fmt.Sprintf(" %d %+v", len(a.selection(q)), stats)
		}}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
