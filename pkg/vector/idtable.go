package vector

// idTable finds the slot of an id: open addressing over slots, without a pointer per row. It is
// empty until it is built. Only the writer uses it.
type idTable struct {
	slots []Slot // a power of two, NoSlot where there is none
	used  int
}

// mix spreads the bits of x.
func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}

// hashID is the same on every machine and in every process: the levels of the graph hang on it.
func hashID(id string, seed uint64) uint64 {
	h := seed ^ 0xcbf29ce484222325
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 0x100000001b3
	}
	return mix(h)
}

// build fills the table once and returns how many bytes it takes more than before.
func (t *idTable) build(r *rows, n uint32) int64 {
	if t.slots != nil {
		return 0
	}
	size := 16
	for 4*int64(n) > 3*int64(size) {
		size *= 2
	}
	t.resize(r, size)
	for s := range Slot(n) {
		t.added(r, s)
	}
	return 4 * int64(size)
}

// added puts a new slot in, in the place of an older one of the same id, and returns how many bytes
// the table takes more.
func (t *idTable) added(r *rows, s Slot) int64 {
	if t.slots == nil {
		return 0
	}
	before := len(t.slots)
	if 4*(t.used+1) > 3*before {
		t.resize(r, 2*before)
	}
	if at := t.place(r, r.idOf(s)); t.slots[at] == NoSlot {
		t.slots[at] = s
		t.used++
	} else {
		t.slots[at] = s
	}
	return 4 * int64(len(t.slots)-before)
}

func (t *idTable) find(r *rows, id string) (Slot, bool) {
	s := t.slots[t.place(r, id)]
	if s == NoSlot {
		return NoSlot, false
	}
	if c, row := r.at(s); c.died[row].Load() != alive {
		return NoSlot, false
	}
	return s, true
}

// place returns where the id is, or where it would be put.
func (t *idTable) place(r *rows, id string) int {
	mask := len(t.slots) - 1
	at := int(hashID(id, 0)) & mask
	for t.slots[at] != NoSlot && r.idOf(t.slots[at]) != id {
		at = (at + 1) & mask
	}
	return at
}

func (t *idTable) resize(r *rows, size int) {
	old := t.slots
	t.slots = make([]Slot, size)
	for i := range t.slots {
		t.slots[i] = NoSlot
	}
	for _, s := range old {
		if s != NoSlot {
			t.slots[t.place(r, r.idOf(s))] = s
		}
	}
}

// idOf returns the id of a slot.
func (r *rows) idOf(s Slot) string {
	c, row := r.at(s)
	return r.id(c.ids[row])
}
