package vecindex

import (
	"context"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// To hold a file against all rows takes as long as to read them, so that is done behind the first
// searches. What is known before is that every byte is the one that was written, by who had pulled
// the very commits that the scope has; and that deleted ids, or some of many, have no rows. Until
// all is proven no hit is taken from the file: the vector that it is ranked by is fetched, and with
// it the version that the row really has, so that nothing is returned that is not there. Contents
// that turn out to be false are dropped together with their file, and rows are read.

const (
	// proofBatch is how many rows are held against their slots at once: some milliseconds.
	proofBatch = 2048
	// mostGone is how many deleted ids are looked up before contents are believed.
	mostGone = 1024
)

// proof is how far a file was held against the rows. The worker alone uses it.
type proof struct {
	at    uint64 // version of the rows; 0 before the first
	after string // key from which to go on
	found int
}

// fetch reads the vector of a slot for package vector, which asks for those that are not in memory,
// and writes it to dst.
func (x *index) fetch(id string, born uint64, dst []float32) error {
	ctx := context.Background()
	if c := x.unproven.Load(); c != nil {
		if err := c.confirm(ctx, id, born); err != nil {
			return err
		}
	}
	r, err := x.rowOf(ctx, id, born)
	if err != nil {
		return err
	}
	if r.Version != born || len(dst) != x.config.Dim {
		return fmt.Errorf("%w: row %q of version %d is gone, found %d",
			codec.ErrCorrupt, id, born, r.Version)
	}
	_, err = codec.DecodeVector(dst[:0], r.Value)
	return err
}

// confirm holds one slot of a file against its row.
func (c *content) confirm(ctx context.Context, id string, born uint64) error {
	at := c.version.Load()
	if born > at {
		return nil // it was pulled
	}
	r, err := c.owner.read(ctx, id, at)
	if err != nil || r.Version == born {
		return err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if _, dead := c.deadSlot(id, born); !dead {
		return fmt.Errorf("row %q of version %d: %w", id, born, errStale)
	}
	return nil
}

// deadSlot finds it. REQUIRES: mu.
func (c *content) deadSlot(id string, born uint64) (vector.Slot, bool) {
	rows := c.rows.Load()
	for _, slot := range c.dead[id] {
		if b, _ := rows.Life(slot); b == born {
			return slot, true
		}
	}
	return vector.NoSlot, false
}

// gone looks up ids that the file says were deleted, evenly chosen among many.
func (c *content) gone(ctx context.Context) error {
	rows := c.rows.Load()
	deleted := rows.Slots() - rows.Live() // or replaced
	step, at := max(deleted/mostGone, 1), 0
	for slot := range vector.Slot(rows.Slots()) {
		born, died := rows.Life(slot)
		if died == alive {
			continue
		}
		if at++; at%step != 0 {
			continue
		}
		r, err := c.owner.read(ctx, rows.ID(slot), c.version.Load())
		if err != nil {
			return err
		}
		if r.Version == born {
			return errStale
		}
	}
	return nil
}

// prove goes on to hold the file against the rows, and takes the vectors from these. False contents
// are dropped.
func (x *index) prove(ctx context.Context, c *content) error {
	done, err := c.proveSome(ctx, &c.proof)
	switch {
	case errors.Is(err, errStale):
		return x.disown(ctx, c)
	case errors.Is(err, backend.ErrPruned):
		return x.proveAnew(ctx, c)
	case err == nil && done:
		x.unproven.CompareAndSwap(c, nil)
	}
	x.resize(c)
	return err
}

// proveAnew begins again with rows of today: those of then are no longer kept.
func (x *index) proveAnew(ctx context.Context, c *content) error {
	if !x.enter(ctx) {
		return ctx.Err()
	}
	defer x.leave()
	c.proof = proof{}
	if x.content.Load() != c {
		return nil
	}
	err := x.pull(ctx, c)
	if errors.Is(err, backend.ErrPruned) {
		x.drop(c)
		return nil
	}
	return err
}

// proveSome goes on, and tells whether all is proven.
func (c *content) proveSome(ctx context.Context, p *proof) (done bool, err error) {
	if p.at == 0 {
		*p = proof{at: c.version.Load(), after: c.owner.key.prefix}
	}
	done, err = c.proveRows(ctx, p)
	if err == nil && done && c.seenAt(p.at) != p.found {
		err = errStale
	}
	return done, err
}

// proveRows holds the next batch of rows against their slots, and tells whether it was the last.
func (c *content) proveRows(ctx context.Context, p *proof) (last bool, err error) {
	x := c.owner
	cur := x.b.Scan(ctx, x.scope, codec.Vectors,
		backend.Range{Start: p.after, End: backend.PrefixEnd(x.key.prefix)}, p.at)
	defer cur.Close()
	var room []float32
	for range proofBatch {
		if !cur.Next() {
			return cur.Err() == nil, cur.Err()
		}
		id, r := cur.Key()[len(x.key.prefix):], cur.Record()
		p.after = cur.Key() + "\x00"
		if id == "" {
			continue
		}
		if room, err = codec.DecodeVector(room[:0], r.Value); err != nil {
			return false, rowError(id, err)
		}
		if err := c.proveRow(id, r.Version, p.at, room); err != nil {
			return false, rowError(id, err)
		}
		p.found++
	}
	return false, c.fit()
}

// proveRow finds the slot of a row, which may have died since.
func (c *content) proveRow(id string, version, at uint64, vec []float32) error {
	c.mu.RLock()
	rows := c.rows.Load()
	slot, ok := rows.Find(id)
	if born, _ := rows.Life(slot); !ok || born != version {
		slot, ok = c.deadSlot(id, version)
	}
	c.mu.RUnlock()
	if !ok {
		return errStale
	}
	if _, died := rows.Life(slot); died <= at {
		return errStale
	}
	if len(vec) != c.owner.config.Dim {
		return errStale
	}
	return rows.Restore(slot, vec)
}

// seenAt is how many slots are seen at a version that was pulled.
func (c *content) seenAt(at uint64) int {
	rows, n := c.rows.Load(), 0
	for slot := range vector.Slot(rows.Slots()) {
		if born, died := rows.Life(slot); born <= at && at < died {
			n++
		}
	}
	return n
}

// disown drops contents that the rows do not confirm, and the file that they came from.
func (x *index) disown(ctx context.Context, c *content) error {
	if !x.enter(ctx) {
		return ctx.Err()
	}
	defer x.leave()
	if x.content.Load() != c {
		return nil
	}
	x.disbelieved.Store(true)
	x.drop(c)
	return x.b.RemoveDerived(fileName(x.key))
}

// drop lets go of contents. Searches that are at work on them learn of it if they are unproven. The
// caller has the gate.
func (x *index) drop(c *content) {
	if x.unproven.Load() == c {
		c.dropped.Store(true) // before nobody holds its slots against rows any more
		x.unproven.Store(nil)
	}
	x.content.Store(nil)
	x.heir.Store(nil)
}
