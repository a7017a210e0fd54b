package vector

import (
	"context"
)

// Rebuild implements Index.
func (ix *slotIndex) Rebuild(ctx context.Context, horizon uint64) (Index, []Slot, error) {
	fresh, err := New(ix.Config())
	if err != nil {
		return nil, nil, err
	}
	to := fresh.(*slotIndex)
	n := ix.n.Load()
	r := ix.rows.Load()
	moved := make([]Slot, n)
	for s := range Slot(n) {
		if s&chunkMask == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		moved[s] = NoSlot
		c, row := r.at(s)
		died := c.died[row].Load()
		if died <= horizon {
			continue
		}
		if moved[s], err = to.copyRow(c, row, r.id(c.ids[row])); err != nil {
			return nil, nil, err
		}
		if died != alive {
			if err := to.Kill(moved[s], died); err != nil {
				return nil, nil, err
			}
		}
	}
	return to, moved, nil
}

// copyRow adds a living row of another index of the same Config, without computing its code again.
func (ix *slotIndex) copyRow(from *chunk, row uint32, id string) (Slot, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	c, at, slot, err := ix.room(id)
	if err != nil {
		return NoSlot, err
	}
	dim := ix.config.Dim
	copy(c.code(at, dim), from.code(row, dim))
	c.setMeta(at, from.meta[row])
	c.setBorn(at, from.born[row])
	if vec := from.vector(row, dim); vec != nil && !ix.compact.Load() {
		ix.keep(c, at, vec)
	}
	ix.publish(slot, from.born[row])
	return slot, nil
}
