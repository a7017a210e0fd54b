package kv

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"

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
				if i > 0 && !w.step(i) {
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
				if i > 0 && !w.step(i) {
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
		n++
		for i := 1; i < len(w.keys) && w.step(i); i++ {
			n++
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return n, nil
}

// walk is what Scan, List and Count share: a cursor with a limit. It must be closed, and not be
// touched afterwards: it is then somebody else's. So it never leaves the functions that open it.
type walk struct {
	k          KV
	op, prefix string // for errors
	c          txn.Cursor
	open       bool     // false: nothing is selected
	left       int      // how many more keys may be shown
	keys       []string // that under the cursor and those behind it, as they lie in the store
	values     [][]byte
	err        error // why it ended, if not because there is nothing left
}

// walks are closed. Each keeps a cursor with its memory: a scan is short.
var walks = sync.Pool{New: func() any { return new(walk) }}

func (k KV) walk(ctx context.Context, op string, o *ScanOptions) *walk {
	w := walks.Get().(*walk)
	w.k, w.op, w.prefix, w.left = k, op, o.Prefix, o.Limit
	if o.Limit == 0 {
		w.left = math.MaxInt
	}
	r, err := o.keys()
	if err != nil {
		w.err = k.wrap(op, o.Prefix, err)
		return w
	}
	if o.Start == "" || o.Start != o.End { // else an empty range, and an empty End would mean none
		w.open = true
		w.c.Scan(ctx, k.scope, k.placeRange(&r), r)
	}
	return w
}

// some moves on to the key that follows, and brings what is at hand behind it.
func (w *walk) some() bool {
	if !w.open || w.left == 0 {
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

// step moves on to key i of those that some brought, behind the first. If it reports false, that
// and what follows are not shown, and some says why.
func (w *walk) step(i int) bool {
	if w.c.Step() {
		return true
	}
	w.left += len(w.keys) - i
	return false
}

// close gives the walk back. The next one begins with the cursor as it is, and nothing else.
func (w *walk) close() {
	if w.open {
		w.c.Close()
	}
	w.k, w.op, w.prefix, w.open = KV{}, "", "", false
	w.keys, w.values, w.err = nil, nil, nil
	walks.Put(w)
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
