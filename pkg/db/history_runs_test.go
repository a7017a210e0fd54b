package inmem_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The records of runs, and finding runs by them.

var (
	runIDs = []string{
		"01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002",
		"ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-4000-8000-000000000003",
		"01890000-0000-7000-8000-000000000004",
	}
	noRun    = "01890000-0000-7000-8000-00000000000f"
	runTags  = []string{"t", "t\x00", "u"}
	tenants  = []string{"", "acme", "acme\x00"}
	statuses = []inmem.Status{inmem.Active, inmem.Paused, inmem.Completed, inmem.Failed,
		inmem.Cancelled, inmem.Archived}
)

// leadsTo is the table of statuses.
var leadsTo = map[inmem.Status][]inmem.Status{
	inmem.Active: {inmem.Paused, inmem.Completed, inmem.Failed, inmem.Cancelled, inmem.Archived},
	inmem.Paused: {inmem.Active, inmem.Cancelled, inmem.Archived}, inmem.Completed: {inmem.Archived},
	inmem.Failed: {inmem.Archived}, inmem.Cancelled: {inmem.Archived},
}

// drawRecordWrite draws a change of a run's record.
func drawRecordWrite(r *rapid.T, at string) deed {
	switch what := some(r, "add", "remove", "set", "meta", "status", "status"); what {
	case "status":
		return changeStatus(at, some(r, statuses...))
	case "meta":
		v := drawValue(r)
		return inScope(at, fmt.Sprintf("metadata %.20v", v), func(h hands) string {
			return word(h.record(at).SetMetadata(h.ctx, v))
		}, func(a *attempt, s *mirrorScope) string {
			if s.run.Metadata != v {
				s.run.Metadata, s.run.Updated, a.touched = v, a.now, true
			}
			return "ok"
		})
	default:
		return changeTags(at, what, drawTags(r, runTags))
	}
}

func changeTags(at, what string, tags []string) deed {
	return inScope(at, fmt.Sprintf("%s tags %q", what, tags), func(h hands) string {
		switch record := h.record(at); what {
		case "add":
			return word(record.AddTags(h.ctx, tags...))
		case "remove":
			return word(record.RemoveTags(h.ctx, tags...))
		default:
			return word(record.SetTags(h.ctx, tags...))
		}
	}, func(a *attempt, s *mirrorScope) string {
		next := tagSet(tags)
		switch what {
		case "add":
			next = tagSet(append(slices.Clone(s.run.Tags), tags...))
		case "remove":
			next = slices.DeleteFunc(slices.Clone(s.run.Tags), func(t string) bool {
				return slices.Contains(tags, t)
			})
		}
		if !slices.Equal(next, s.run.Tags) {
			s.run.Tags, s.run.Updated, a.touched = next, a.now, true
		}
		return "ok"
	})
}

func changeStatus(at string, to inmem.Status) deed {
	return inScope(at, fmt.Sprint("becomes ", to), func(h hands) string {
		record := h.record(at)
		switch to {
		case inmem.Active:
			return word(record.Resume(h.ctx))
		case inmem.Paused:
			return word(record.Pause(h.ctx))
		case inmem.Completed:
			return word(record.Complete(h.ctx))
		case inmem.Failed:
			return word(record.Fail(h.ctx, "reason\x00"))
		case inmem.Cancelled:
			return word(record.Cancel(h.ctx))
		}
		return word(record.Archive(h.ctx))
	}, func(a *attempt, s *mirrorScope) string {
		run := s.run
		interrupted := run.Status == inmem.Active && run.epoch != a.epoch
		if !slices.Contains(leadsTo[run.Status], to) && !(interrupted && to == inmem.Active) {
			if run.Status == inmem.Active || run.Status == inmem.Paused {
				return noStep
			}
			return noStep + ", run not active"
		}
		if to != inmem.Paused && to != inmem.Active && run.Ended.IsZero() {
			run.Ended = a.now
		}
		if to == inmem.Failed {
			run.Error = "reason\x00"
		}
		run.Status, run.Updated, run.epoch = to, a.now, a.epoch
		a.touched = true
		return "ok"
	})
}

func infoText(i inmem.RunInfo) string {
	return fmt.Sprintf("%s %q/%q/%q under %q at %d %v interrupted %v %s %s %s %q %v %q "+
		"commits %d..%d %d",
		i.ID, i.Tenant, i.App, i.Agent, i.Parent, i.ForkVersion, i.Status, i.Interrupted,
		clockText(i.Created),
		clockText(i.Updated), clockText(i.Ended), i.Tags, i.Metadata, i.Error, i.FirstVersion,
		i.LastVersion, i.Commits)
}

// info is what the index should tell of a run.
func (a *attempt) info(s *mirrorScope) inmem.RunInfo {
	i := s.run.RunInfo
	i.Interrupted = i.Status == inmem.Active && s.run.epoch != a.epoch
	return i
}

// record looks at the record of one run.
func readRecord(at string) deed {
	d := inScope(at, "record", func(h hands) string {
		record := h.record(at)
		i, err := record.Info(h.ctx)
		if err != nil {
			return word(err)
		}
		tags, err := record.Tags(h.ctx)
		if err != nil || !slices.Equal(tags, i.Tags) {
			return fmt.Sprintf("tags %q (%v), info %+v", tags, err, i)
		}
		return infoText(i)
	}, func(a *attempt, s *mirrorScope) string {
		i := a.info(s)
		if n := len(s.commits); n > 0 {
			i.FirstVersion, i.LastVersion, i.Commits = s.commits[0], s.commits[n-1], uint64(n)
		}
		return infoText(i)
	})
	d.provisional = true // the number of commits is not in the read set
	return d
}

// lineage asks for the runs around one.
func lineage(at string) deed {
	d := inScope(at, "lineage", func(h hands) string {
		record := h.record(at)
		tags, err := record.Tags(h.ctx)
		return answer(err, "%q", tags) + " children " + lines(record.Children(h.ctx), infoText) +
			" ancestors " + lines(record.Ancestors(h.ctx), infoText)
	}, func(a *attempt, s *mirrorScope) string {
		var above []string
		for up := a.parentOf(s); up != nil; up = a.parentOf(up) {
			above = append(above, infoText(a.info(up)))
		}
		return fmt.Sprintf("%q children %s ancestors %s", s.run.Tags,
			a.found(inmem.RunQuery{Parent: at, IncludeArchived: true}), strings.Join(above, "; "))
	})
	d.ranged, d.index = true, true
	return d
}

// parentOf is the parent of a run, if it is the one that was its parent at the beginning.
func (a *attempt) parentOf(s *mirrorScope) *mirrorScope {
	if p := a.scopes[s.run.Parent]; p != nil && p.number == s.run.parent {
		return p
	}
	return nil
}
