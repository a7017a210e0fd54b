package vectors

import (
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// What is stored, for those who read it from a journal.

// DecodeRow reads the stored form of a row, written under an id by the commit of a version. The
// metadata aliases stored. Errors: codec.ErrCorrupt, codec.ErrFormat.
func DecodeRow(id string, version uint64, stored []byte) (Row, error) {
	row, err := codec.DecodeVectorRow(stored)
	if err != nil {
		return Row{}, err
	}
	return Row{ID: id, Vector: row.Vector, Metadata: row.Metadata, Version: version}, nil
}

// DecodeInfo reads the stored form of a collection's record, written by the commit of a version. It
// knows no Created. Errors: as DecodeRow.
func DecodeInfo(name string, version uint64, stored []byte) (Info, error) {
	record, err := codec.DecodeVectorCollection(stored)
	if err != nil {
		return Info{}, err
	}
	return Collection{name: name}.info(&record, version), nil
}

// Check judges what is stored under a key: that both are what this package writes.
// Errors: codec.ErrCorrupt, codec.ErrFormat; codec.ErrInvalidArgument for a vector that no
// collection holds.
func Check(key string, stored []byte) error {
	if err := codec.CheckVectorRecord(key, stored); err != nil {
		return err
	}
	row, err := codec.DecodeVectorRow(stored)
	if err != nil {
		return nil // a collection's record, or it would have been refused
	}
	return vector.CheckVector(len(row.Vector), row.Vector)
}

// Shown is the stored form as a Value for people and programs that compare: of a row a Map of
// "vector", an Array of Floats, and "metadata", if there is any; of a collection's record a Map of
// its options, and "dropping" while its rows are being deleted.
// Errors: as DecodeRow.
func Shown(key string, stored []byte) (codec.Value, error) {
	name, id, err := codec.DecodeVectorKey(key)
	if err != nil {
		return codec.Value{}, err
	}
	if id == "" {
		return shownInfo(name, stored)
	}
	row, err := codec.DecodeVectorRow(stored)
	if err != nil {
		return codec.Value{}, err
	}
	components := make([]codec.Value, len(row.Vector))
	for i, x := range row.Vector {
		components[i] = codec.Float(float64(x))
	}
	all, err := codec.Array(components...)
	if err != nil {
		return codec.Value{}, err
	}
	entries := map[string]codec.Value{"vector": all}
	if !row.Metadata.IsNull() {
		entries["metadata"] = row.Metadata
	}
	return codec.Map(entries)
}

func shownInfo(name string, stored []byte) (codec.Value, error) {
	info, err := DecodeInfo(name, 0, stored)
	if err != nil {
		return codec.Value{}, err
	}
	entries := map[string]codec.Value{
		"dim": codec.Int(int64(info.Dim)), "metric": codec.String(info.Metric.String()),
	}
	for name, n := range map[string]int{
		"kind": int(info.Kind), "m": info.M, "ef_construction": info.EfConstruction,
	} {
		if n != 0 {
			entries[name] = codec.Int(int64(n))
		}
	}
	if record, err := codec.DecodeVectorCollection(stored); err == nil && record.Dropping {
		entries["dropping"] = codec.Bool(true)
	}
	return codec.Map(entries)
}
