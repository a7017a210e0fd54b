package vectors

import (
	"context"
	"iter"

	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Collections are the collections of one run. It is a small value: copy it freely. Made from a run
// or a view it is safe for concurrent use; made from a transaction it shares the transaction's
// rules.
type Collections struct {
	scope txn.Scope
	index *vecindex.Manager // nil: every search is exact
}

// New returns the primitive over a scope. Every search is exact.
func New(s txn.Scope) Collections { return Collections{scope: s} }

// NewIndexed returns the primitive over a scope with the indexes of its database.
func NewIndexed(s txn.Scope, index *vecindex.Manager) Collections {
	return Collections{scope: s, index: index}
}

// Collection is one collection by its name. It costs nothing to make, whether the collection exists
// or not. Copies and concurrent use are as for Collections.
//
// Errors of all methods: ErrNotFound if there is no such collection (but for Create, Ensure and
// Drop), codec.ErrInvalidArgument for an empty name or id, codec.ErrTooLarge for one of more than
// codec.MaxVectorName bytes, codec.ErrCorrupt, codec.ErrFormat, txn.ErrTxnDone in an ended
// transaction or view, txn.ErrTimeout and txn.ErrCanceled, and those of the storage. Writes are
// also refused on a view (read-only) and on a run that has ended. Every message names the
// operation, the run and the collection.
type Collection struct {
	scope txn.Scope
	index *vecindex.Manager
	name  string
}

// Collection returns the collection with a name of any bytes, up to codec.MaxVectorName.
func (x Collections) Collection(name string) Collection {
	return Collection{scope: x.scope, index: x.index, name: name}
}

// Name is the collection's name.
func (c Collection) Name() string { return c.name }

// List yields the names of the collections in byte order, all from one version: outside a
// transaction the one that is published when the iteration begins; inside, the transaction's
// snapshot under its own writes. An error is yielded once and last. The sequence can be iterated
// again and then looks anew.
//
// Inside a transaction the records that the iteration went over join the read set. Cost: a seek for
// every collection, whatever they hold.
func (x Collections) List(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s, start := x.scope.Snapshot(), ""
		for {
			name, shown, found, err := nextCollection(ctx, s, start)
			if err != nil {
				yield("", x.Collection("").wrap("list", "", err))
				return
			}
			if !found || shown && !yield(name, nil) {
				return
			}
			start = txn.PrefixRange(codec.VectorCollectionKey(name)).End
		}
	}
}

// nextCollection finds the first collection whose keys are at or behind start, and whether it is to
// be shown.
func nextCollection(ctx context.Context, s txn.Scope, start string,
) (name string, shown, found bool, err error) {
	c := s.Scan(ctx, codec.Vectors, txn.Range{Start: start})
	defer c.Close()
	if !c.Next() {
		return "", false, false, c.Err()
	}
	name, id, err := codec.DecodeVectorKey(c.Key())
	if err != nil {
		return "", false, false, err
	}
	if id != "" { // rows without a record: they show themselves nowhere
		return name, false, true, nil
	}
	record, err := codec.DecodeVectorCollection(c.Value())
	return name, !record.Dropping, true, err
}

// key is the key of the collection's record.
func (c Collection) key() string { return codec.VectorCollectionKey(c.name) }

// rowKey is the key of a row.
func (c Collection) rowKey(id string) string { return codec.VectorRowKey(c.name, id) }

// rows are the keys of all rows: an id is not empty.
func (c Collection) rows() txn.Range {
	r := txn.PrefixRange(c.key())
	r.Start += "\x00"
	return r
}

// open reads the collection's record; inside a transaction it joins the read set.
// Errors: ErrNotFound.
func (c Collection) open(ctx context.Context, s txn.Scope) (codec.VectorCollection, txn.Entry,
	error,
) {
	record, e, err := c.look(ctx, s)
	if err == nil && (!e.Exists || record.Dropping) {
		err = ErrNotFound
	}
	return record, e, err
}

// look is open that also shows what does not exist, or is being dropped.
func (c Collection) look(ctx context.Context, s txn.Scope) (codec.VectorCollection, txn.Entry,
	error,
) {
	if err := checkName("name of a collection", c.name); err != nil {
		return codec.VectorCollection{}, txn.Entry{}, err
	}
	e, err := s.Get(ctx, codec.Vectors, c.key())
	if err != nil || !e.Exists {
		return codec.VectorCollection{}, e, err
	}
	record, err := codec.DecodeVectorCollection(e.Value)
	return record, e, err
}
