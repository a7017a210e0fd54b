package runindex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Forks.
//
// A fork reads through its parent until it is flattened: until then the parent can neither be
// deleted, nor lose the history that the fork shows. The entry under kindFork says so. It lies
// under the version of the parent at which the fork was made, so the first of a parent's is the
// oldest version that anybody needs. Being archived changes nothing of it, so it lies in one family
// only.
//
// Invariant: a run has such an entry exactly if its record ReadsThrough. Whoever makes a fork reads
// the record of the parent; whoever deletes a run writes its record and reads, Serializable, all
// entries of forks of it. So of two that do both at once, one sees the other.

// ErrHasForks is the error of a deletion of a run that forks still read through.
var ErrHasForks = errors.New("run has forks")

// maxNamedForks is how many forks a ForksError names.
const maxNamedForks = 5

// ForksError says which forks read through a run that was to be deleted. It matches ErrHasForks.
type ForksError struct {
	// Run is the id of the run.
	Run string
	// Forks is how many read through it, First the ids of some, those of the oldest version first.
	Forks int
	First []string

	_ struct{}
}

func (e *ForksError) Error() string {
	more := ""
	if e.Forks > len(e.First) {
		more = ", ..."
	}
	return fmt.Sprintf("%v: %d read through run %s: %s%s", ErrHasForks, e.Forks, e.Run,
		strings.Join(e.First, ", "), more)
}

// Unwrap implements errors.Is.
func (e *ForksError) Unwrap() error { return ErrHasForks }

// Ref names a run so that a later one with the same id is not meant.
type Ref struct {
	// ID is the id, Number that of its scope.
	ID     string
	Number codec.Scope
}

// Fork is a run that reads through another one.
type Fork struct {
	Ref
	// Version is the version of the parent up to which it reads there.
	Version uint64
}

// forkPrefix is the stream of the forks that read through a run, by the version of the fork.
func forkPrefix(parent codec.Scope) codec.Tuple {
	return appendFork(make(codec.Tuple, 0, usualKey), parent)
}

func appendFork(dst codec.Tuple, parent codec.Scope) codec.Tuple {
	return appendFamily(dst, false, kindFork).AppendInt(int64(parent))
}

// Forks yields the runs that read through the one with this number, by the version up to which they
// do, ascending; an error is yielded once and last. Numbers of the forks are not filled in. In a
// transaction the entries join the read set. Cost: a scan of them.
func Forks(ctx context.Context, system txn.Scope, number codec.Scope) iter.Seq2[Fork, error] {
	return func(yield func(Fork, error) bool) {
		prefix := string(forkPrefix(number))
		c := system.Scan(ctx, codec.RunIndex, txn.PrefixRange(prefix))
		defer c.Close()
		for c.Next() {
			version, rest, err := codec.NextElement([]byte(c.Key()[len(prefix):]))
			if err != nil || version.Kind != codec.ElementInt {
				yield(Fork{}, damaged("the entry of a fork cannot be read"))
				return
			}
			_, id, ok := decodePlace(string(rest))
			if !ok {
				yield(Fork{}, damaged("the entry of a fork cannot be read"))
				return
			}
			if !yield(Fork{Ref{ID: idText(id)}, uint64(version.Int)}, nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(Fork{}, err)
		}
	}
}

// unread refuses a run that forks read through.
func unread(ctx context.Context, system txn.Scope, r *codec.ScopeRecord) error {
	e := &ForksError{Run: idText(r.ID)}
	for f, err := range Forks(ctx, system, r.Number) {
		if err != nil {
			return err
		}
		if e.Forks++; len(e.First) < maxNamedForks {
			e.First = append(e.First, f.ID)
		}
	}
	if e.Forks == 0 {
		return nil
	}
	return e
}

// Through lists the runs that one reads through: its parent first, then that one's, and so on up to
// one whose own scope holds all that it shows. It is empty for a run that reads through none. The
// system scope is a direct one. Errors: txn.ErrRunNotFound if there is no such run,
// codec.ErrCorrupt if there is a hole in the chain, those of the storage. Cost: a lookup each.
func Through(ctx context.Context, system txn.Scope, of Ref) ([]Ref, error) {
	for {
		list, err := through(ctx, system, of)
		if !errors.Is(err, errMoved) {
			return list, err
		}
	}
}

// errMoved: a chain has changed under the one who walks along it.
var errMoved = errors.New("the chain has changed")

func through(ctx context.Context, system txn.Scope, of Ref) (list []Ref, err error) {
	r, err := peek(ctx, system, of)
	for err == nil && r.ReadsThrough() {
		at, up := of, Ref{idText(r.Parent), r.ParentNumber}
		if len(list) > 0 {
			at = list[len(list)-1]
		}
		list = append(list, up)
		if r, err = peek(ctx, system, up); errors.Is(err, txn.ErrRunNotFound) {
			err = missing(ctx, system, at, up)
		}
	}
	return list, err
}

// missing says what it means that a run was not found which another one read through: that one is
// flattened, or gone, by now.
func missing(ctx context.Context, system txn.Scope, at, up Ref) error {
	r, err := peek(ctx, system, at)
	switch {
	case errors.Is(err, txn.ErrRunNotFound):
		return errMoved
	case err == nil && r.ReadsThrough():
		return fmt.Errorf("%w: run %s reads through %s, which is not there", codec.ErrCorrupt,
			at.ID, up.ID)
	case err == nil:
		return errMoved
	}
	return err
}

// peek reads a record without a trace in a read set, and not that of a later run with the id.
func peek(ctx context.Context, system txn.Scope, of Ref) (codec.ScopeRecord, error) {
	e, err := system.Peek(ctx, codec.ScopeRecords, of.ID)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	if !e.Exists {
		return codec.ScopeRecord{}, txn.ErrRunNotFound
	}
	r, err := codec.DecodeScopeRecord(e.Value)
	if err == nil && (r.Number != of.Number || r.Kind == codec.KindImport) {
		err = txn.ErrRunNotFound
	}
	return r, err
}

// SetFlattened notes that all which a run shows is in its own scope now: it reads through nobody
// any more. Nothing else of the record changes. It is part of the transaction that system is in.
// Errors: txn.ErrRunNotFound, those of the storage.
func SetFlattened(ctx context.Context, system txn.Scope, of Ref) error {
	before, err := loadRef(ctx, system, of)
	if err != nil || !before.ReadsThrough() {
		return err
	}
	after := before
	after.Flattened = true
	return rewrite(ctx, system, &before, &after)
}

// loadRef reads the record of a run, and not of a later one with its id.
func loadRef(ctx context.Context, system txn.Scope, of Ref) (codec.ScopeRecord, error) {
	r, err := load(ctx, system, of.ID)
	if err == nil && r.Number != of.Number {
		err = txn.ErrRunNotFound
	}
	return r, err
}

// Child is a run under another one, with what decides whether it is meant.
type Child struct {
	Ref
	// Forked: it is a fork, flattened or not; otherwise it was begun under its parent.
	Forked bool
	// Tags are sorted.
	Tags []string
}

// Children lists the runs under the one with this number, whatever their status: forks of it, also
// flattened ones, and those begun under it, in no order that means anything. Cost: a lookup each.
func Children(ctx context.Context, system txn.Scope, number codec.Scope) ([]Child, error) {
	var list []Child
	for _, archived := range [...]bool{false, true} {
		prefix := string(parentPrefix(archived, number))
		c := system.Scan(ctx, codec.RunIndex, txn.PrefixRange(prefix))
		for c.Next() {
			_, id, ok := decodePlace(c.Key()[len(prefix):])
			if !ok {
				c.Close()
				return nil, damaged("the entry of a child cannot be read")
			}
			r, err := load(ctx, system, idText(id))
			if errors.Is(err, txn.ErrRunNotFound) {
				continue // deleted since, and this is an old version
			}
			if err != nil {
				c.Close()
				return nil, err
			}
			list = append(list, Child{
				Ref: Ref{idText(id), r.Number}, Forked: r.ForkVersion > 0, Tags: r.Tags,
			})
		}
		c.Close()
		if err := c.Err(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
