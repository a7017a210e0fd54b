package vectors

import (
	"fmt"
	"math"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// The errors of this package, besides those of packages codec and txn.
var (
	// ErrNotFound: the run has no collection of that name.
	ErrNotFound = fmt.Errorf("collection %w", txn.ErrNotFound)
	// ErrExists: the run has a collection of that name.
	ErrExists = fmt.Errorf("collection %w", txn.ErrExists)
	// ErrDimension: a vector with more or fewer components than the collection's. See
	// *DimensionError.
	ErrDimension = fmt.Errorf("%w: wrong dimension", codec.ErrInvalidArgument)
	// ErrNotFinite: a vector with a NaN or an infinity in it.
	ErrNotFinite = fmt.Errorf("%w: not a finite number", codec.ErrInvalidArgument)
)

// DimensionError says how many components a vector has, and how many it should have. It matches
// ErrDimension and codec.ErrInvalidArgument.
type DimensionError struct {
	// Expected is the dimension of the collection, Found that of the vector.
	Expected, Found int

	_ struct{}
}

func (e *DimensionError) Error() string {
	return fmt.Sprintf("%v: %d components, expected %d", ErrDimension, e.Found, e.Expected)
}

// Unwrap returns ErrDimension.
func (e *DimensionError) Unwrap() error { return ErrDimension }

// checkVector refuses a vector that a collection cannot hold, or be asked for.
func checkVector(dim int, v []float32) error {
	err := vector.CheckVector(dim, v)
	switch {
	case err == nil:
		return nil
	case len(v) != dim:
		return &DimensionError{Expected: dim, Found: len(v)}
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("%w: component %d is %v", ErrNotFinite, i, x)
		}
	}
	return err
}

// checkName refuses the name of a collection, or the id of a vector, that no key can hold.
func checkName(what, name string) error {
	if name == "" {
		return invalid("empty %s", what)
	}
	if len(name) > codec.MaxVectorName {
		return fmt.Errorf("%w: %s of %d bytes, at most %d", codec.ErrTooLarge, what, len(name),
			codec.MaxVectorName)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrInvalidArgument}, args...)...)
}

// shownName bounds the part of a name that an error message shows, in bytes.
const shownName = 64

func clip(name string) string {
	if len(name) > shownName {
		return fmt.Sprintf("%q...", name[:shownName])
	}
	return fmt.Sprintf("%q", name)
}

// opError says which operation failed. Its text is made when somebody asks: most conflicts are
// judged by errors.Is, and nobody reads them.
type opError struct {
	op, run, name, id string
	cause             error
}

func (e *opError) Error() string {
	at := ""
	if e.id != "" {
		at = " id " + clip(e.id)
	}
	return fmt.Sprintf("vectors %s run %s collection %s%s: %v", e.op, e.run, clip(e.name), at,
		e.cause)
}

func (e *opError) Unwrap() error { return e.cause }

// wrap says which operation failed, on which run, collection and vector; nil stays nil.
func (c Collection) wrap(op, id string, err error) error {
	if _, told := err.(*opError); told || err == nil {
		return err
	}
	return &opError{op: op, run: c.scope.Name(), name: c.name, id: id, cause: err}
}
