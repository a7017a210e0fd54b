package vector

import (
	"fmt"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Limits of an index.
const (
	// MaxDim is the greatest dimension: the inner product of two codes fits an int32 up to there.
	MaxDim = 1 << 16
	// MaxM is the greatest number of links a node may have on an upper level.
	MaxM = 128
	// maxNorm is the greatest length of a vector: the squared distance of two of that length,
	// with its bounds is still a finite float32.
	maxNorm = 1e18
)

// Defaults of the graph: what recall 0.95 costs least with, on the data of docs/vectors.md.
const (
	defaultM              = 16
	defaultEfConstruction = 200
)

// Slot is the place of one version of one vector in an index: 0, 1, 2... in the order of Add. A
// slot is never reused; Rebuild gives new ones.
type Slot uint32

// NoSlot is no slot.
const NoSlot = Slot(1<<32 - 1)

// Kind says when an index has a graph. The numbers are stored: never renumber them.
type Kind uint8

// The kinds.
const (
	// KindAuto scans while that is faster (up to FlatBytes of codes) and links a graph above.
	KindAuto Kind = 0
	// KindFlat never has a graph: every answer is exact, at a cost that grows with the rows.
	KindFlat Kind = 1
	// KindGraph links a graph from the first row on.
	KindGraph Kind = 2
)

// FlatBytes is how many bytes of codes a scan goes over so fast that no graph is worth having: the
// rows of KindAuto below which nothing is linked, and the rows of a filter below which they are
// scanned unless they lie near the query. One core reads them in half a millisecond.
const FlatBytes = 4 << 20

// Config describes an index. Dim and Metric are needed, and everything but Fetch and Compact must
// be the same when a snapshot is read.
type Config struct {
	Dim            int    // numbers per vector, 1 to MaxDim
	Metric         Metric // what a score is
	Kind           Kind   // KindAuto when 0
	M              int    // links per node on the upper levels, twice that on the lowest; 0 = 16
	EfConstruction int    // width of the search for the neighbours of a new node; 0 = 200
	Seed           uint64 // of the levels: same history and seed, same graph
	FlatRows       int    // rows that are scanned rather than linked; 0 = FlatBytes/Dim

	// Compact leaves the float32 rows out of memory. Fetch is needed then.
	Compact bool
	// Fetch writes the vector that was added under an id with a version of birth, as it was given
	// to Add, into dst (Dim long). It is asked for the rows that a search ranks and that are not in
	// memory: those of a compact index, and those of a snapshot until Restore. It is called by any
	// number of searches at once. Its error ends the search.
	Fetch func(id string, born uint64, dst []float32) error

	_ struct{}
}

// withDefaults fills in what is 0 and checks the rest. Error: codec.ErrInvalidArgument.
func (c Config) withDefaults() (Config, error) {
	if c.M == 0 {
		c.M = defaultM
	}
	if c.EfConstruction == 0 {
		c.EfConstruction = max(defaultEfConstruction, c.M)
	}
	if err := c.Metric.check(); err != nil {
		return c, err
	}
	if c.FlatRows == 0 && c.Dim > 0 {
		c.FlatRows = max(FlatBytes/c.Dim, 1)
	}
	switch {
	case c.Dim < 1 || c.Dim > MaxDim:
		return c, invalid("dimension %d, expected 1 to %d", c.Dim, MaxDim)
	case c.Kind > KindGraph:
		return c, invalid("index kind %d, expected 0 to %d", c.Kind, KindGraph)
	case c.M < 2 || c.M > MaxM:
		return c, invalid("m = %d, expected 2 to %d", c.M, MaxM)
	case c.EfConstruction < c.M || c.EfConstruction > 1<<16:
		return c, invalid("ef construction %d, expected %d (m) to %d",
			c.EfConstruction, c.M, 1<<16)
	case c.FlatRows < 1:
		return c, invalid("flat rows %d, at least 1", c.FlatRows)
	case c.Compact && c.Fetch == nil:
		return c, invalid("a compact index needs a fetch function")
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrInvalidArgument}, args...)...)
}
