package vectors

import (
	"context"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// The exact search: every row is looked at. It is what answers where there is no index, and what
// indexes are held against.

// scored is a candidate.
type scored struct {
	id    string
	score float32
}

// better orders candidates: the higher score first, the smaller id among equals.
func better(a, b scored) int {
	switch {
	case a.score > b.score:
		return -1
	case a.score < b.score:
		return 1
	}
	return strings.Compare(a.id, b.id)
}

// best keeps the k best of what it is given. Its room grows with what it holds, not with k.
type best struct {
	k    int
	list []scored // a heap, the worst on top, once there are k
}

func (b *best) add(s scored) {
	switch {
	case len(b.list) < b.k:
		if b.list == nil {
			b.list = make([]scored, 0, min(b.k, 64))
		}
		b.list = append(b.list, s)
		for at := len(b.list)/2 - 1; len(b.list) == b.k && at >= 0; at-- {
			b.sink(at)
		}
	case better(s, b.list[0]) < 0:
		b.list[0] = s
		b.sink(0)
	}
}

// sink restores the heap below a place.
func (b *best) sink(at int) {
	for {
		worst := at
		for down := 2*at + 1; down <= 2*at+2 && down < len(b.list); down++ {
			if better(b.list[down], b.list[worst]) > 0 {
				worst = down
			}
		}
		if worst == at {
			return
		}
		b.list[at], b.list[worst] = b.list[worst], b.list[at]
		at = worst
	}
}

// sorted gives up what was kept, the best first.
func (b *best) sorted() []scored {
	slices.SortFunc(b.list, better)
	return b.list
}

// scorer compares stored rows with a query.
type scorer struct {
	scorer *vector.Scorer
	filter *vector.Filter
	dim    int
	vector []float32 // room
	seen   int       // rows that were looked at
	rows   int       // that were compared: the filter lets them pass
}

func newScorer(record *codec.VectorCollection, o *SearchOptions) (*scorer, error) {
	s, err := vector.NewScorer(vector.Metric(record.Metric), o.Vector)
	return &scorer{scorer: s, filter: o.Filter, dim: record.Dimension}, err
}

// score is the score of a stored row, and whether the filter lets it pass.
func (s *scorer) score(stored []byte) (float32, bool, error) {
	s.seen++
	if ok, err := matches(s.filter, stored); !ok {
		return 0, false, err
	}
	var err error
	if s.vector, err = codec.DecodeVector(s.vector[:0], stored); err != nil {
		return 0, false, err
	}
	if len(s.vector) != s.dim {
		return 0, false, &codec.CorruptError{What: "vector row",
			Detail: (&DimensionError{Expected: s.dim, Found: len(s.vector)}).Error()}
	}
	s.rows++
	return s.scorer.Score(s.vector), true, nil
}

// exact gives all rows that are committed to keep, but for those that are hidden.
func (c Collection) exact(ctx context.Context, beneath txn.Scope, s *scorer,
	hidden func(id string) bool, keep *best,
) error {
	cursor := beneath.Scan(ctx, codec.Vectors, c.rows())
	defer cursor.Close()
	name := len(c.key())
	for cursor.Next() {
		id := cursor.Key()[name:]
		if hidden(id) {
			continue
		}
		score, ok, err := s.score(cursor.Value())
		if err != nil {
			return c.wrap("search", id, err)
		}
		if ok {
			keep.add(scored{id, score})
		}
	}
	return cursor.Err()
}

// own is what a transaction has written itself to a collection.
type own struct {
	put map[string][]byte // nil: deleted
	ids []string          // in their order
}

func (c Collection) own(tx txn.Scope) own {
	var o own
	name := len(c.key())
	for key, e := range tx.Pending(codec.Vectors, c.rows()) {
		if o.put == nil {
			o.put = map[string][]byte{}
		}
		id := key[name:]
		o.ids = append(o.ids, id)
		o.put[id] = e.Value
	}
	return o
}

// hides reports whether what is committed under an id is covered.
func (o *own) hides(id string) bool {
	_, covered := o.put[id]
	return covered
}

// score gives all rows that the transaction itself wrote to keep.
func (o *own) score(s *scorer, keep *best) error {
	for _, id := range o.ids {
		data := o.put[id]
		if data == nil {
			continue
		}
		score, ok, err := s.score(data)
		if err != nil {
			return err
		}
		if ok {
			keep.add(scored{id, score})
		}
	}
	return nil
}
