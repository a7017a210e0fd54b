package kv

import (
	"context"
	"fmt"
	"iter"
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
		for key, data := range k.walk(ctx, "scan", o) {
			if data.err != nil {
				yield(Pair{}, data.err)
				return
			}
			v, err := codec.DecodeValue(data.value)
			if err != nil {
				yield(Pair{}, k.wrap("scan", key, err))
				return
			}
			if !yield(Pair{Key: key, Value: v}, nil) {
				return
			}
		}
	}
}

// List yields the selected keys; see Scan.
func (k KV) List(ctx context.Context, o ScanOptions) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for key, data := range k.walk(ctx, "list", o) {
			if !yield(key, data.err) {
				return
			}
		}
	}
}

// Count counts the selected keys, at most o.Limit if that is set; see Scan.
func (k KV) Count(ctx context.Context, o ScanOptions) (int, error) {
	n := 0
	for _, data := range k.walk(ctx, "count", o) {
		if data.err != nil {
			return 0, data.err
		}
		n++
	}
	return n, nil
}

// found is an encoded value, or the error that ends a walk.
type found struct {
	value []byte
	err   error
}

// walk is what Scan, List and Count share: one cursor, always closed.
func (k KV) walk(ctx context.Context, op string, o ScanOptions) iter.Seq2[string, found] {
	return func(yield func(string, found) bool) {
		r, err := o.keys()
		if err != nil {
			yield("", found{err: k.wrap(op, o.Prefix, err)})
			return
		}
		if o.Start != "" && o.Start == o.End {
			return // an empty range, and an empty End would mean none
		}
		c := k.scope.Scan(ctx, k.placeRange(&r), r)
		defer c.Close()
		for n := 0; o.Limit == 0 || n < o.Limit; n++ {
			if !c.Next() {
				break
			}
			if !yield(c.Key()[len(k.space):], found{value: c.Entry().Value}) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield("", found{err: k.wrap(op, o.Prefix, err)})
		}
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
