package vectors

import (
	"context"
	"fmt"
	"iter"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// ScrollOptions select rows. The zero value selects all.
type ScrollOptions struct {
	// Prefix keeps the ids that begin with it.
	Prefix string
	// After begins behind this id: the last one of the page before. It need not exist.
	After string
	// Limit is the most rows to return; 0 is no limit.
	Limit int
	// Filter keeps the rows whose metadata it matches; nil keeps all.
	Filter *vector.Filter

	_ struct{}
}

// selected is the range that the options select.
func (c Collection) selected(o *ScrollOptions) (txn.Range, error) {
	r := c.rows()
	switch {
	case o.Limit < 0:
		return r, invalid("limit %d, must not be negative", o.Limit)
	case max(len(o.Prefix), len(o.After)) > codec.MaxVectorName:
		return r, fmt.Errorf("%w: a prefix or id of more than %d bytes", codec.ErrTooLarge,
			codec.MaxVectorName)
	}
	if o.Prefix != "" {
		r = txn.PrefixRange(c.rowKey(o.Prefix))
	}
	if after := c.rowKey(o.After) + "\x00"; o.After != "" && after > r.Start {
		r.Start = after
	}
	return r, o.Filter.Validate()
}

// Scroll yields the selected rows in the order of their ids, all from one version: outside a
// transaction the one that is published when the iteration begins; inside, the transaction's
// snapshot under its own writes as they are when the iteration begins. An error is yielded once and
// last. Breaking out early is fine. The sequence can be iterated again and then looks anew.
//
// Inside a transaction the rows that the iteration went over join the read set, those that the
// filter passed over included.
func (c Collection) Scroll(ctx context.Context, o ScrollOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		c.walk(ctx, "scroll", &o, func(id string, e *txn.Entry, err error) bool {
			var row Row
			if err == nil {
				if row, err = DecodeRow(id, e.Version, e.Value); err != nil {
					err = c.wrap("scroll", id, err)
				}
			}
			return yield(row, err) && err == nil
		})
	}
}

// List yields the ids of the selected rows; see Scroll.
func (c Collection) List(ctx context.Context, o ScrollOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c.walk(ctx, "list", &o, func(id string, _ *txn.Entry, err error) bool {
			return yield(id, err)
		})
	}
}

// Count counts the selected rows, at most o.Limit if that is set; see Scroll. Cost: as for List.
func (c Collection) Count(ctx context.Context, o ScrollOptions) (n int, err error) {
	c.walk(ctx, "count", &o, func(_ string, _ *txn.Entry, failed error) bool {
		n, err = n+1, failed
		return true
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// walk visits the selected rows until visit answers false; an error comes once and last.
func (c Collection) walk(ctx context.Context, op string, o *ScrollOptions,
	visit func(id string, e *txn.Entry, err error) bool,
) {
	s := c.scope.Snapshot()
	_, _, err := c.open(ctx, s)
	var r txn.Range
	if err == nil {
		r, err = c.selected(o)
	}
	if err != nil {
		visit("", nil, c.wrap(op, "", err))
		return
	}
	if r.End != "" && r.Start >= r.End { // After lies behind all that begin with Prefix
		return
	}
	cursor := s.Scan(ctx, codec.Vectors, r)
	defer cursor.Close()
	name := len(c.key())
	for left := o.Limit; cursor.Next(); {
		e, id := cursor.Entry(), cursor.Key()[name:]
		keep, err := matches(o.Filter, e.Value)
		if err != nil {
			visit("", nil, c.wrap(op, id, err))
			return
		}
		if !keep {
			continue
		}
		if !visit(id, &e, nil) {
			return
		}
		if left--; left == 0 {
			return
		}
	}
	if err := cursor.Err(); err != nil {
		visit("", nil, c.wrap(op, "", err))
	}
}

// matches holds a filter against a stored row.
func matches(f *vector.Filter, stored []byte) (bool, error) {
	if f == nil {
		return true, nil
	}
	row, err := codec.DecodeVectorRow(stored)
	return err == nil && f.Matches(row.Metadata), err
}
