package inmem

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/bundle"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// salvagedScope is a run, or shared namespace, on its way.
type salvagedScope struct {
	x    *salvaging
	from *backend.Scope
	to   *importing
	r    SalvagedRun
	next uint64 // number of the next commit
	last uint64 // version of the last one that was copied, in the source
}

// scope copies what can be copied of a scope. An error is one of the new database, or the
// context's.
func (x *salvaging) scope(s *backend.Scope, rec *codec.ScopeRecord) (SalvagedRun, error) {
	c := salvagedScope{x: x, from: s, next: 1}
	name, err := scopeName(s.Record)
	if c.r.Run = name; err != nil {
		c.r.Run = s.Record
	}
	if extent, err := x.src.b.Commits(x.ctx, s, x.src.Version()); err == nil {
		c.r.Of = max(extent.Count, x.wrong[uint64(s.Number)].commits)
	}
	if err := c.begin(rec); err != nil {
		if damaged(err) { // its record is not one that a run can have
			c.r.Saved, c.r.Text = SalvagedNothing, err.Error()
			return c.r, nil
		}
		return c.r, err
	}
	err = c.copy()
	if err == nil && rec.Kind != codec.KindShared {
		err = c.end(rec)
	}
	return c.r, err
}

// damaged tells whether an error is about what was read.
func damaged(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrFormat) || errors.Is(err, ErrRunNotFound) ||
		errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrPruned)
}

// begin makes the scope in the new database.
func (c *salvagedScope) begin(rec *codec.ScopeRecord) error {
	c.to = &importing{d: c.x.dst, ctx: c.x.ctx, o: &ImportOptions{}}
	if rec.Kind == codec.KindShared {
		s, err := c.x.dst.Shared(c.x.ctx, Namespace{
			Tenant: rec.Tenant, App: rec.App, Agent: rec.Agent,
		})
		if err != nil {
			return err
		}
		c.to.direct, c.to.run = true, &Run{d: c.x.dst, id: c.from.Record, scope: s.scope}
		return nil
	}
	copied := *rec
	copied.Number, copied.ParentNumber, copied.BootEpoch, copied.Imported = 0, 0, 0, 0
	head := bundle.Run{Record: copied}
	head.Commits = c.r.Of
	if err := c.to.prepare(&head); err != nil {
		return err
	}
	return c.to.create()
}

// copy copies the commits that can be read in full.
func (c *salvagedScope) copy() error {
	newest := c.x.src.Version()
	why, err := c.commits(newest)
	switch {
	case err != nil:
		return err
	case why == nil:
		c.doubt()
		return nil
	case errors.Is(why, ErrPruned):
		return c.state()
	}
	// Histories are read some commits at a time: find the last one before the damage.
	for low, high := c.last, newest; high-low > 1; {
		at := low + (high-low)/2
		if c.readable(at) {
			low = at
		} else {
			high = at
		}
		if high-low <= 1 && low > c.last {
			if _, err := c.commits(low); err != nil {
				return err
			}
		}
	}
	c.r.Saved, c.r.Text = SalvagedCut, why.Error()
	if c.next == 1 && c.r.Of > 0 {
		c.r.Saved = SalvagedNothing
	}
	return c.x.ctx.Err()
}

// doubt says how sure it is that a history without a gap is all of it.
func (c *salvagedScope) doubt() {
	wrong := c.x.wrong[uint64(c.from.Number)].text
	switch {
	case wrong != "":
		c.r.Saved, c.r.Text = SalvagedCut, wrong
	case c.last < c.x.hole:
		c.r.Saved = SalvagedUnsure
		c.r.Text = fmt.Sprintf("its last commit is %d, and commits up to %d are lost", c.last, c.x.hole)
	default:
		c.r.Saved = SalvagedWhole
	}
}

// readable tells whether all commits that are left up to a version can be read.
func (c *salvagedScope) readable(at uint64) bool {
	r := backend.JournalRange{From: c.next, At: at, Values: backend.NewValues}
	for e, err := range c.x.src.b.Journal(c.x.ctx, c.from, r) {
		if err != nil || c.judge(&e) != nil {
			return false
		}
	}
	return true
}

// judge says whether a commit is one that can be repeated.
func (c *salvagedScope) judge(e *backend.JournalEntry) error {
	for i := range e.Changes {
		change, err := salvagedChange(&e.Changes[i])
		if err == nil {
			err = (&verifying{}).change(&change)
		}
		if err == nil && change.Value != nil {
			switch change.Primitive {
			case codec.KV, codec.Cells, codec.Extensions, codec.Events:
				_, err = codec.DecodeValue(change.Value)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commits copies commits up to a version. It returns why it could not go on in the source, if it
// could not.
func (c *salvagedScope) commits(at uint64) (why, err error) {
	r := backend.JournalRange{From: c.next, At: at, Values: backend.NewValues}
	for e, bad := range c.x.src.b.Journal(c.x.ctx, c.from, r) {
		if bad == nil {
			bad = c.judge(&e)
		}
		if bad != nil {
			if damaged(bad) {
				return bad, nil
			}
			return nil, bad
		}
		if err := c.repeat(&e); err != nil {
			if damaged(err) {
				return err, nil
			}
			return nil, err
		}
	}
	return nil, nil
}

// repeat makes a commit again.
func (c *salvagedScope) repeat(e *backend.JournalEntry) error {
	for i := range e.Changes {
		change, err := salvagedChange(&e.Changes[i])
		if err == nil {
			err = c.to.change(&change)
		}
		if err != nil {
			c.to.request = backend.Request{}
			return err
		}
	}
	if len(e.Changes) == 0 {
		return nil
	}
	if err := c.to.commit(bundleCommit(e)); err != nil {
		return err
	}
	c.next, c.last, c.r.Commits = e.Number+1, e.Version, c.r.Commits+1
	return nil
}

// salvagedChange is a change as a bundle has it.
func salvagedChange(stored *backend.JournalChange) (bundle.Change, error) {
	c := bundle.Change{Value: stored.Value, BundleChange: codec.BundleChange{
		Op: stored.Op, Primitive: stored.Primitive, Key: stored.Key, Expiry: stored.Expiry,
	}}
	if stored.Op != codec.ChangeAppend {
		return c, nil
	}
	e, err := codec.DecodeEventRecord(stored.Value)
	c.Key, c.Type, c.Value, c.Hash = "", e.Type, e.Payload, e.Hash
	return c, err
}

// end makes a run of what was copied, and compares it with what it was.
func (c *salvagedScope) end(rec *codec.ScopeRecord) error {
	defer c.to.d.imports.end(c.to.run.scope.Number)
	if c.r.Saved == SalvagedNothing {
		c.to.drop()
		return nil
	}
	c.to.record.Imported = c.r.Commits
	if err := c.to.finish(); err != nil {
		return err
	}
	if c.r.Saved == SalvagedCut {
		return nil
	}
	before, err := (&Run{d: c.x.src, id: uuid.UUID(rec.ID).String(), scope: c.from}).
		StateHash(c.x.ctx, c.x.src.Version())
	if err != nil && !damaged(err) {
		return err
	}
	after, failed := c.to.run.StateHash(c.x.ctx, c.x.dst.Version())
	if failed != nil {
		return failed
	}
	if err != nil || before != after {
		c.r.Text = joined(c.r.Text, fmt.Sprintf("its state hash is %v, that of the damaged one %v (%v)",
			after, before, err))
	}
	return nil
}

// state copies what a run shows, and all of its events with their times, for one whose history was
// pruned.
func (c *salvagedScope) state() error {
	v, err := c.x.src.m.ViewAt(c.x.ctx, c.from, c.x.src.Version())
	if err != nil {
		return err
	}
	defer func() { _ = v.End() }()
	var now backend.JournalEntry // the commit under way
	flush := func(number uint64) error {
		if now.Number = number; len(now.Changes) == 0 {
			return nil
		}
		err := c.judge(&now)
		if err == nil {
			err = c.repeat(&now)
		}
		now = backend.JournalEntry{}
		return err
	}
	commits, last := uint64(0), uint64(0)
	err = c.events(v.Scope(c.from), func(x backend.JournalChange, version uint64, time int64) error {
		if version != last {
			if err := flush(commits); err != nil {
				return err
			}
			commits++
		}
		last, now.Version, now.Time = version, version, time
		now.Changes = append(now.Changes, x)
		return nil
	})
	if err == nil && last != v.Version() {
		err = flush(commits)
		commits++
	}
	if err == nil {
		now.Version, now.Time = v.Version(), v.Now()
		for x, bad := range stateOf(c.x.ctx, v.Scope(c.from)) {
			if err = bad; err != nil {
				break
			}
			if x.Primitive != codec.Events {
				now.Changes = append(now.Changes, x)
			}
		}
	}
	if err == nil {
		err = flush(commits)
	}
	c.r.Saved, c.r.Text = SalvagedState, "retention had removed a part of its history"
	switch {
	case err == nil:
	case damaged(err):
		c.r.Saved, c.r.Text = SalvagedNothing, err.Error()
		err = nil
	}
	return err
}

// events calls f with all events of a scope, the version of each and its time.
func (c *salvagedScope) events(
	s txn.Scope, f func(x backend.JournalChange, version uint64, time int64) error,
) error {
	cursor := s.Scan(c.x.ctx, codec.Events, txn.Range{})
	defer cursor.Close()
	for cursor.Next() {
		e := cursor.Entry()
		record, err := codec.DecodeEventRecord(e.Value)
		if err == nil {
			err = f(backend.JournalChange{
				Change: codec.Change{
					Primitive: codec.Events, Op: codec.ChangeAppend, Key: cursor.Key(),
				},
				Value: e.Value,
			}, e.Version, record.Time)
		}
		if err != nil {
			return err
		}
	}
	return cursor.Err()
}
