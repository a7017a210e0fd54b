package vectors

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// mostAtOnce is how many rows a transaction of Drop deletes.
const mostAtOnce = 10_000

// Drop drops the collection with all its rows and reports whether it existed. Whoever looks sees
// all of it or nothing.
//
// Of a run it is one commit for a collection of up to 10,000 rows. A larger one vanishes with the
// first commit, and others delete its rows, 10,000 each; if that does not come to its end the rest
// is invisible, takes room, and goes with the next Drop or Create of the name. Inside a transaction
// the limits of the transaction hold, and codec.ErrTooLarge means that it can only be rolled back.
//
// It conflicts with whoever writes to the collection at the same time, and with nobody else.
func (c Collection) Drop(ctx context.Context) (bool, error) {
	existed, err := c.drop(ctx)
	return existed, c.wrap("drop", "", err)
}

func (c Collection) drop(ctx context.Context) (existed bool, err error) {
	if !c.scope.Direct() {
		_, err = c.scope.Atomic(ctx, func(tx txn.Scope) error {
			existed, err = c.exists(ctx, tx)
			if err != nil {
				return err
			}
			return c.removeAll(ctx, tx)
		})
		return existed, err
	}
	marked := false
	_, err = c.scope.Atomic(ctx, func(tx txn.Scope) error {
		if existed, err = c.exists(ctx, tx); err != nil {
			return err
		}
		marked, err = c.removeOrMark(ctx, tx)
		return err
	})
	if inTheWay(err) { // the mark is one write, and locks out whoever is busy there
		_, err = c.scope.Atomic(ctx, func(tx txn.Scope) error {
			marked, err = c.mark(ctx, tx)
			return err
		})
	}
	for most := mostAtOnce; err == nil && marked; {
		_, err = c.scope.Atomic(ctx, func(tx txn.Scope) error {
			marked, err = c.removeSome(ctx, tx, most)
			return err
		})
		if errors.Is(err, codec.ErrTooLarge) && most > 1 {
			most, marked, err = most/8, true, nil
		}
	}
	return existed, err
}

// inTheWay reports whether the collection could not be dropped at once, for busy writers or for the
// limits of a transaction.
func inTheWay(err error) bool {
	var lost *txn.ConflictError
	return errors.As(err, &lost) || errors.Is(err, codec.ErrTooLarge)
}

// exists reports whether there is anything to drop that somebody sees.
func (c Collection) exists(ctx context.Context, tx txn.Scope) (bool, error) {
	record, e, err := c.look(ctx, tx)
	return e.Exists && !record.Dropping, err
}

// keys are the keys of rows that the transaction sees, up to a number.
func (c Collection) keys(ctx context.Context, tx txn.Scope, most int) ([]string, error) {
	beneath, err := tx.Beneath() // who writes to them meanwhile conflicts by the record, or the range
	if err != nil {
		return nil, err
	}
	var keys []string
	for key, e := range tx.Pending(codec.Vectors, c.rows()) {
		if e.Exists && len(keys) < most {
			keys = append(keys, key)
		}
	}
	cursor := beneath.Scan(ctx, codec.Vectors, c.rows())
	defer cursor.Close()
	for len(keys) < most && cursor.Next() {
		keys = append(keys, cursor.Key())
	}
	return keys, cursor.Err()
}

// removeAll deletes the collection's record and all rows; nobody may write one meanwhile.
func (c Collection) removeAll(ctx context.Context, tx txn.Scope) error {
	keys, err := c.keys(ctx, tx, int(^uint(0)>>1))
	if err != nil {
		return err
	}
	tx.GuardRange(codec.Vectors, c.rows())
	return c.remove(ctx, tx, append(keys, c.key()))
}

func (c Collection) remove(ctx context.Context, tx txn.Scope, keys []string) error {
	for _, key := range keys {
		if _, err := tx.Delete(ctx, codec.Vectors, key); err != nil {
			return err
		}
	}
	return nil
}

// removeOrMark is removeAll, or if there are too many rows mark.
func (c Collection) removeOrMark(ctx context.Context, tx txn.Scope) (marked bool, err error) {
	_, e, err := c.look(ctx, tx)
	if err != nil || !e.Exists {
		return false, err
	}
	keys, err := c.keys(ctx, tx, mostAtOnce)
	switch {
	case err != nil:
		return false, err
	case len(keys) == mostAtOnce:
		return c.mark(ctx, tx)
	}
	tx.GuardRange(codec.Vectors, c.rows())
	return false, c.remove(ctx, tx, append(keys, c.key()))
}

// mark makes the collection invisible: its record says that its rows are being deleted. Nobody
// writes one any more, for every write names the version of the record.
func (c Collection) mark(ctx context.Context, tx txn.Scope) (bool, error) {
	record, e, err := c.look(ctx, tx)
	if err != nil || !e.Exists || record.Dropping {
		return e.Exists, err
	}
	record.Dropping = true
	data, err := codec.AppendVectorCollection(nil, record)
	if err != nil {
		return false, err
	}
	_, err = tx.Put(ctx, codec.Vectors, c.key(), data, 0)
	return true, err
}

// removeSome deletes rows of a collection that is marked, and with the last ones its record. It
// reports whether there are more.
func (c Collection) removeSome(ctx context.Context, tx txn.Scope, most int) (more bool, err error) {
	record, _, err := c.look(ctx, tx)
	if err != nil || !record.Dropping { // somebody else came to the end
		return false, err
	}
	keys, err := c.keys(ctx, tx, most)
	if err != nil {
		return false, err
	}
	more = len(keys) == most
	if !more {
		keys = append(keys, c.key())
	}
	return more, c.remove(ctx, tx, keys)
}
