package vecindex

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// content is an index with what belongs to it. From base to version it is what the rows are.
type content struct {
	base    uint64
	version atomic.Uint64
	owner   *index
	rows    atomic.Pointer[rowIndex] // nil as long as there was no row

	oldest atomic.Uint64 // the least version that was searched of late
	tried  atomic.Int64  // so many slots there must be before renew tries again
	saved  atomic.Int64  // done, when its file was written

	proof   proof       // while it is index.unproven
	dropped atomic.Bool // before that was over

	next uint64 // number of the next commit to pull; who has the gate
	room []float32

	// mu guards what follows, and keeps rows and columns together: a search that holds it sees
	// columns for all slots.
	mu sync.RWMutex
	// touched are the ids that were written or deleted above base, in the order in which that was
	// done first, and order the set of them. Kept of own rows only.
	touched []touch
	order   map[string]struct{}
	hiding  map[*content]*hiding // by the contents below
	// dead are the slots of ids that have dead ones.
	dead    map[string][]vector.Slot
	columns map[string]*column // by path
}

// rowIndex is an interface that fits into an atomic.Pointer.
type rowIndex struct{ vector.Index }

func newContent(x *index, base uint64) *content {
	c := &content{owner: x, base: base, dead: map[string][]vector.Slot{},
		order: map[string]struct{}{}, columns: map[string]*column{}}
	c.version.Store(base)
	c.oldest.Store(math.MaxUint64)
	return c
}

// from returns the contents if they can answer at a version, else nil.
func (c *content) from(at uint64) *content {
	if at < c.base {
		return nil
	}
	for {
		oldest := c.oldest.Load()
		if at >= oldest || c.oldest.CompareAndSwap(oldest, at) {
			return c
		}
	}
}

// bytes is the memory that all of it takes, about.
func (c *content) bytes() int64 {
	const entry = 64 // of a map, with a short id
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := int64(len(c.touched)+len(c.dead)) * entry
	for _, h := range c.hiding {
		n += int64(h.slots.Bytes())
	}
	for _, col := range c.columns {
		n += col.bytes
	}
	if rows := c.rows.Load(); rows != nil {
		n += rows.Bytes()
	}
	return n
}

// scan adds the rows as they are at base. Nobody else has the contents yet.
func (c *content) scan(ctx context.Context) error {
	return c.owner.eachBeside(ctx, c.base, func(id string, version uint64, vec []float32) error {
		_, err := c.add(id, vec, version)
		return err
	})
}

// add adds a row. One of another dimension is of a collection that had the same name before.
func (c *content) add(id string, vec []float32, version uint64) (vector.Slot, error) {
	config := c.owner.config
	if len(vec) != config.Dim {
		if version < c.owner.key.incarnation {
			return vector.NoSlot, nil
		}
		return vector.NoSlot, fmt.Errorf("%w: row %q of version %d has %d dimensions, its collection %d",
			codec.ErrCorrupt, id, version, len(vec), config.Dim)
	}
	rows := c.rows.Load()
	if rows == nil {
		made, err := vector.New(c.owner.vectorConfig())
		if err != nil {
			return vector.NoSlot, err
		}
		rows = &rowIndex{made}
		c.rows.Store(rows)
	}
	slot, err := rows.Add(id, vec, version)
	if err == nil && slot%fitEvery == 0 {
		err = c.fit()
	}
	return slot, err
}

// fitEvery is how many rows are added between two looks at how much memory they take.
const fitEvery = 1024

// fit leaves the vectors to the rows if the contents alone take more than all may: a collection
// that does not fit is not read into memory first.
func (c *content) fit() error {
	if rows := c.rows.Load(); rows.Config().Compact || rows.Bytes() <= c.owner.budget {
		return nil
	}
	return c.compact()
}

// compact leaves the vectors to the rows: searches read those that they rank.
func (c *content) compact() error {
	rows := c.rows.Load()
	if rows == nil || rows.Config().Compact {
		return nil
	}
	return rows.Compact()
}

// apply applies one commit. It may be done twice: an error leaves the commit half done.
func (c *content) apply(e *backend.JournalEntry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range e.Changes {
		change := &e.Changes[i]
		id := change.Key[len(c.owner.key.prefix):]
		if id == "" {
			continue
		}
		if err := c.change(id, change, e.Version); err != nil {
			return fmt.Errorf("row %q of version %d: %w", id, e.Version, err)
		}
	}
	return nil
}

func (c *content) change(id string, change *backend.JournalChange, version uint64) error {
	if _, ok := c.order[id]; c.owner.key.own && !ok {
		id = strings.Clone(id)
		c.order[id] = struct{}{}
		c.touched = append(c.touched, touch{id, version})
	}
	if rows := c.rows.Load(); rows != nil {
		if old, ok := rows.Find(id); ok {
			if born, _ := rows.Life(old); born == version {
				return nil
			}
			if err := rows.Kill(old, version); err != nil {
				return err
			}
			c.dead[id] = append(c.dead[id], old)
		}
	}
	if change.Op != codec.ChangePut {
		return nil
	}
	vec, err := codec.DecodeVector(c.room[:0], change.Value)
	if err != nil {
		return err
	}
	if c.room = vec; len(vec) != c.owner.config.Dim {
		return nil // of a collection that has the same name after this one
	}
	slot, err := c.add(id, vec, version)
	if err != nil || slot == vector.NoSlot || len(c.columns) == 0 {
		return err
	}
	row, err := codec.DecodeVectorRow(change.Value)
	if err != nil {
		return err
	}
	for _, col := range c.columns {
		col.add(slot, row.Metadata)
	}
	return nil
}
