package cli

import (
	"slices"

	"github.com/spf13/pflag"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// queryFlags select runs: the same flags in every command that works on many.
type queryFlags struct {
	status, tags       []string
	tenant, app, agent string
	parent             string
	since, until       string
	interrupted        bool
	archived           bool
}

// add makes the flags known to a command.
func (q *queryFlags) add(f *pflag.FlagSet) {
	f.StringSliceVar(&q.status, "status", nil,
		"only runs with this status (repeat it for several): active, paused, completed, failed, "+
			"cancelled, archived")
	f.StringArrayVar(&q.tags, "tag", nil, "only runs with this tag; repeat it for all of several")
	f.StringVar(&q.tenant, "tenant", "", "only runs of this tenant")
	f.StringVar(&q.app, "app", "", "only runs of this app")
	f.StringVar(&q.agent, "agent", "", "only runs of this agent")
	f.StringVar(&q.parent, "parent", "", "only runs under this one: its full id")
	f.StringVar(&q.since, "since", "", "only runs that began at this time or later")
	f.StringVar(&q.until, "until", "", "only runs that began before this time")
	f.BoolVar(&q.interrupted, "interrupted", false,
		"only active runs whose process ended without closing the database")
	f.BoolVar(&q.archived, "archived", false, "archived runs, too")
}

// statuses are all there are, in the order of a run's life.
var statuses = []inmem.Status{
	inmem.Active, inmem.Paused, inmem.Completed, inmem.Failed, inmem.Cancelled, inmem.Archived,
}

func parseStatus(name string) (inmem.Status, error) {
	i := slices.IndexFunc(statuses, func(s inmem.Status) bool { return s.String() == name })
	if i < 0 {
		return 0, advise(usagef("%q is not a status", name),
			"they are active, paused, completed, failed, cancelled, archived")
	}
	return statuses[i], nil
}

// query is what the flags ask for, newest first.
func (q *queryFlags) query(e *env) (inmem.RunQuery, error) {
	r := inmem.RunQuery{
		IncludeArchived: q.archived, Interrupted: q.interrupted, Tags: q.tags,
		Tenant: q.tenant, App: q.app, Agent: q.agent, Parent: q.parent, Reverse: true,
	}
	for _, name := range q.status {
		s, err := parseStatus(name)
		if err != nil {
			return r, err
		}
		r.Status = append(r.Status, s)
	}
	var err error
	if r.Since, err = e.time(q.since); err != nil {
		return r, err
	}
	r.Until, err = e.time(q.until)
	return r, err
}
