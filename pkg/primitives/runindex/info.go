package runindex

import (
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Info is what the database knows of a run.
type Info struct {
	// ID is the UUID as text; Tenant, App and Agent are the namespace.
	ID, Tenant, App, Agent string
	// Parent is the id of the run that this one was begun under, or forked from; empty for none. It
	// stays when the parent is deleted.
	Parent string
	// ForkVersion is the version of the parent at which this run was forked from it; 0 for a run
	// that is no fork. Of an imported run it is a version of the database where that was done.
	ForkVersion uint64
	// Status is where the run is in its life.
	Status codec.Status
	// Interrupted: the run was Active when a process ended without closing the database, and
	// nothing has been made of it since. Its data is intact; Record.Resume takes it up again.
	Interrupted bool
	// Created is when the run began, Updated when its record last changed, Ended when it ended
	// (zero for a run that has not; archiving leaves it alone, but ends a run that had not ended).
	Created, Updated, Ended time.Time
	// Tags are sorted, each once.
	Tags []string
	// Metadata is any value; Null for none.
	Metadata codec.Value
	// Error is why the run failed.
	Error string
	// FirstVersion and LastVersion are the versions of the run's first and newest commit, 0 if it
	// has none, Commits is how many there are. Changes of the record are no commits of the run.
	// Filled by Record.Info only: they cost a lookup in the run's journal.
	FirstVersion, LastVersion, Commits uint64
	// Imported is how many commits, from the first on, were imported into this database, or at most
	// so many for a fork of such a run; 0 for a run that began here.
	Imported uint64

	_ struct{}
}

// infoOf shows a record as it looks in an epoch.
func infoOf(r *codec.ScopeRecord, epoch uint64) Info {
	i := Info{
		ID: idText(r.ID), Tenant: r.Tenant, App: r.App, Agent: r.Agent, Status: r.Status,
		Interrupted: interrupted(r, epoch),
		Created:     instant(r.Created), Updated: instant(r.Updated), Ended: instant(r.Ended),
		Tags: r.Tags, Metadata: r.Metadata, Error: r.Error,
		ForkVersion: r.ForkVersion, Imported: r.Imported,
	}
	if r.Parent != [16]byte{} {
		i.Parent = idText(r.Parent)
	}
	return i
}

func interrupted(r *codec.ScopeRecord, epoch uint64) bool {
	return r.Status == codec.Active && r.BootEpoch < epoch
}

// instant is a stored time; 0 is none.
func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
