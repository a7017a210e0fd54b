package vectors

import (
	"context"
	"errors"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// CollectionOptions describe a collection. Dim and Metric are needed, and never change.
type CollectionOptions struct {
	// Dim is the number of components of every vector, 1 to codec.MaxDimension.
	Dim int
	// Metric is how vectors are compared.
	Metric vector.Metric
	// Kind is the kind of index: KindAuto (default) lets the database choose by size, KindFlat makes
	// every search exact, KindGraph has a graph from the beginning.
	Kind vector.Kind
	// M is how many links a vector has in a graph, 2 to vector.MaxM; 0 is the default.
	M int
	// EfConstruction is how many candidates are looked at when a vector is linked, at least M and
	// at most codec.MaxGraphParameter; 0 is the default. More finds more and takes longer.
	EfConstruction int

	_ struct{}
}

// record checks the options.
func (o *CollectionOptions) record() (codec.VectorCollection, error) {
	if _, err := vector.ParseMetric(o.Metric.String()); err != nil {
		return codec.VectorCollection{}, err
	}
	switch {
	case o.Dim < 1 || o.Dim > codec.MaxDimension:
		return codec.VectorCollection{}, invalid("dimension %d, expected 1 to %d", o.Dim,
			codec.MaxDimension)
	case o.Kind > vector.KindGraph:
		return codec.VectorCollection{}, invalid("kind %d of index", o.Kind)
	case o.M != 0 && (o.M < 2 || o.M > vector.MaxM):
		return codec.VectorCollection{}, invalid("M %d, expected 2 to %d", o.M, vector.MaxM)
	case o.EfConstruction < 0 || o.EfConstruction > codec.MaxGraphParameter,
		o.EfConstruction != 0 && o.EfConstruction < o.M:
		return codec.VectorCollection{}, invalid("EfConstruction %d, expected at least M and at "+
			"most %d", o.EfConstruction, codec.MaxGraphParameter)
	}
	return codec.VectorCollection{
		Dimension: o.Dim, Metric: codec.VectorMetric(o.Metric), Index: codec.VectorIndex(o.Kind),
		Links: o.M, Candidates: o.EfConstruction,
	}, nil
}

// Info is what is known of a collection.
type Info struct {
	// Name is its name.
	Name string
	// Dim, Metric, Kind, M and EfConstruction are those that it was created with; 0 is the default.
	Dim               int
	Metric            vector.Metric
	Kind              vector.Kind
	M, EfConstruction int
	// Version is that of the commit that created it, Created its time; zero inside the transaction
	// that does. A collection that was dropped and created again has another one.
	Version uint64
	Created time.Time

	_ struct{}
}

func (c Collection) info(r *codec.VectorCollection, version uint64) Info {
	return Info{
		Name: c.name, Dim: r.Dimension, Metric: vector.Metric(r.Metric), Kind: vector.Kind(r.Index),
		M: r.Links, EfConstruction: r.Candidates, Version: version,
	}
}

// Create creates the collection and returns the commit version (0 inside a transaction).
//
// Errors: ErrExists, whatever its options are; codec.ErrInvalidArgument for a metric, dimension or
// parameter that is none.
func (c Collection) Create(ctx context.Context, o CollectionOptions) (uint64, error) {
	record, err := o.record()
	if err != nil {
		return 0, c.wrap("create", "", err)
	}
	version, err := c.scope.Atomic(ctx, func(tx txn.Scope) error {
		old, e, err := c.look(ctx, tx)
		switch {
		case err != nil:
			return err
		case e.Exists && !old.Dropping:
			return ErrExists
		case e.Exists: // somebody who dropped it did not come to the end
			if err := c.removeAll(ctx, tx); err != nil {
				return err
			}
		}
		data, err := codec.AppendVectorCollection(nil, record)
		if err != nil {
			return err
		}
		_, err = tx.Put(ctx, codec.Vectors, c.key(), data, 0)
		return err
	})
	return version, c.wrap("create", "", err)
}

// Ensure creates the collection unless it exists. It is for programs that begin where they stopped:
// of one that exists dimension and metric must be those of the options, the rest may differ.
//
// Errors: *DimensionError, codec.ErrInvalidArgument for another metric, and those of Create but
// ErrExists.
func (c Collection) Ensure(ctx context.Context, o CollectionOptions) error {
	if _, err := c.Create(ctx, o); !errors.Is(err, ErrExists) {
		return c.wrap("ensure", "", err)
	}
	record, _, err := c.open(ctx, c.scope)
	switch {
	case err != nil:
	case record.Dimension != o.Dim:
		err = &DimensionError{Expected: record.Dimension, Found: o.Dim}
	case vector.Metric(record.Metric) != o.Metric:
		err = invalid("metric %v, the collection has %v", o.Metric, vector.Metric(record.Metric))
	}
	return c.wrap("ensure", "", err)
}

// Describe tells how the collection was created.
func (c Collection) Describe(ctx context.Context) (Info, error) {
	s := c.scope.Snapshot()
	record, e, err := c.open(ctx, s)
	if err != nil {
		return Info{}, c.wrap("describe", "", err)
	}
	info := c.info(&record, e.Version)
	created, err := s.CommitTime(ctx, e.Version)
	if created != 0 {
		info.Created = time.Unix(0, created)
	}
	return info, c.wrap("describe", "", err)
}
