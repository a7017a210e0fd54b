package runindex

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Record is the record of one run: status, tags, metadata, lineage. It is a small value: copy it
// freely. Made from a run or a view it is safe for concurrent use; made from a transaction it
// shares the transaction's rules: a change takes effect with the transaction's other writes, or
// none does, and the transaction's later reads of the record see it.
//
// Statuses change so, and no other way:
//
//	from         to
//	Active       Paused, Completed, Failed, Cancelled, Archived
//	Paused       Active, Cancelled, Archived
//	Completed    Archived
//	Failed       Archived
//	Cancelled    Archived
//	Archived     -
//
// Only an Active run takes writes. The status that counts is the one before a transaction: one that
// ends its run can write to it, one that resumes it cannot. Tags and metadata can be changed in
// every status.
//
// Errors of all methods: txn.ErrRunNotFound, codec.ErrInvalidArgument, codec.ErrCorrupt,
// txn.ErrTxnDone in an ended transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of
// the storage. Changes are refused on a view; of the status also by *TransitionError. Changes that
// meet on one record take turns; each costs a transaction directly, and the index entries that it
// moves. What changes nothing writes nothing.
type Record struct {
	index Index
	run   txn.Scope // the run itself
	id    string
}

// NewRecord returns the record of a run over the system scope and the run, both in the same form,
// in an epoch.
func NewRecord(system, run txn.Scope, epoch uint64) Record {
	return Record{index: New(system, epoch), run: run, id: run.Name()}
}

// Info reads the record, and how far the run has come: two lookups.
func (r Record) Info(ctx context.Context) (Info, error) {
	rec, err := r.record(ctx)
	if err != nil {
		return Info{}, r.wrap("info", err)
	}
	c, err := r.run.Commits(ctx)
	if err != nil {
		return Info{}, r.wrap("info", err)
	}
	i := infoOf(&rec, r.index.epoch)
	i.FirstVersion, i.LastVersion, i.Commits = c.First, c.Last, c.Count
	return i, nil
}

func (r Record) record(ctx context.Context) (codec.ScopeRecord, error) {
	if err := r.usable(ctx); err != nil {
		return codec.ScopeRecord{}, err
	}
	_, rec, err := r.read(ctx, r.index.scope)
	return rec, err
}

// Pause takes an Active run out of work: it takes no writes until Resume.
func (r Record) Pause(ctx context.Context) error {
	return r.move(ctx, "pause", codec.Paused, "")
}

// Resume makes a Paused run Active again. It also takes up an Active run that was interrupted,
// which then no longer counts as such.
func (r Record) Resume(ctx context.Context) error {
	return r.move(ctx, "resume", codec.Active, "")
}

// Complete ends an Active run that came to its goal.
func (r Record) Complete(ctx context.Context) error {
	return r.move(ctx, "complete", codec.Completed, "")
}

// Fail ends an Active run that did not, and says why: UTF-8, at most MaxError bytes.
func (r Record) Fail(ctx context.Context, reason string) error {
	if err := checkReason(reason); err != nil {
		return r.wrap("fail", err)
	}
	return r.move(ctx, "fail", codec.Failed, reason)
}

// Cancel ends an Active or Paused run that is not wanted any more.
func (r Record) Cancel(ctx context.Context) error {
	return r.move(ctx, "cancel", codec.Cancelled, "")
}

// Archive puts a run away, for good: its data can be read as before, but queries leave it out
// unless they ask for archived runs. A run that had not ended has then.
func (r Record) Archive(ctx context.Context) error {
	return r.move(ctx, "archive", codec.Archived, "")
}

func checkReason(reason string) error {
	switch {
	case len(reason) > MaxError:
		return fmt.Errorf("%w: error text of %d bytes, at most %d", codec.ErrTooLarge,
			len(reason), MaxError)
	case !utf8.ValidString(reason):
		return fmt.Errorf("%w: error text is not UTF-8", codec.ErrInvalidArgument)
	}
	return nil
}

// move changes the status.
func (r Record) move(ctx context.Context, op string, to codec.Status, reason string) error {
	return r.change(ctx, op, func(rec *codec.ScopeRecord, now int64) error {
		again := to == codec.Active && interrupted(rec, r.index.epoch)
		if !leads(rec.Status, to) && !again {
			return &TransitionError{Run: r.id, From: rec.Status, To: to}
		}
		rec.Status = to
		switch {
		case to == codec.Active:
			rec.BootEpoch = r.index.epoch
		case ended(to) && rec.Ended == 0:
			rec.Ended = now
		}
		if to == codec.Failed {
			rec.Error = reason
		}
		return nil
	})
}

// leads is the table of statuses.
func leads(from, to codec.Status) bool {
	switch from {
	case codec.Active:
		return to != codec.Active
	case codec.Paused:
		return to == codec.Active || to == codec.Cancelled || to == codec.Archived
	case codec.Completed, codec.Failed, codec.Cancelled:
		return to == codec.Archived
	}
	return false
}

// TransitionError says which change of status was refused. It matches txn.ErrInvalidTransition, and
// for a run that has ended also txn.ErrRunNotActive, with its *txn.RunStatusError.
type TransitionError struct {
	// Run is the id of the run.
	Run string
	// From is the status that the run has, To the one that was asked for.
	From, To codec.Status

	_ struct{}
}

func (e *TransitionError) Error() string {
	return fmt.Sprintf("%v: run %s is %v, which does not lead to %v",
		txn.ErrInvalidTransition, e.Run, e.From, e.To)
}

// Unwrap implements errors.Is and errors.As.
func (e *TransitionError) Unwrap() []error {
	if !ended(e.From) {
		return []error{txn.ErrInvalidTransition}
	}
	status := &txn.RunStatusError{Record: e.Run, Status: e.From}
	return []error{txn.ErrInvalidTransition, status}
}

// Tags returns the run's tags, sorted.
func (r Record) Tags(ctx context.Context) ([]string, error) {
	rec, err := r.record(ctx)
	return rec.Tags, r.wrap("tags", err)
}

// AddTags adds tags: UTF-8, not empty, at most MaxName bytes each and MaxTags of them in all. Those
// that the run has already stay. Errors also: codec.ErrTooLarge.
func (r Record) AddTags(ctx context.Context, tags ...string) error {
	return r.retag(ctx, "add tags", tags, func(old, tags []string) []string {
		return slices.Concat(old, tags)
	})
}

// RemoveTags removes tags. Those that the run does not have are passed over.
func (r Record) RemoveTags(ctx context.Context, tags ...string) error {
	return r.retag(ctx, "remove tags", tags, func(old, tags []string) []string {
		return slices.DeleteFunc(slices.Clone(old), func(tag string) bool {
			return slices.Contains(tags, tag)
		})
	})
}

// SetTags replaces all tags; see AddTags. Order and repetition do not matter.
func (r Record) SetTags(ctx context.Context, tags ...string) error {
	return r.retag(ctx, "set tags", tags, func(_, tags []string) []string { return tags })
}

func (r Record) retag(ctx context.Context, op string, tags []string,
	combine func(old, tags []string) []string,
) error {
	if err := checkTags(tags); err != nil {
		return r.wrap(op, err)
	}
	return r.change(ctx, op, func(rec *codec.ScopeRecord, _ int64) error {
		rec.Tags = slices.Compact(slices.Sorted(slices.Values(combine(rec.Tags, tags))))
		return checkTags(rec.Tags)
	})
}

// SetMetadata replaces the metadata, of at most MaxMetadata bytes encoded; Null removes it. What is
// larger belongs into the run. Errors also: codec.ErrTooLarge.
func (r Record) SetMetadata(ctx context.Context, v codec.Value) error {
	if err := checkMetadata(v); err != nil {
		return r.wrap("set metadata", err)
	}
	return r.change(ctx, "set metadata", func(rec *codec.ScopeRecord, _ int64) error {
		rec.Metadata = v
		return nil
	})
}

func checkMetadata(v codec.Value) error {
	if n := v.EncodedSize(); n > MaxMetadata {
		return fmt.Errorf("%w: metadata of %d bytes, at most %d", codec.ErrTooLarge, n, MaxMetadata)
	}
	return nil
}

// Children yields the runs that were begun under this one, in the order of creation, archived ones
// too, all from one version; an error is yielded once and last. See Index.All.
func (r Record) Children(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		one := r
		one.index.scope = r.index.scope.Snapshot()
		_, err := one.record(ctx)
		if err == nil {
			err = one.index.all(ctx, Query{Parent: r.id, IncludeArchived: true}, yield)
		}
		if err != nil {
			yield(Info{}, r.wrap("children", err))
		}
	}
}

// Ancestors yields the run that this one was begun under, then that one's, and so on up to the
// first, or to one whose parent was deleted. All from one version; an error is yielded once and
// last. Cost: a lookup each.
func (r Record) Ancestors(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := r.ancestors(ctx, yield); err != nil {
			yield(Info{}, r.wrap("ancestors", err))
		}
	}
}

func (r Record) ancestors(ctx context.Context, yield func(Info, error) bool) error {
	one := r
	one.index.scope = r.index.scope.Snapshot()
	rec, err := one.record(ctx)
	for err == nil {
		var ok bool
		if rec, ok, err = parentOf(ctx, one.index.scope, &rec); err != nil || !ok {
			return err
		}
		if !yield(infoOf(&rec, r.index.epoch), nil) {
			return nil
		}
	}
	return err
}

// wrap says which operation failed, and on which run; nil stays nil.
func (r Record) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s run %s: %w", op, r.id, err)
}
