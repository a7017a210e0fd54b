package kv

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ScanOptions select keys. The zero value selects all.
type ScanOptions struct {
	// Prefix keeps the keys that begin with it.
	Prefix string
	// Start is the first key that may be returned, End the first one beyond; empty for no bound.
	// They are whole keys: with a Prefix, Start must begin with it, and End lie among or right
	// behind the keys that do.
	Start, End string
	// Reverse walks from the last key to the first.
	Reverse bool
	// Limit is the most keys to return; 0 is no limit.
	Limit int

	_ struct{}
}

// keys turns the options into the range that they select.
func (o *ScanOptions) keys() (txn.Range, error) {
	r := txn.PrefixRange(o.Prefix)
	r.Reverse = o.Reverse
	switch {
	case o.Limit < 0:
		return r, invalid("limit %d, must not be negative", o.Limit)
	case max(len(o.Prefix), len(o.Start), len(o.End)) > codec.MaxKeySize:
		return r, fmt.Errorf("%w: a bound of more than %d bytes",
			codec.ErrTooLarge, codec.MaxKeySize)
	case o.Start != "" && !strings.HasPrefix(o.Start, o.Prefix):
		return r, invalid("start %q does not begin with prefix %q", o.Start, o.Prefix)
	case o.End != "" && (o.End <= r.Start && o.Prefix != "" || r.End != "" && o.End > r.End):
		return r, invalid("end %q is not among the keys with prefix %q", o.End, o.Prefix)
	case o.End != "" && o.Start > o.End:
		return r, invalid("start %q lies behind end %q", o.Start, o.End)
	}
	if o.Start != "" {
		r.Start = o.Start
	}
	if o.End != "" {
		r.End = o.End
	}
	return r, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrInvalidArgument}, args...)...)
}

// Pair is a key with its value.
type Pair struct {
	Key   string
	Value codec.Value
}

// Scan yields the selected pairs in key order, all from one version: outside a transaction the one
// that is published when the iteration begins; inside, the transaction's snapshot under its own
// writes as they are when the iteration begins. An error is yielded once and last. Breaking out
// early is fine. The sequence can be iterated again and then looks anew.
//
// Inside a transaction the keys that the iteration went over join the read set.
func (k KV) Scan(ctx context.Context, o ScanOptions) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		w := k.walk(ctx, "scan", &o)
		defer w.close()
		for w.some() {
			for i, key := range w.keys {
				if i > 0 && w.over(i) {
					break
				}
				v, err := codec.DecodeStored(w.values[i])
				if err != nil {
					yield(Pair{}, k.wrap("scan", key[len(k.space):], err))
					return
				}
				if !yield(Pair{Key: key[len(k.space):], Value: v}, nil) {
					return
				}
			}
		}
		if w.err != nil {
			yield(Pair{}, w.err)
		}
	}
}

// List yields the selected keys; see Scan.
func (k KV) List(ctx context.Context, o ScanOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := k.walk(ctx, "list", &o)
		defer w.close()
		for w.some() {
			for i, key := range w.keys {
				if i > 0 && w.over(i) {
					break
				}
				if !yield(key[len(k.space):], nil) {
					return
				}
			}
		}
		if w.err != nil {
			yield("", w.err)
		}
	}
}

// Count counts the selected keys, at most o.Limit if that is set; see Scan.
func (k KV) Count(ctx context.Context, o ScanOptions) (n int, err error) {
	w := k.walk(ctx, "count", &o)
	defer w.close()
	for w.some() {
		n += len(w.keys)
	}
	if w.err != nil {
		return 0, w.err
	}
	return n, nil
}

// walk is what Scan, List and Count share: a cursor with a limit. It must be closed.
type walk struct {
	k          KV
	op, prefix string      // for errors
	c          *txn.Cursor // nil: nothing is selected
	left       int         // how many more keys may be shown
	keys       []string    // those that come next, as they lie in the store
	values     [][]byte
	err        error // why it ended, if not because there is nothing left
}

func (k KV) walk(ctx context.Context, op string, o *ScanOptions) walk {
	w := walk{k: k, op: op, prefix: o.Prefix, left: o.Limit}
	if o.Limit == 0 {
		w.left = math.MaxInt
	}
	r, err := o.keys()
	if err != nil {
		w.err = k.wrap(op, o.Prefix, err)
		return w
	}
	if o.Start == "" || o.Start != o.End { // else an empty range, and an empty End would mean none
		w.c = k.scope.Scan(ctx, k.placeRange(&r), r)
	}
	return w
}

// some moves on to the keys that follow: at least one, as many as there are at hand.
func (w *walk) some() bool {
	if w.c == nil || w.left == 0 {
		return false
	}
	w.keys, w.values = w.c.Some(w.left)
	w.left -= len(w.keys)
	if len(w.keys) > 0 {
		return true
	}
	if err := w.c.Err(); err != nil {
		w.err = w.k.wrap(w.op, w.prefix, err)
	}
	return false
}

// over reports whether the view has ended before key i of those that were moved on to: it and what
// follows are not shown, and some says why.
func (w *walk) over(i int) bool {
	if !w.c.Over() {
		return false
	}
	w.left += len(w.keys) - i
	return true
}

func (w *walk) close() {
	if w.c != nil {
		w.c.Close()
	}
}

// placeRange turns a range of keys into where it lies in the store.
func (k KV) placeRange(r *txn.Range) codec.Primitive {
	if k.space == "" {
		return codec.KV
	}
	r.Start = k.space + r.Start
	if r.End == "" {
		r.End = txn.PrefixRange(k.space).End
	} else {
		r.End = k.space + r.End
	}
	return codec.Extensions
}
