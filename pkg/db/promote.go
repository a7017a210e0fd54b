package inmem

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ParentChoice is what Promote does with the parent of the winner.
type ParentChoice uint8

const (
	// KeepParent leaves it as it is. The default.
	KeepParent ParentChoice = iota
	// DeleteParent deletes it in the end. What the winner and other runs read through it they are
	// given before; see FlattenForks.
	DeleteParent
)

// PromotedTag is the tag of a winner, unless PromoteOptions says otherwise.
const PromotedTag = "promoted"

// PromoteOptions configure Promote. The zero value makes losers of all other forks of the parent.
type PromoteOptions struct {
	// Among makes losers only of forks that have all of these tags: those of one round, say.
	Among []string
	// Keep are the ids of forks that are no losers either.
	Keep []string
	// Mark is the tag that the winner gets; default PromotedTag.
	Mark string
	// Parent is KeepParent or DeleteParent; default KeepParent.
	Parent ParentChoice

	_ struct{}
}

// Promotion says what Promote did.
type Promotion struct {
	// Losers is how many forks of the parent were deleted, Deleted how many runs in all: with those
	// under the losers, and the parent if it was to be.
	Losers, Deleted int
	// Parent is the id of the winner's parent.
	Parent string

	_ struct{}
}

// Promote ends a best-of-n: the winner stays as it is, with its id, data and lineage, and is tagged
// as promoted; all other forks of its parent are deleted, whatever their status, with every run
// that was forked from them or begun under them. The parent stays unless DeleteParent is asked for.
//
// The deletions are those of DeleteRun, in commits of up to 64 runs each; the first one also sets
// the tag. So up to that number it is one step for every reader. After an error or a crash the
// winner is marked or not, and a part of the losers is gone; calling it again finishes the work. A
// writer that still works on a loser gets ErrRunNotFound. Of two that promote different forks of
// one parent at the same time, one fails, and never are both winners gone.
//
// Errors: ErrInvalidArgument for a winner that is no fork, ErrRunNotFound if it is gone,
// ErrTooLarge if it has too many tags, and those of Tx.Commit. Cost: in proportion to the number of
// runs; what they hold is freed in the background.
func (d *DB) Promote(ctx context.Context, winner *Run, o PromoteOptions) (Promotion, error) {
	p, err := newPromoter(d, winner, o)
	if err != nil {
		return Promotion{}, fmt.Errorf("promote: %w", err)
	}
	if err = p.run(ctx); err != nil {
		err = fmt.Errorf("promote run %s: %w", winner.id, err)
	}
	return p.did, err
}

// promoter is one Promote under way.
type promoter struct {
	d      *DB
	winner *Run
	o      PromoteOptions
	parent runindex.Ref
	marked bool
	did    Promotion
}

func newPromoter(d *DB, winner *Run, o PromoteOptions) (*promoter, error) {
	switch {
	case winner == nil || winner.d != d:
		return nil, fmt.Errorf("%w: the winner is no run of this database", ErrInvalidArgument)
	case o.Parent > DeleteParent:
		return nil, fmt.Errorf("%w: choice %d about the parent", ErrInvalidArgument, o.Parent)
	}
	keep := []string{winner.id}
	for _, id := range o.Keep {
		parsed, err := runindex.ParseID(id)
		if err != nil {
			return nil, err
		}
		keep = append(keep, uuid.UUID(parsed).String())
	}
	if o.Keep = keep; o.Mark == "" {
		o.Mark = PromotedTag
	}
	return &promoter{d: d, winner: winner, o: o}, nil
}

func (p *promoter) run(ctx context.Context) error {
	rec, err := p.d.scopeRecord(ctx, p.winner.id)
	switch {
	case err != nil:
		return err
	case rec.Number != p.winner.scope.Number:
		return ErrRunNotFound
	case rec.ForkVersion == 0:
		return fmt.Errorf("%w: it is no fork", ErrInvalidArgument)
	}
	p.parent = runindex.Ref{ID: rec.ParentKey(), Number: rec.ParentNumber}
	p.did.Parent = p.parent.ID
	for {
		losers, err := p.losers(ctx)
		if err != nil {
			return err
		}
		if len(losers) == 0 && p.marked {
			break // nobody has forked a loser meanwhile
		}
		if err := p.drop(ctx, losers); err != nil {
			return err
		}
	}
	if p.o.Parent == DeleteParent {
		return p.dropParent(ctx)
	}
	return nil
}

// victim is a run to be deleted.
type victim struct {
	runindex.Ref
	loser bool // a fork of the parent; otherwise it is under one
}

// losers lists what is to be deleted, each run behind all that are under it.
func (p *promoter) losers(ctx context.Context) (list []victim, err error) {
	siblings, err := p.children(ctx, p.parent)
	if err != nil {
		return nil, err
	}
	for _, s := range siblings {
		if !s.Forked || slices.Contains(p.o.Keep, s.ID) || !hasAll(s.Tags, p.o.Among) {
			continue
		}
		if list, err = p.under(ctx, s.Ref, list); err != nil {
			return nil, err
		}
		list = append(list, victim{s.Ref, true})
	}
	return list, nil
}

// under adds the runs under one, without it.
func (p *promoter) under(ctx context.Context, of runindex.Ref, list []victim) ([]victim, error) {
	// The runs that are still to be put behind those under them; a chain can be too long to recurse.
	from, open := len(list), []runindex.Ref{of}
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		children, err := p.children(ctx, last)
		if err != nil {
			return nil, err
		}
		for _, c := range children {
			list, open = append(list, victim{Ref: c.Ref}), append(open, c.Ref)
		}
	}
	slices.Reverse(list[from:]) // each was put behind its parent
	return list, nil
}

func (p *promoter) children(ctx context.Context, of runindex.Ref) ([]runindex.Child, error) {
	return runindex.Children(ctx, p.d.m.Scope(p.d.system).Snapshot(), of.Number)
}

func hasAll(tags, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(tag string) bool { return !slices.Contains(tags, tag) })
}

// drop deletes runs in batches, and marks the winner with the first one.
func (p *promoter) drop(ctx context.Context, list []victim) error {
	for len(list) > 0 || !p.marked {
		n := min(deleteBatch, len(list))
		if err := p.batch(ctx, list[:n]); err != nil {
			return err
		}
		list, p.marked = list[n:], true
	}
	return nil
}

// record is that of the winner, and in the read set. If the winner was deleted, as the loser of
// another promotion, this one deletes nothing any more.
func (p *promoter) record(ctx context.Context, t *txn.Tx) (RunRecord, error) {
	r := runindex.NewRecord(t.Scope(p.d.system), t.Scope(p.winner.scope), p.d.epoch)
	_, err := r.Tags(ctx)
	return r, err
}

// batch is one commit.
func (p *promoter) batch(ctx context.Context, list []victim) error {
	var losers, deleted int
	_, err := p.d.m.Update(ctx, nil, deletion, func(t *txn.Tx) error {
		losers, deleted = 0, 0
		system := t.Scope(p.d.system)
		record, err := p.record(ctx, t)
		if err == nil && !p.marked {
			err = record.AddTags(ctx, p.o.Mark)
		}
		if err != nil {
			return err
		}
		for _, v := range list {
			err := runindex.DeleteRef(ctx, system, v.Ref)
			switch {
			case err == nil:
				deleted++
				if v.loser {
					losers++
				}
			case errors.Is(err, ErrRunNotFound): // somebody was faster
			case errors.Is(err, ErrHasForks): // it was forked since; it comes up again with them
			default:
				return err
			}
		}
		return nil
	})
	if err == nil {
		p.did.Losers, p.did.Deleted = p.did.Losers+losers, p.did.Deleted+deleted
	}
	return err
}

// dropParent deletes the parent.
func (p *promoter) dropParent(ctx context.Context) error {
	for {
		_, err := p.d.m.Update(ctx, nil, deletion, func(t *txn.Tx) error {
			if _, err := p.record(ctx, t); err != nil {
				return err
			}
			return runindex.DeleteRef(ctx, t.Scope(p.d.system), p.parent)
		})
		switch {
		case err == nil:
			p.did.Deleted++
			return nil
		case errors.Is(err, ErrRunNotFound):
			return nil // it is gone, which is what was asked for
		case errors.Is(err, ErrHasForks):
			err = p.d.flattenForks(ctx, p.parent.Number)
		}
		if err != nil {
			return err
		}
	}
}
