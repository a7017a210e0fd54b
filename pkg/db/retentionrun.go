package inmem

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// RetentionReport says what carrying out the policies removes, or has removed.
type RetentionReport struct {
	// Runs are those of which something goes, or would go if nothing held it, by their number: the
	// order in which they were begun.
	Runs []RunRetention
	// Versions counts the records that go: superseded versions of keys, cells and spans, index
	// entries and journal records. Bytes are their keys and values, before compression.
	Versions, Bytes uint64
	// DiskBefore and DiskAfter are what the runs took on disk before their space was given back,
	// and after; 0 in a plan.
	DiskBefore, DiskAfter uint64

	_ struct{}
}

// RunRetention is what a RetentionReport says of one run, or shared namespace.
type RunRetention struct {
	// Run is the id, or what Namespace.String says.
	Run string
	// Earliest is the earliest version at which all primitives can be read afterwards; 0: any.
	Earliest uint64
	// Versions and Bytes are as in RetentionReport.
	Versions, Bytes uint64
	// HeldBy names what keeps history that the policies would let go: pins, open views and
	// transactions, forks. At most 16, those that hold most first.
	HeldBy []string

	_ struct{}
}

// RetentionProgress is what ApplyRetention reports on its way.
type RetentionProgress struct {
	// Done of Runs have been looked at.
	Done, Runs int
	// Versions and Bytes were removed until now.
	Versions, Bytes uint64

	_ struct{}
}

// PlanRetention tells what ApplyRetention would remove if it ran now, and removes nothing. Cost: a
// walk over the runs that policies let go something of. Errors: those of ApplyRetention.
func (d *DB) PlanRetention(ctx context.Context) (*RetentionReport, error) {
	r, err := d.retention.each(ctx, task{dry: true})
	if err != nil {
		return r, fmt.Errorf("plan retention: %w", err)
	}
	return r, nil
}

// ApplyRetention carries out the policies now: it removes the history that they let go, as far as
// nothing holds it, and gives the space back. It works in small steps that keep out of the way of
// commits. After an error, or a crash, what is left is removed the next time; nothing that can
// still be read is ever affected. progress, if not nil, is called after every run; it must not call
// back.
//
// The report of what was done comes also with an error. Errors: ErrReadOnly, ErrTimeout,
// ErrCanceled, ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) ApplyRetention(
	ctx context.Context, progress func(RetentionProgress),
) (*RetentionReport, error) {
	r, err := d.retention.each(ctx, task{progress: progress})
	if err != nil {
		return r, fmt.Errorf("apply retention: %w", err)
	}
	return r, nil
}

// task is one pass over all runs.
type task struct {
	dry      bool
	gentle   bool // in the background: at a limited rate, and only where it is worth a walk
	progress func(RetentionProgress)
}

// candidate is a run, or shared namespace, that policies may be for.
type candidate struct {
	scope *backend.Scope
	name  string
}

// each carries out the policies for all runs.
func (r *retention) each(ctx context.Context, t task) (*RetentionReport, error) {
	report := &RetentionReport{}
	if err := r.load(ctx); err != nil {
		return report, txn.ContextError(err)
	}
	p, err := r.db.policies(ctx)
	if err != nil || p.none() {
		return report, txn.ContextError(err)
	}
	all, forks, err := r.candidates(ctx)
	for i, c := range all {
		if err != nil {
			break
		}
		err = r.one(ctx, t, p, c, forks, report)
		if errors.Is(err, ErrRunNotFound) {
			err = nil // deleted meanwhile
		}
		if t.progress != nil {
			t.progress(RetentionProgress{
				Done: i + 1, Runs: len(all), Versions: report.Versions, Bytes: report.Bytes,
			})
		}
	}
	if err == nil && !t.dry {
		var disk backend.Reclaimed
		disk, err = r.db.b.Reclaim(ctx)
		report.DiskBefore, report.DiskAfter = disk.Before, disk.After
	}
	if err == nil && !t.dry {
		err = r.forget(ctx, p, all)
	}
	return report, txn.ContextError(err)
}

// candidates lists all runs and shared namespaces, by number, and the ids of forks.
func (r *retention) candidates(ctx context.Context) ([]candidate, map[codec.Scope]string, error) {
	var all []candidate
	forks := map[codec.Scope]string{}
	c := r.db.m.Scope(r.db.system).Scan(ctx, codec.ScopeRecords, txn.PrefixRange(""))
	defer c.Close()
	for c.Next() {
		rec, err := codec.DecodeScopeRecord(c.Entry().Value)
		if err != nil {
			return nil, nil, err
		}
		name := c.Key()
		if rec.Kind == codec.KindShared {
			name = Namespace{Tenant: rec.Tenant, App: rec.App, Agent: rec.Agent}.String()
		}
		if rec.ReadsThrough() {
			forks[rec.Number] = name
		}
		all = append(all, candidate{
			scope: &backend.Scope{Number: rec.Number, Record: c.Key()}, name: name,
		})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].scope.Number < all[j].scope.Number })
	return all, forks, txn.ContextError(c.Err())
}

// one carries out the policies for one run.
func (r *retention) one(
	ctx context.Context, t task, p *policies, c candidate, forks map[codec.Scope]string,
	report *RetentionReport,
) error {
	upTo, gain, err := r.horizons(ctx, p, c)
	if err != nil || len(upTo) == 0 {
		return err
	}
	o := backend.PruneOptions{Upto: upTo}
	if t.gentle {
		if !r.worthwhile(c, gain) {
			return nil
		}
		o.Rate = gentleRate
	}
	var done backend.PruneReport
	if t.dry {
		done, err = r.db.b.PlanPrune(ctx, c.scope, o)
	} else {
		done, err = r.db.b.Prune(ctx, c.scope, o)
		r.note(c, done)
	}
	if done.Versions+done.Commits == 0 && len(done.Held) == 0 {
		return err
	}
	run := RunRetention{
		Run: c.name, Earliest: done.After.Newest(), Versions: done.Versions + done.Commits,
		Bytes: done.Bytes, HeldBy: r.heldBy(done.Held, forks),
	}
	report.Runs = append(report.Runs, run)
	report.Versions += run.Versions
	report.Bytes += run.Bytes
	return err
}

// horizons are what the policies ask for, and the number of commits that lie between what can be
// read now and the earliest of it.
func (r *retention) horizons(
	ctx context.Context, p *policies, c candidate,
) (upTo backend.Horizons, gain uint64, err error) {
	b := r.db.b
	now := b.Published()
	commits, err := b.Commits(ctx, c.scope, now)
	if err != nil || commits.Count == 0 {
		return nil, 0, err
	}
	before, err := b.Horizons(ctx, c.scope)
	if err != nil {
		return nil, 0, err
	}
	known := map[Keep]backend.ScopeCommits{}
	for _, letter := range backend.Prunable() {
		k := p.keep(c.scope.Record, letter)
		at, ok := known[k]
		if !ok {
			if at, err = r.earliest(ctx, c.scope, k, commits); err != nil {
				return nil, 0, err
			}
			known[k] = at
		}
		if at.Last <= before.Of(letter) {
			continue
		}
		upTo = append(upTo, backend.Horizon{Primitive: letter, Version: at.Last})
		old, err := commitsUpTo(ctx, b, c.scope, before.Of(letter))
		if err != nil {
			return nil, 0, err
		}
		gain = max(gain, at.Count-min(at.Count, old.Count))
	}
	return upTo, gain, nil
}

// earliest is the commit whose state a policy wants to be readable, with everything after it; zero
// if that is all.
func (r *retention) earliest(
	ctx context.Context, s *backend.Scope, k Keep, commits backend.ScopeCommits,
) (backend.ScopeCommits, error) {
	at := commits
	if k.Commits == 0 && k.For == 0 {
		return backend.ScopeCommits{}, nil
	}
	if k.Commits != 0 {
		if commits.Count <= k.Commits {
			return backend.ScopeCommits{}, nil
		}
		numbered, err := r.numbered(ctx, s, commits, commits.Count-k.Commits+1)
		if err != nil {
			return backend.ScopeCommits{}, err
		}
		at = numbered
	}
	if k.For != 0 {
		version, err := r.db.b.VersionAt(ctx, r.db.b.Now()-int64(k.For))
		if err != nil {
			return backend.ScopeCommits{}, err
		}
		then, err := commitsUpTo(ctx, r.db.b, s, version)
		if err != nil {
			return backend.ScopeCommits{}, err
		}
		if then.Count < at.Count {
			at = then
		}
	}
	return at, nil
}

// numbered finds the commit with a number, by a binary search over the versions; zero if it was
// pruned.
func (r *retention) numbered(
	ctx context.Context, s *backend.Scope, commits backend.ScopeCommits, number uint64,
) (backend.ScopeCommits, error) {
	low, found := commits.First, commits
	for low < found.Last {
		middle := low + (found.Last-low)/2
		c, err := commitsUpTo(ctx, r.db.b, s, middle)
		if err != nil {
			return found, err
		}
		if c.Count >= number {
			found = c
		} else {
			low = middle + 1
		}
	}
	if found.Count != number {
		return backend.ScopeCommits{}, nil
	}
	return found, nil
}

// commitsUpTo is Commits that takes what was pruned for nothing.
func commitsUpTo(
	ctx context.Context, b backend.Backend, s *backend.Scope, at uint64,
) (backend.ScopeCommits, error) {
	c, err := b.Commits(ctx, s, at)
	if errors.Is(err, ErrPruned) {
		return backend.ScopeCommits{}, nil
	}
	return c, err
}

// heldBy puts what holds history back into words.
func (r *retention) heldBy(holds []backend.Hold, forks map[codec.Scope]string) (words []string) {
	for _, h := range holds {
		at := fmt.Sprintf(" at version %d", h.Version)
		switch h.Kind {
		case backend.HeldByFork:
			words = append(words, "fork "+forks[h.Scope]+at)
		case backend.HeldByTransaction:
			words = append(words, "an open transaction"+at)
		case backend.HeldByRetention:
			words = append(words, r.holder(h)+at)
		case backend.HeldByReaders:
			words = append(words, "what may be read at this moment,"+at[3:])
		}
	}
	return words
}
