package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

var (
	tenants = []string{"", "acme", "acm"}
	tags    = []string{"a", "b", "promoted", "long tag"}
)

// id names the n-th run of the episode.
func (e *episode) id(n int) string {
	r := rand.New(rand.NewPCG(e.c.Seed, uint64(e.number)<<32|uint64(n)))
	return fmt.Sprintf("%08x-0000-7000-8000-%012x", r.Uint32(), n)
}

// newID is an id that was not given out, or now and then one that was.
func (e *episode) newID(d *args) string {
	if d.odds(6) && e.born > 0 {
		return e.id(d.below(e.born))
	}
	e.born++
	return e.id(e.born)
}

// most is how many runs there are at most; a few more by imports.
const most = 14

// added takes note of a run that may have come into being.
func (e *episode) added() {
	e.survey()
	for _, s := range []*side{e.real, e.model} {
		for _, id := range e.runs {
			if err := e.lookUp(s, id); err != nil {
				e.wrong("a run that there is: %v", err)
			}
		}
	}
}

// lookUp keeps the handle of a run.
func (e *episode) lookUp(s *side, id string) error {
	run, err := s.db.Run(e.ctx, id)
	if err != nil {
		if s == e.real && e.disk.hasFired() {
			return nil
		}
		return err
	}
	s.runs[id] = run
	return nil
}

// removed takes note of runs that may be gone.
func (e *episode) removed() {
	before := e.runs
	e.survey()
	for _, id := range before {
		if !slices.Contains(e.runs, id) && !slices.Contains(e.gone, id) {
			e.gone = append(e.gone, id)
		}
	}
}

// there are the namespaces that were asked for and are not gone.
func (e *episode) there() []inmem.Namespace { return e.spaces }

// Runs as a whole.
var runKinds = []kind{
	{"run-begin", 8, func(e *episode, a Action) {
		if len(e.runs) >= most {
			return
		}
		d := a.draws()
		o := inmem.RunOptions{ID: e.newID(d), Tenant: one(d, tenants...), Metadata: drawValue(d)}
		if o.Tenant != "" {
			o.App = one(d, "", "app")
		}
		for range d.below(3) {
			o.Tags = append(o.Tags, one(d, tags...))
		}
		if d.odds(3) && len(e.runs) > 0 {
			o.Parent = e.runs[d.below(len(e.runs))]
		}
		e.do(a, fmt.Sprintf("begin run %.100v", o), func(s *side) string {
			_, err := s.db.BeginRun(e.ctx, o)
			return word(err)
		})
		e.added()
	}},
	{"run-fork", 8, func(e *episode, a Action) {
		if len(e.runs) >= most {
			return
		}
		d := a.draws()
		name := e.active(d)
		if name == "" {
			return
		}
		o := inmem.ForkOptions{ID: e.newID(d)}
		if d.odds(2) {
			o.At = e.past(d)
		}
		e.do(a, fmt.Sprintf("fork %s at %d as %s", name, o.At, o.ID), func(s *side) string {
			_, err := s.runs[name].Fork(e.ctx, o)
			return word(err)
		})
		e.added()
	}},
	{"run-delete", 3, func(e *episode, a Action) {
		d := a.draws()
		if name := e.active(d); name != "" {
			e.do(a, "delete run "+name, func(s *side) string {
				return word(s.db.DeleteRun(e.ctx, name))
			})
			e.removed()
		}
	}},
	{"run-delete-flatten", 2, func(e *episode, a Action) {
		d := a.draws()
		if name := e.active(d); name != "" {
			e.do(a, "delete and flatten run "+name, func(s *side) string {
				return word(s.db.DeleteRunWith(e.ctx, name,
					inmem.DeleteOptions{Forks: inmem.FlattenForks}))
			})
			e.removed()
		}
	}},
	{"promote", 1, func(e *episode, a Action) {
		d := a.draws()
		name := e.active(d)
		if name == "" {
			return
		}
		o := inmem.PromoteOptions{Parent: one(d, inmem.KeepParent, inmem.DeleteParent)}
		if d.odds(2) {
			o.Among = []string{"a"}
		}
		e.do(a, fmt.Sprintf("promote %s %+v", name, o), func(s *side) string {
			p, err := s.db.Promote(e.ctx, s.runs[name], o)
			return answer(err, "%+v", p)
		})
		e.removed()
	}},
	{"tenant-delete", 1, func(e *episode, a Action) {
		d := a.draws()
		tenant := one(d, tenants[1:]...)
		if !d.odds(4) {
			return
		}
		e.do(a, "delete tenant "+tenant, func(s *side) string {
			n, err := s.db.DeleteTenant(e.ctx, tenant)
			return answer(err, "%d runs", n)
		})
		e.removed()
		e.spaces = slices.DeleteFunc(e.spaces, func(n inmem.Namespace) bool {
			return n.Tenant == tenant
		})
	}},
	{"shared", 2, func(e *episode, a Action) {
		d := a.draws()
		n := inmem.Namespace{Tenant: one(d, tenants[1:]...), App: one(d, "", "app")}
		e.do(a, "ask for namespace "+n.String(), func(s *side) string {
			shared, err := s.db.Shared(e.ctx, n)
			if err == nil {
				s.shared[n.String()] = shared
			}
			return word(err)
		})
		if e.real.shared[n.String()] != nil && !slices.Contains(e.spaces, n) {
			e.spaces = append(e.spaces, n)
		}
	}},
	{"runs-query", 4, func(e *episode, a Action) {
		d := a.draws()
		q := inmem.RunQuery{Limit: one(d, 0, 1, 5), Reverse: d.odds(2)}
		switch d.below(5) {
		case 0:
			q.Status = []inmem.Status{one(d, inmem.Active, inmem.Completed, inmem.Archived)}
		case 1:
			q.Tags = []string{one(d, tags...)}
		case 2:
			q.Tenant = one(d, tenants[1:]...)
		case 3:
			if name := e.active(d); name != "" {
				q.Parent = name
			}
		default:
			q.Interrupted = true
		}
		e.look(a, fmt.Sprintf("runs %+v", q), func(s *side) string {
			said := lines(s.db.Runs().All(e.ctx, q), infoText)
			stats, err := s.db.Runs().Stats(e.ctx, q)
			said += answer(err, " %+v", stats)
			n, err := s.db.Runs().Count(e.ctx, q)
			return said + answer(err, " %d", n)
		})
	}},
}

// past draws a version that there was.
func (e *episode) past(d *args) uint64 {
	newest := e.model.db.Version()
	switch {
	case len(e.versions) == 0 || d.odds(4):
		return newest
	case d.odds(10): // most likely one that no commit has
		return uint64(d.below(int(newest) + 1))
	}
	return e.versions[d.below(len(e.versions))]
}
