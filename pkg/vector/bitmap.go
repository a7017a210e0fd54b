package vector

import (
	"iter"
	"math/bits"
	"slices"
)

// Bitmap is a set of slots: one bit per slot up to the greatest one in it. The zero value is empty
// and ready to use. Any number of goroutines may read one that nobody changes.
type Bitmap struct {
	words []uint64
}

// NewBitmap returns an empty set with room for the slots below n, which it grows beyond as needed.
func NewBitmap(n int) *Bitmap { return &Bitmap{words: make([]uint64, 0, (max(n, 0)+63)/64)} }

// FullBitmap returns the set of all slots below n.
func FullBitmap(n int) *Bitmap {
	b := &Bitmap{words: make([]uint64, (max(n, 0)+63)/64)}
	for i := range b.words {
		b.words[i] = ^uint64(0)
	}
	if rest := n % 64; rest > 0 {
		b.words[len(b.words)-1] = 1<<rest - 1
	}
	return b
}

// Add puts a slot into the set.
func (b *Bitmap) Add(s Slot) {
	w := int(s >> 6)
	if w >= len(b.words) {
		b.grow(w + 1)
	}
	b.words[w] |= 1 << (s & 63)
}

// Remove takes a slot out of the set.
func (b *Bitmap) Remove(s Slot) {
	if w := int(s >> 6); w < len(b.words) {
		b.words[w] &^= 1 << (s & 63)
	}
}

// Contains tells whether a slot is in the set.
func (b *Bitmap) Contains(s Slot) bool { return b.word(int(s>>6))>>(s&63)&1 != 0 }

// word returns 64 bits; what lies beyond the end is 0.
func (b *Bitmap) word(w int) uint64 {
	if w < len(b.words) {
		return b.words[w]
	}
	return 0
}

// Count returns how many slots are in the set; it looks at every word.
func (b *Bitmap) Count() int {
	n := 0
	for _, w := range b.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// And keeps what is also in other.
func (b *Bitmap) And(other *Bitmap) {
	b.words = b.words[:min(len(b.words), len(other.words))]
	for i := range b.words {
		b.words[i] &= other.words[i]
	}
}

// Or adds what is in other.
func (b *Bitmap) Or(other *Bitmap) {
	if len(other.words) > len(b.words) {
		b.grow(len(other.words))
	}
	for i, w := range other.words {
		b.words[i] |= w
	}
}

// AndNot takes out what is in other.
func (b *Bitmap) AndNot(other *Bitmap) {
	for i := range min(len(b.words), len(other.words)) {
		b.words[i] &^= other.words[i]
	}
}

// Clone returns a copy that shares nothing.
func (b *Bitmap) Clone() *Bitmap { return &Bitmap{words: slices.Clone(b.words)} }

// Reset empties the set and keeps its memory.
func (b *Bitmap) Reset() { b.words = b.words[:0] }

// Bytes is the memory that the set takes.
func (b *Bitmap) Bytes() int { return 8 * cap(b.words) }

// All goes over the slots in ascending order. The set must not change meanwhile.
func (b *Bitmap) All() iter.Seq[Slot] {
	return func(yield func(Slot) bool) {
		for i, w := range b.words {
			for ; w != 0; w &= w - 1 {
				if !yield(Slot(i<<6 | bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// grow makes the set n words long. Reset leaves old bits beyond the end; they are cleared here.
func (b *Bitmap) grow(n int) {
	old := len(b.words)
	b.words = slices.Grow(b.words, n-old)[:n]
	clear(b.words[old:])
}
