package vector

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/pkg/codec"
)

// maxID is the longest id in bytes.
const maxID = arenaBlock - 1 - idHead

// slotIndex is the Index of this package: rows in slots, and a graph over them.
type slotIndex struct {
	config Config
	pool   sync.Pool // of *searcher

	rows atomic.Pointer[rows]
	n    atomic.Uint32 // slots published; loaded before rows, which then cover them

	compact atomic.Bool // Config.Compact, which may come later

	live  atomic.Int64
	top   atomic.Uint64 // greatest version of a birth or a death
	bytes atomic.Int64
	graph graph

	// mu guards what only the writer changes: the places above that are atomic for readers, the
	// end of the arena, and ids. It is below no other lock, and nothing is called under it.
	mu    sync.Mutex
	arena int // used in the last block
	ids   idTable
}

// New returns an empty index. Error: codec.ErrInvalidArgument for a Config that is none.
func New(c Config) (Index, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	ix := &slotIndex{config: c}
	ix.compact.Store(c.Compact)
	ix.pool.New = func() any { return new(searcher) }
	ix.rows.Store(&rows{})
	ix.graph.init(c)
	return ix, nil
}

// Config implements Index.
func (ix *slotIndex) Config() Config {
	c := ix.config
	c.Compact = ix.compact.Load()
	return c
}

// Compact implements Index.
func (ix *slotIndex) Compact() error {
	if ix.config.Fetch == nil {
		return invalid("a compact index needs a fetch function")
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.compact.Store(true)
	for _, c := range ix.rows.Load().chunks {
		if vecs := c.vecs.Swap(nil); vecs != nil {
			ix.bytes.Add(-4 * int64(len(*vecs)))
		}
	}
	return nil
}

// Add implements Index.
func (ix *slotIndex) Add(id string, vec []float32, born uint64) (Slot, error) {
	if err := CheckVector(ix.config.Dim, vec); err != nil {
		return NoSlot, fmt.Errorf("add %q: %w", id, err)
	}
	if born == alive {
		return NoSlot, fmt.Errorf("add %q: %w", id, invalid("version %d is none", born))
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	c, row, slot, err := ix.room(id)
	if err != nil {
		return NoSlot, fmt.Errorf("add %q: %w", id, err)
	}
	code := c.code(row, ix.config.Dim)
	own := append(make([]float32, 0, 512), vec...)
	held(ix.config.Metric, own)
	c.setMeta(row, quantise(code, own))
	c.setBorn(row, born)
	if !ix.compact.Load() {
		ix.keep(c, row, own)
	}
	ix.publish(slot, born)
	return slot, nil
}

// room makes place for one more row with the given id. Under mu.
func (ix *slotIndex) room(id string) (c *chunk, row uint32, slot Slot, err error) {
	if len(id) > maxID {
		return nil, 0, 0, &codec.SizeError{What: "vector id", Size: len(id), Limit: maxID}
	}
	slot = Slot(ix.n.Load())
	old := ix.rows.Load()
	if slot >= NoSlot-1 || len(old.arena) >= 1<<(32-arenaBits)-1 {
		return nil, 0, 0, &codec.SizeError{What: "vector index", Size: int(slot), Limit: int(slot)}
	}
	next := *old
	row = uint32(slot & chunkMask)
	changed := true
	switch last := len(old.chunks) - 1; {
	case row == 0:
		size := chunkRows
		if slot == 0 {
			size = firstRows
		}
		c = newChunk(ix.config.Dim, size)
		next.chunks = append(old.chunks, c)
		ix.bytes.Add(c.bytes())
	case int(row) == len(old.chunks[last].meta):
		c = old.chunks[last].grown(ix.config.Dim, int(2*row))
		ix.bytes.Add(c.bytes() - old.chunks[last].bytes())
		next.chunks = append(old.chunks[:last:last], c)
	default:
		c, changed = old.chunks[last], false
	}
	blocks := len(old.arena)
	c.ids[row], ix.arena = next.addID(id, ix.arena)
	if len(next.arena) > blocks {
		ix.bytes.Add(int64(len(next.arena[blocks])))
		changed = true
	}
	if changed {
		ix.rows.Store(&next)
	}
	return c, row, slot, nil
}

// keep puts a float32 row into memory. Under mu.
func (ix *slotIndex) keep(c *chunk, row uint32, vec []float32) {
	before := c.vecs.Load() == nil
	c.keep(row, ix.config.Dim, vec)
	if before {
		ix.bytes.Add(4 * int64(len(c.codes)))
	}
}

// publish shows a row to readers. Under mu.
func (ix *slotIndex) publish(slot Slot, born uint64) {
	ix.live.Add(1)
	ix.raiseTop(born)
	ix.n.Store(uint32(slot) + 1)
	ix.bytes.Add(ix.ids.added(ix.rows.Load(), slot))
}

func (ix *slotIndex) raiseTop(version uint64) {
	if version > ix.top.Load() {
		ix.top.Store(version)
	}
}

// Kill implements Index.
func (ix *slotIndex) Kill(slot Slot, died uint64) error {
	if died == alive {
		return fmt.Errorf("kill slot %d: %w", slot, invalid("version %d is none", died))
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if uint32(slot) >= ix.n.Load() {
		return fmt.Errorf("kill slot %d: %w", slot, invalid("there are %d slots", ix.n.Load()))
	}
	c, row := ix.rows.Load().at(slot)
	ix.raiseTop(died)
	if c.setDied(row, died) {
		ix.live.Add(-1)
	}
	return nil
}

// Restore implements Index.
func (ix *slotIndex) Restore(slot Slot, vec []float32) error {
	if err := CheckVector(ix.config.Dim, vec); err != nil {
		return fmt.Errorf("restore slot %d: %w", slot, err)
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if uint32(slot) >= ix.n.Load() {
		return fmt.Errorf("restore slot %d: %w", slot, invalid("there are %d slots", ix.n.Load()))
	}
	c, row := ix.rows.Load().at(slot)
	if ix.compact.Load() || c.vector(row, ix.config.Dim) != nil {
		return nil
	}
	own := append(make([]float32, 0, 512), vec...)
	held(ix.config.Metric, own)
	ix.keep(c, row, own)
	return nil
}

// Find implements Index.
func (ix *slotIndex) Find(id string) (Slot, bool) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	r := ix.rows.Load()
	ix.bytes.Add(ix.ids.build(r, ix.n.Load()))
	return ix.ids.find(r, id)
}

// ID implements Index.
func (ix *slotIndex) ID(slot Slot) string {
	if uint32(slot) >= ix.n.Load() {
		return ""
	}
	r := ix.rows.Load()
	c, row := r.at(slot)
	return r.id(c.ids[row])
}

// Life implements Index.
func (ix *slotIndex) Life(slot Slot) (born, died uint64) {
	if uint32(slot) >= ix.n.Load() {
		return 0, 0
	}
	c, row := ix.rows.Load().at(slot)
	return c.born[row], c.died[row].Load()
}

// Slots implements Index.
func (ix *slotIndex) Slots() int { return int(ix.n.Load()) }

// Live implements Index.
func (ix *slotIndex) Live() int { return int(ix.live.Load()) }

// Tail implements Index.
func (ix *slotIndex) Tail() int {
	n := int(ix.n.Load())
	if !ix.wantsGraph(n) {
		return 0
	}
	return max(n-int(ix.graph.linked.Load()), 0)
}

// Bytes implements Index.
func (ix *slotIndex) Bytes() int64 { return ix.bytes.Load() + ix.graph.bytes.Load() }

// wantsGraph tells whether an index of n slots is to have a graph.
func (ix *slotIndex) wantsGraph(n int) bool {
	switch ix.config.Kind {
	case KindFlat:
		return false
	case KindGraph:
		return true
	}
	return n > ix.config.FlatRows || ix.graph.linked.Load() > 0
}
