package inmem

import (
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// vectors holds rows to the collections that they are in.
func (v *verification) vectors(s *backend.Scope, scope txn.Scope) error {
	return v.passes(s, codec.Vectors, v.rows(s, scope))
}

// rows looks at all of them once: the record of a collection lies right before its rows.
func (v *verification) rows(s *backend.Scope, scope txn.Scope) error {
	c := scope.Scan(v.ctx, codec.Vectors, txn.Range{})
	defer c.Close()
	var record codec.VectorCollection
	var of string // the collection that record is of
	for c.Next() {
		name, id, err := codec.DecodeVectorKey(c.Key())
		if err != nil {
			continue // it was judged
		}
		if id == "" {
			if record, err = codec.DecodeVectorCollection(c.Value()); err == nil {
				of = name
			}
			continue
		}
		text := ""
		if name != of {
			text = "the vector is in no collection"
		} else if row, err := codec.DecodeVectorRow(c.Value()); err == nil &&
			len(row.Vector) != record.Dimension {
			text = fmt.Sprintf("the vector has %d components, its collection %d", len(row.Vector),
				record.Dimension)
		}
		if text != "" {
			v.note(backend.Problem{
				Kind: ProblemValue, Scope: s.Number, Record: s.Record, Primitive: codec.Vectors,
				Key: c.Key(), Version: c.Entry().Version, Text: text,
			})
		}
	}
	return c.Err()
}
