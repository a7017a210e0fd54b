package codec

import "fmt"

// VectorMetric says how the vectors of a collection are compared. On-disk: never renumber, never
// reuse.
type VectorMetric uint8

// The metrics.
const (
	MetricCosine VectorMetric = 1
	MetricDot    VectorMetric = 2
	MetricL2     VectorMetric = 3
)

// VectorIndex says which kind of index a collection has. On-disk: never renumber, never reuse.
type VectorIndex uint8

// The kinds of index.
const (
	IndexAuto  VectorIndex = 0 // the database chooses
	IndexFlat  VectorIndex = 1 // none: every search is exact
	IndexGraph VectorIndex = 2
)

// VectorCollection is the record of a collection of vectors. It is the value under
// VectorCollectionKey; the rows of the collection follow it in the order of keys.
type VectorCollection struct {
	// Dimension is the number of components that every vector has, 1 to MaxDimension.
	Dimension int
	// Metric is how its vectors are compared.
	Metric VectorMetric
	// Index is the kind of index that was asked for.
	Index VectorIndex
	// Links and Candidates are parameters of a graph: how many links a vector has, and how many
	// candidates are looked at when it is linked; 0 stands for the default. At most MaxGraphParameter.
	Links, Candidates int
	// Dropping marks a collection that is being removed: nobody sees it, and its rows go away.
	Dropping bool
}

// MaxGraphParameter bounds VectorCollection.Links and Candidates.
const MaxGraphParameter = 1 << 12

// Fields of a collection record. On-disk: never renumber, never reuse. The first two are always
// there, the others only if they are not zero.
const (
	collectionDimension  = 1
	collectionMetric     = 2
	collectionIndex      = 3
	collectionLinks      = 4
	collectionCandidates = 5
	collectionDropping   = 6 // 1, or left out
)

// AppendVectorCollection appends a collection record. Errors: ErrInvalidArgument for a number
// outside of its bounds; dst comes back unchanged then.
func AppendVectorCollection(dst []byte, c VectorCollection) ([]byte, error) {
	if err := c.check(); err != nil {
		return dst, err
	}
	n, start := 0, len(dst)
	b := append(dst, majorMap)
	b = appendUintField(b, &n, collectionDimension, uint64(c.Dimension))
	b = appendUintField(b, &n, collectionMetric, uint64(c.Metric))
	b = appendUintField(b, &n, collectionIndex, uint64(c.Index))
	b = appendUintField(b, &n, collectionLinks, uint64(c.Links))
	b = appendUintField(b, &n, collectionCandidates, uint64(c.Candidates))
	if c.Dropping {
		b = appendUintField(b, &n, collectionDropping, 1)
	}
	b[start] |= byte(n)
	return b, nil
}

func (c VectorCollection) check() error {
	if c.Dimension < 1 || c.Dimension > MaxDimension {
		return invalid("dimension %d, expected 1 to %d", c.Dimension, MaxDimension)
	}
	if c.Metric < MetricCosine || c.Metric > MetricL2 {
		return invalid("%d is not a metric", uint8(c.Metric))
	}
	if c.Index > IndexGraph {
		return invalid("%d is not a kind of index", uint8(c.Index))
	}
	for _, n := range [...]int{c.Links, c.Candidates} {
		if n < 0 || n > MaxGraphParameter {
			return invalid("parameter %d of a graph, expected 0 to %d", n, MaxGraphParameter)
		}
	}
	return nil
}

// DecodeVectorCollection decodes a collection record. It keeps nothing of b. Errors: ErrCorrupt;
// ErrFormat for a metric, a kind of index, or a field that must be understood and is not known.
func DecodeVectorCollection(b []byte) (VectorCollection, error) {
	r := newReader("vector collection", b)
	c, err := readVectorCollection(&r)
	if err != nil {
		return VectorCollection{}, err
	}
	return c, nil
}

func readVectorCollection(r *reader) (c VectorCollection, err error) {
	const most = 1 << 8
	var metric, index uint64
	for r.next() {
		switch r.key {
		case collectionDimension:
			c.Dimension = int(r.positive(MaxDimension))
		case collectionMetric:
			metric = r.positive(most - 1)
		case collectionIndex:
			index = r.positive(most - 1)
		case collectionLinks:
			c.Links = int(r.positive(MaxGraphParameter))
		case collectionCandidates:
			c.Candidates = int(r.positive(MaxGraphParameter))
		case collectionDropping:
			c.Dropping = r.positive(1) == 1
		default:
			r.unknown()
		}
	}
	r.require(c.Dimension > 0, "dimension")
	r.require(metric > 0, "metric")
	c.Metric, c.Index = VectorMetric(metric), VectorIndex(index)
	if err = r.done(); err == nil && (c.Metric > MetricL2 || c.Index > IndexGraph) {
		err = fmt.Errorf("%w: vector collection of metric %d and index %d, which this version of "+
			"the library does not know", ErrFormat, metric, index)
	}
	return c, err
}

// VectorCollectionKey is the user key, under Vectors, of the record of a collection: its name as a
// tuple of one string. The keys of its rows begin with it, and no others do.
func VectorCollectionKey(name string) string { return string(Tuple(nil).AppendString(name)) }

// VectorRowKey is the user key, under Vectors, of a vector: that of its collection, then the id as
// it is. So a collection is one range of keys: its record, and its rows in the order of ids.
// REQUIRES: name and id are not empty, and at most MaxVectorName long.
func VectorRowKey(name, id string) string {
	b := make(Tuple, 0, len(name)+len(id)+3).AppendString(name)
	return aliasString(append(b, id...))
}

// DecodeVectorKey takes a user key under Vectors apart; the id is empty for that of a collection's
// record, and aliases user. Errors: ErrCorrupt.
func DecodeVectorKey(user string) (name, id string, err error) {
	e, rest, err := NextElement(aliasBytes(user))
	if err != nil {
		return "", "", err
	}
	if e.Kind != ElementString || e.Text == "" {
		return "", "", corrupt("vector key", 0, "expected the name of a collection, found %q",
			clip(aliasBytes(user)))
	}
	if len(e.Text) > MaxVectorName || len(rest) > MaxVectorName {
		return "", "", corrupt("vector key", 0, "name of %d bytes and id of %d, at most %d each",
			len(e.Text), len(rest), MaxVectorName)
	}
	return e.Text, user[len(user)-len(rest):], nil
}

// CheckVectorRecord judges what is stored under a user key under Vectors: that the key is one, and
// the value what belongs there, a row or a collection's record. Errors: ErrCorrupt, ErrFormat.
func CheckVectorRecord(user string, value []byte) error {
	_, id, err := DecodeVectorKey(user)
	switch {
	case err != nil:
	case id == "":
		_, err = DecodeVectorCollection(value)
	default:
		_, err = DecodeVectorRow(value)
	}
	return err
}
