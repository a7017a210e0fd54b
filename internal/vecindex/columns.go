package vecindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// alive is the death of a slot that lives.
const alive = math.MaxUint64

// column tells which slots have which values at one path of their metadata. It is guarded by the
// mu of its content.
type column struct {
	path  vector.Path
	slots map[codec.Value][]vector.Slot // each list ascending
	any   []vector.Slot                 // those that have a value, ascending
	bytes int64

	sorted atomic.Pointer[sortedValues] // made by searches
}

// sortedValues are the values of a column in order, when there were so many of them.
type sortedValues struct {
	of     int
	values []codec.Value
}

// What a column takes in memory: for each slot in a list, and for each value beside its own size.
const (
	slotBytes  = 4
	valueBytes = 128
)

func newColumn(path vector.Path) *column {
	return &column{path: path, slots: map[codec.Value][]vector.Slot{}}
}

// add adds a slot. It is greater than all before it, or sort follows.
func (c *column) add(slot vector.Slot, metadata codec.Value) {
	values := c.path.Values(metadata)
	if len(values) == 0 {
		return
	}
	c.any = append(c.any, slot)
	c.bytes += slotBytes
	for _, v := range values {
		list := c.slots[v]
		if n := len(list); n > 0 && list[n-1] == slot {
			continue // several values of one row may be equal
		}
		c.bytes += slotBytes
		if list == nil {
			v = v.Clone()
			c.bytes += valueBytes + int64(v.EncodedSize())
		}
		c.slots[v] = append(list, slot)
	}
}

// filtered is what a filter lets pass of the slots of an index.
type filtered struct {
	pass     *vector.Bitmap
	slots    int     // how many there are
	expected float64 // how many would pass if the parts of the filter were independent
}

// filter tells which slots pass. It makes the columns that it needs: a walk over the rows for each
// path that is asked for the first time.
func (c *content) filter(ctx context.Context, f *vector.Filter) (filtered, error) {
	for {
		c.mu.RLock()
		missing := c.missing(nil, f)
		if len(missing) == 0 {
			n := c.rows.Load().Slots()
			r := filtered{c.pass(f, n), n, c.share(f, n) * float64(n)}
			c.mu.RUnlock()
			return r, nil
		}
		c.mu.RUnlock()
		if err := c.addColumns(ctx, f); err != nil {
			return filtered{}, err
		}
	}
}

// missing adds the paths of a filter that have no column. REQUIRES: mu.
func (c *content) missing(paths []vector.Path, f *vector.Filter) []vector.Path {
	for _, a := range f.Args() {
		paths = c.missing(paths, a)
	}
	path := f.Path()
	if path.String() == "" || c.columns[path.String()] != nil {
		return paths
	}
	return append(paths, path)
}

// addColumns makes the columns that a filter needs. Nothing is pulled meanwhile.
func (c *content) addColumns(ctx context.Context, f *vector.Filter) error {
	if !c.owner.enter(ctx) {
		return ctx.Err()
	}
	defer c.owner.leave()
	c.mu.RLock()
	missing := c.missing(nil, f)
	c.mu.RUnlock()
	made := map[string]*column{}
	for _, path := range missing {
		made[path.String()] = newColumn(path)
	}
	if len(made) == 0 {
		return nil
	}
	if err := c.fill(ctx, made); err != nil {
		return err
	}
	c.mu.Lock()
	for path, col := range made {
		c.columns[path] = col
	}
	c.mu.Unlock()
	c.owner.resize(c)
	return nil
}

// fill adds all slots to new columns. The caller has the gate.
func (c *content) fill(ctx context.Context, made map[string]*column) error {
	rows := c.rows.Load()
	living := c.fillLiving
	if c.owner.key.own {
		living = func(context.Context, *rowIndex, map[string]*column) error { return nil }
	}
	if err := living(ctx, rows, made); err != nil {
		return err
	}
	for slot := range vector.Slot(rows.Slots()) {
		born, died := rows.Life(slot)
		if died == alive && !c.owner.key.own {
			continue
		}
		r, err := c.owner.rowOf(ctx, rows.ID(slot), born)
		if errors.Is(err, backend.ErrPruned) || err == nil && r.Version != born {
			continue // retention has removed the row, so that no view sees it any more
		}
		if err == nil {
			err = fillRow(made, slot, r.Value)
		}
		if err != nil {
			return fmt.Errorf("row %q of version %d: %w", rows.ID(slot), born, err)
		}
	}
	for _, col := range made {
		col.sort()
	}
	return nil
}

// fillLiving adds the slots of living rows, by one walk over these.
func (c *content) fillLiving(
	ctx context.Context, rows *rowIndex, made map[string]*column,
) error {
	return c.owner.each(ctx, c.version.Load(), func(id string, r *backend.Record) error {
		slot, ok := rows.Find(id)
		if !ok {
			return nil
		}
		return fillRow(made, slot, r.Value)
	})
}

func fillRow(made map[string]*column, slot vector.Slot, value []byte) error {
	row, err := codec.DecodeVectorRow(value)
	if err != nil {
		return err
	}
	for _, col := range made {
		col.add(slot, row.Metadata)
	}
	return nil
}

// pass evaluates a filter over the first n slots. REQUIRES: mu, and that no column is missing.
func (c *content) pass(f *vector.Filter, n int) *vector.Bitmap {
	switch f.Op() {
	case "and":
		all := vector.FullBitmap(n)
		for _, a := range f.Args() {
			all.And(c.pass(a, n))
		}
		return all
	case "or":
		some := vector.NewBitmap(n)
		for _, a := range f.Args() {
			some.Or(c.pass(a, n))
		}
		return some
	case "not":
		return without(n, c.pass(f.Args()[0], n))
	case "ne":
		return without(n, c.columns[f.Path().String()].bitmap(f, n))
	default:
		return c.columns[f.Path().String()].bitmap(f, n)
	}
}

func without(n int, out *vector.Bitmap) *vector.Bitmap {
	rest := vector.FullBitmap(n)
	rest.AndNot(out)
	return rest
}

// share is what part of n slots a filter would let pass if its parts were independent. REQUIRES:
// mu, and that no column is missing.
func (c *content) share(f *vector.Filter, n int) float64 {
	switch f.Op() {
	case "and":
		all := 1.0
		for _, a := range f.Args() {
			all *= c.share(a, n)
		}
		return all
	case "or":
		none := 1.0
		for _, a := range f.Args() {
			none *= 1 - c.share(a, n)
		}
		return 1 - none
	case "not":
		return 1 - c.share(f.Args()[0], n)
	}
	col, count := c.columns[f.Path().String()], 0
	for list := range col.lists(f) {
		count += len(list)
	}
	share := min(float64(count)/float64(max(n, 1)), 1)
	if f.Op() == "ne" {
		return 1 - share
	}
	return share
}

// bitmap is the set of slots for which a leaf holds, those for which it does not if it is a ne.
func (c *column) bitmap(f *vector.Filter, n int) *vector.Bitmap {
	set := vector.NewBitmap(n)
	for list := range c.lists(f) {
		for _, slot := range list {
			set.Add(slot)
		}
	}
	return set
}

// lists yields the slots of all values that a leaf accepts.
func (c *column) lists(f *vector.Filter) iter.Seq[[]vector.Slot] {
	return func(yield func([]vector.Slot) bool) {
		switch f.Op() {
		case "exists":
			yield(c.any)
		case "eq", "ne", "in":
			seen := map[codec.Value]bool{}
			for _, v := range f.Values() {
				if !seen[v] && !yield(c.slots[v]) {
					return
				}
				seen[v] = true
			}
		default:
			for _, v := range c.between(f) {
				if !yield(c.slots[v]) {
					return
				}
			}
		}
	}
}

// between are the values that a comparison by order accepts: one end of those of its kind.
func (c *column) between(f *vector.Filter) []codec.Value {
	kind := f.Values()[0].Kind()
	all := c.inOrder()
	first := sort.Search(len(all), func(i int) bool { return all[i].Kind() >= kind })
	all = all[first:]
	all = all[:sort.Search(len(all), func(i int) bool { return all[i].Kind() > kind })]
	if op := f.Op(); op == "lt" || op == "le" {
		return all[:sort.Search(len(all), func(i int) bool { return !f.Accepts(all[i]) })]
	}
	return all[sort.Search(len(all), func(i int) bool { return f.Accepts(all[i]) }):]
}

// inOrder are the values that have an order, by kind. A value never goes, so the list is good as
// long as there are no more of them.
func (c *column) inOrder() []codec.Value {
	if last := c.sorted.Load(); last != nil && last.of == len(c.slots) {
		return last.values
	}
	made := &sortedValues{of: len(c.slots), values: make([]codec.Value, 0, len(c.slots))}
	for v := range c.slots {
		if _, ordered := vector.Order(v, v); ordered {
			made.values = append(made.values, v)
		}
	}
	slices.SortFunc(made.values, func(a, b codec.Value) int {
		order, _ := vector.Order(a, b)
		return cmp.Or(cmp.Compare(a.Kind(), b.Kind()), order)
	})
	c.sorted.Store(made)
	return made.values
}

// sort puts all lists into their order.
func (c *column) sort() {
	slices.Sort(c.any)
	for _, list := range c.slots {
		slices.Sort(list)
	}
}
