package vectors

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Row is a vector of a collection.
type Row struct {
	// ID is any bytes, 1 to codec.MaxVectorName of them.
	ID string
	// Vector has as many components as the collection's dimension.
	Vector []float32
	// Metadata is a Map, or Null for none. Filters look into it.
	Metadata codec.Value
	// Version is the commit version that wrote the row; 0 for what a transaction has written itself.
	// Without effect when a row is written.
	Version uint64

	_ struct{}
}

// Upsert writes a row, whether there is one with its id or not, and returns the commit version (0
// inside a transaction). The vector is read during the call only.
//
// Errors: *DimensionError, ErrNotFinite, codec.ErrInvalidArgument for a vector so long that
// distances overflow; codec.ErrTypeMismatch for metadata that is neither a Map nor Null;
// codec.ErrTooLarge for a row of more than codec.MaxValueSize.
func (c Collection) Upsert(ctx context.Context, id string, v []float32, metadata codec.Value,
) (uint64, error) {
	version, err := c.upsert(ctx, &Row{ID: id, Vector: v, Metadata: metadata})
	return version, c.wrap("upsert", id, err)
}

func (c Collection) upsert(ctx context.Context, row *Row) (uint64, error) {
	for {
		record, e, err := c.open(ctx, c.scope)
		if err != nil {
			return 0, err
		}
		data, err := encode(&record, row)
		if err != nil {
			return 0, err
		}
		if !c.scope.Direct() { // the record is in the read set
			return c.scope.Put(ctx, codec.Vectors, c.rowKey(row.ID), data, 0)
		}
		version, err := c.scope.PutIf(ctx, codec.Vectors, c.rowKey(row.ID), data, txn.Expect{
			Primitive: codec.Vectors, Key: c.key(), Version: e.Version,
		})
		var lost *txn.ConflictError
		if !errors.As(err, &lost) {
			return version, err
		}
		// Somebody dropped the collection: look whether there is another one.
	}
}

// encode checks a row against the collection, and encodes it.
func encode(record *codec.VectorCollection, row *Row) ([]byte, error) {
	if err := checkName("id", row.ID); err != nil {
		return nil, err
	}
	if err := checkVector(record.Dimension, row.Vector); err != nil {
		return nil, err
	}
	room := 4*len(row.Vector) + row.Metadata.EncodedSize() + 16
	return codec.AppendVectorRow(make([]byte, 0, room),
		codec.VectorRow{Vector: row.Vector, Metadata: row.Metadata})
}

// UpsertMany writes rows as one step and returns the commit version (0 inside a transaction, or if
// there are no rows). Of rows with one id the last one stays.
//
// It is bounded by the limits of a transaction: by default 100,000 rows and 64 MiB. All rows are
// checked before the first one is written; inside a transaction that turns out to be too full, some
// of them have become part of it.
//
// Errors: those of Upsert, for the first row that cannot be written.
func (c Collection) UpsertMany(ctx context.Context, rows []Row) (uint64, error) {
	var failed string
	version, err := c.scope.Atomic(ctx, func(tx txn.Scope) error {
		failed = ""
		record, _, err := c.open(ctx, tx)
		if err != nil {
			return err
		}
		data := make([][]byte, len(rows))
		for i := range rows {
			if data[i], err = encode(&record, &rows[i]); err != nil {
				failed = rows[i].ID
				return err
			}
		}
		for i := range rows {
			_, err := tx.Put(ctx, codec.Vectors, c.rowKey(rows[i].ID), data[i], 0)
			if err != nil {
				failed = rows[i].ID
				return err
			}
		}
		return nil
	})
	return version, c.wrap("upsert", failed, err)
}

// Get returns a row and whether there is one. The caller may change the vector.
func (c Collection) Get(ctx context.Context, id string) (Row, bool, error) {
	s := c.scope.Snapshot()
	e, err := c.get(ctx, s, id)
	if err != nil || !e.Exists {
		return Row{}, false, c.wrap("get", id, err)
	}
	row, err := DecodeRow(id, e.Version, e.Value)
	return row, err == nil, c.wrap("get", id, err)
}

// get reads what is stored of a row.
func (c Collection) get(ctx context.Context, s txn.Scope, id string) (txn.Entry, error) {
	if _, _, err := c.open(ctx, s); err != nil {
		return txn.Entry{}, err
	}
	if err := checkName("id", id); err != nil {
		return txn.Entry{}, err
	}
	return s.Get(ctx, codec.Vectors, c.rowKey(id))
}

// Exists reports whether there is a row with that id.
func (c Collection) Exists(ctx context.Context, id string) (bool, error) {
	e, err := c.get(ctx, c.scope.Snapshot(), id)
	return e.Exists, c.wrap("exists", id, err)
}

// Delete deletes a row and reports whether it existed: decided at its place in the commit order, so
// that of two racing deletes one says true; inside a transaction provisionally, as the transaction
// sees it. Deleting a missing row writes nothing.
func (c Collection) Delete(ctx context.Context, id string) (bool, error) {
	existed, err := c.delete(ctx, id)
	return existed, c.wrap("delete", id, err)
}

func (c Collection) delete(ctx context.Context, id string) (bool, error) {
	if _, _, err := c.open(ctx, c.scope); err != nil {
		return false, err
	}
	if err := checkName("id", id); err != nil {
		return false, err
	}
	return c.scope.Delete(ctx, codec.Vectors, c.rowKey(id))
}

// Past is what a row was from one commit on.
type Past struct {
	// Row is what was written; without a vector if the row was deleted. Its Version is that of the
	// commit.
	Row
	// Written is the time of the commit.
	Written time.Time
	// Deleted: the commit deleted the row, perhaps with its collection.
	Deleted bool
}

// History yields what a row was, newest first: one Past for every commit that wrote or deleted it,
// also in collections of the same name that were dropped before. A run shows all that is published
// when the iteration begins, a view what there was at its version, a transaction its snapshot
// without its own writes. An error is yielded once and last; it matches backend.ErrPruned if
// retention has removed what came before. Breaking out early is fine.
//
// Inside a transaction the row joins the read set. That the collection is not there any more is no
// error. Cost: by what is yielded, and a lookup each for the time.
func (c Collection) History(ctx context.Context, id string) iter.Seq2[Past, error] {
	return func(yield func(Past, error) bool) {
		err := checkName("name of a collection", c.name)
		if err == nil {
			err = checkName("id", id)
		}
		if err != nil {
			yield(Past{}, c.wrap("history", id, err))
			return
		}
		for past, err := range c.scope.History(ctx, codec.Vectors, c.rowKey(id)) {
			found := Past{
				Row: Row{ID: id, Version: past.Version}, Written: time.Unix(0, past.Time),
				Deleted: past.Deleted,
			}
			if err == nil && !past.Deleted {
				found.Row, err = DecodeRow(id, past.Version, past.Value)
			}
			if err != nil {
				yield(Past{}, c.wrap("history", id, err))
				return
			}
			if !yield(found, nil) {
				return
			}
		}
	}
}
