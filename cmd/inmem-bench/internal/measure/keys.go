package measure

import "math/bits"

// DefaultSeed is the seed of the original system.
const DefaultSeed = 0xDEADBEEFCAFEBABE

// MaxKeys is the most keys that six digits can number; more have eight.
const MaxKeys = 1_000_000

// LCG is the random generator of the original system: a 64-bit linear congruential one. It belongs
// to one goroutine; the padding keeps the generators of several off each other's cache lines.
type LCG struct {
	state uint64
	_     [56]byte
}

// NewLCG starts a sequence; stream makes those of several workers differ.
func NewLCG(seed uint64, stream int) LCG {
	return LCG{state: seed + uint64(stream)*0x9E3779B97F4A7C15}
}

// Below returns a number from 0 to n-1. It uses the upper bits: the lower ones of such a generator
// repeat after a few steps, so that a remainder by a power of two would visit its keys in turn.
func (g *LCG) Below(n int) int {
	g.state = g.state*6364136223846793005 + 1
	high, _ := bits.Mul64(g.state, uint64(n))
	return int(high)
}

// Keys are prepared keys, "prefix_000000" and so on. They lie in one piece of memory without
// pointers, so that half a million of them cost the garbage collector nothing.
type Keys struct {
	text  string
	width int
	n     int
}

// MakeKeys prepares n keys: of six digits if they are at most MaxKeys, else of eight.
func MakeKeys(prefix string, n int) Keys {
	zeros := "_000000"
	if n > MaxKeys {
		zeros = "_00000000"
	}
	width := len(prefix) + len(zeros)
	text := make([]byte, 0, n*width)
	for i := range n {
		text = append(append(text, prefix...), zeros...)
		for at, rest := len(text)-1, i; rest > 0; at, rest = at-1, rest/10 {
			text[at] = byte('0' + rest%10)
		}
	}
	return Keys{string(text), width, n}
}

// Len is the number of keys.
func (k Keys) Len() int { return k.n }

// At returns key i without an allocation.
func (k Keys) At(i int) string { return k.text[i*k.width : (i+1)*k.width] }
