package runindex

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ErrRunExists is the error of Create with an id that is taken.
var ErrRunExists = errors.New("run exists")

// NewRun is what a run begins with.
type NewRun struct {
	// ID is the run's, Number that of its scope, fresh from the authority.
	ID     [16]byte
	Number codec.Scope
	// Tenant, App and Agent are the namespace: UTF-8, at most MaxName bytes each.
	Tenant, App, Agent string
	// Parent is the id of a run that exists, zeros for none.
	Parent [16]byte
	// ForkVersion makes the run a fork: it reads as the parent did at this version; 0: it does not.
	// ParentNumber is the scope of the parent; 0 for whichever has the id.
	ForkVersion  uint64
	ParentNumber codec.Scope
	// Tags are as for Record.AddTags; order and repetition do not matter.
	Tags []string
	// Metadata is as for Record.SetMetadata.
	Metadata codec.Value

	_ struct{}
}

// Check refuses what no record may hold. Errors: codec.ErrInvalidArgument, codec.ErrTooLarge.
func (n *NewRun) Check() error {
	if err := checkSpace(n.Tenant, n.App, n.Agent); err != nil {
		return err
	}
	if err := checkTags(n.Tags); err != nil {
		return err
	}
	return checkMetadata(n.Metadata)
}

// Create writes the record of a new run, Active in an epoch, with its index entries. It is part of
// the transaction that system is in, which also creates the scope.
//
// A fork is in the namespace of its parent, as far as it names none of its own.
//
// An id that was deleted can be used again. Errors: ErrRunExists, txn.ErrRunNotFound for the
// parent, those of Check, and those of the storage.
func Create(ctx context.Context, system txn.Scope, epoch uint64, n NewRun) error {
	if err := n.Check(); err != nil {
		return err
	}
	e, err := system.Get(ctx, codec.ScopeRecords, idText(n.ID))
	if err != nil {
		return err
	}
	if e.Exists {
		return ErrRunExists
	}
	now := system.Now()
	rec := codec.ScopeRecord{
		ID: n.ID, Number: n.Number, Tenant: n.Tenant, App: n.App, Agent: n.Agent,
		Parent: n.Parent, Status: codec.Active, Created: now, Updated: now,
		Tags:     slices.Compact(slices.Sorted(slices.Values(n.Tags))),
		Metadata: n.Metadata, BootEpoch: epoch,
	}
	if n.Parent != [16]byte{} {
		parent, err := load(ctx, system, idText(n.Parent))
		if err == nil && n.ParentNumber != 0 && n.ParentNumber != parent.Number {
			err = txn.ErrRunNotFound
		}
		if err != nil {
			return fmt.Errorf("parent %s: %w", idText(n.Parent), err)
		}
		rec.ParentNumber = parent.Number
		if rec.ForkVersion = n.ForkVersion; rec.ForkVersion > 0 {
			rec.Tenant = cmp.Or(rec.Tenant, parent.Tenant)
			rec.App = cmp.Or(rec.App, parent.App)
			rec.Agent = cmp.Or(rec.Agent, parent.Agent)
			rec.Imported = parent.Imported
			rec.Oldest = parent.Number
			if parent.ForkVersion > 0 && parent.ParentNumber != 0 { // not one that was imported
				rec.Oldest = parent.Oldest
			}
		}
	}
	return rewrite(ctx, system, nil, &rec)
}

// Delete deletes the record of a run and its index entries. It is part of the transaction that
// system is in, which must be Serializable: a fork made meanwhile must be a conflict. With its
// commit the run is gone. Children keep the id of their parent.
//
// Errors: txn.ErrRunNotFound, *ForksError, codec.ErrInvalidArgument for what is no id, those of the
// storage. After an error it has written nothing.
func Delete(ctx context.Context, system txn.Scope, id string) error {
	rec, err := New(system, 0).find(ctx, id)
	if err != nil {
		return err
	}
	return remove(ctx, system, &rec)
}

// DeleteRef is Delete of a run that a later one with its id does not stand in for.
func DeleteRef(ctx context.Context, system txn.Scope, of Ref) error {
	rec, err := loadRef(ctx, system, of)
	if err != nil {
		return err
	}
	return remove(ctx, system, &rec)
}

func remove(ctx context.Context, system txn.Scope, rec *codec.ScopeRecord) error {
	if err := unread(ctx, system, rec); err != nil {
		return err
	}
	return rewrite(ctx, system, rec, nil)
}

// parentOf reads the record of a run's parent; ok is false if it has none that exists. A later run
// with the parent's id is not the parent: so there is no way round in a circle.
func parentOf(ctx context.Context, system txn.Scope, r *codec.ScopeRecord,
) (parent codec.ScopeRecord, ok bool, err error) {
	if r.ParentNumber == 0 {
		return parent, false, nil
	}
	parent, err = load(ctx, system, idText(r.Parent))
	if errors.Is(err, txn.ErrRunNotFound) {
		return parent, false, nil
	}
	return parent, err == nil && parent.Number == r.ParentNumber, err
}

// change lets fn change the record, in turn with others who do.
func (r Record) change(ctx context.Context, op string,
	fn func(rec *codec.ScopeRecord, now int64) error,
) error {
	if err := r.usable(ctx); err != nil {
		return r.wrap(op, err)
	}
	_, err := r.index.scope.AtomicOn(ctx, codec.ScopeRecords, r.id, func(s txn.Scope) error {
		e, before, err := r.read(ctx, s)
		if err != nil {
			return err
		}
		after, now := before, s.Now()
		if err := fn(&after, now); err != nil {
			return err
		}
		data, err := codec.AppendScopeRecord(nil, after)
		if err != nil || bytes.Equal(data, e.Value) {
			return err
		}
		after.Updated = now
		return rewrite(ctx, s, &before, &after)
	})
	return r.wrap(op, err)
}

// read reads the record, also in its encoded form. That of a later run with the same id is another.
func (r Record) read(ctx context.Context, s txn.Scope) (txn.Entry, codec.ScopeRecord, error) {
	e, err := s.Get(ctx, codec.ScopeRecords, r.id)
	if err != nil {
		return e, codec.ScopeRecord{}, err
	}
	if !e.Exists {
		return e, codec.ScopeRecord{}, txn.ErrRunNotFound
	}
	rec, err := codec.DecodeScopeRecord(e.Value)
	if err == nil && (rec.Number != r.run.Number() || rec.Kind == codec.KindImport) {
		err = txn.ErrRunNotFound
	}
	return e, rec, err
}

// usable refuses what is no run: a shared namespace, or a transaction that names none.
func (r Record) usable(ctx context.Context) error {
	if _, err := ParseID(r.id); err == nil {
		return nil
	}
	if _, err := r.run.Peek(ctx, codec.KV, ""); err != nil {
		return err // it says why no run is named
	}
	return fmt.Errorf("%w: a shared namespace has no record", codec.ErrInvalidArgument)
}

// rewrite replaces a record, or creates it (before is nil), or deletes it (after is nil), and moves
// its index entries. It looks at everything before it writes.
func rewrite(ctx context.Context, s txn.Scope, before, after *codec.ScopeRecord) error {
	var l *layout
	if relocates(before, after) {
		var err error
		if l, err = readLayout(ctx, s.Get); err != nil {
			return err
		}
	}
	if after == nil {
		if _, err := s.Delete(ctx, codec.ScopeRecords, idText(before.ID)); err != nil {
			return err
		}
		return replace(ctx, s, entriesOf(before, l), nil)
	}
	data, err := codec.AppendScopeRecord(nil, *after)
	if err != nil {
		return err
	}
	if _, err := s.Put(ctx, codec.ScopeRecords, idText(after.ID), data, 0); err != nil {
		return err
	}
	if l != nil && passes(after) && after.Status == codec.Active && !l.knows(after.BootEpoch) {
		l.add(after.BootEpoch)
		if err := l.write(ctx, s); err != nil {
			return err
		}
	}
	return replace(ctx, s, entriesOf(before, l), entriesOf(after, l))
}

// relocates tells whether the entry of a passing status comes, goes or moves. Only then the layout
// matters, and a change conflicts with a Sweep.
func relocates(before, after *codec.ScopeRecord) bool {
	was, is := passes(before), passes(after)
	if was && is {
		return before.Status != after.Status || epochOf(before) != epochOf(after)
	}
	return was || is
}

// replace deletes and puts entries, as far as the two lists differ.
func replace(ctx context.Context, s txn.Scope, before, after []string) error {
	for _, key := range before {
		if !slices.Contains(after, key) {
			if _, err := s.Delete(ctx, codec.RunIndex, key); err != nil {
				return err
			}
		}
	}
	for _, key := range after {
		if !slices.Contains(before, key) {
			if _, err := s.Put(ctx, codec.RunIndex, key, null, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
