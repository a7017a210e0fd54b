package rows

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The sizes of performance.md's table.
const (
	keySize   = 40
	valueSize = 100
	groupSize = 100 // neighbouring keys that share a prefix
	// prefixSize is the length of "tenant/app/agent-000000/".
	prefixSize = 24
)

// keys are numbered keys of 40 bytes, hundred after hundred with a common prefix of 24. Key i is
// less than key i+1. As a rule they are prepared, in one piece of memory without pointers; where
// the memory of the process is what is measured they are made when they are asked for.
type keys struct {
	text string // all of them, or empty
	n    int
}

// The kinds of keys: those that are loaded, and those that are never there before they are put.
const (
	present = "tenant/app/agent-"
	fresh   = "tenant/new/agent-"
)

func appendKey(text []byte, kind string, i int) []byte {
	text = append(text, kind...)
	text = appendDigits(text, i/groupSize, 6)
	text = append(text, "/step-"...)
	return appendDigits(text, i, 11)
}

func makeKeys(kind string, first, n int) keys {
	text := make([]byte, 0, n*keySize)
	for i := first; i < first+n; i++ {
		text = appendKey(text, kind, i)
	}
	return keys{string(text), n}
}

func appendDigits(b []byte, v, digits int) []byte {
	for range digits {
		b = append(b, '0')
	}
	for at := len(b) - 1; v > 0; at, v = at-1, v/10 {
		b[at] = byte('0' + v%10)
	}
	return b
}

func (k keys) at(i int) string {
	if k.text == "" {
		return string(appendKey(make([]byte, 0, keySize), present, i))
	}
	return k.text[i*keySize : (i+1)*keySize]
}

func (k keys) prefix(g int) string { return k.at(g * groupSize)[:prefixSize] }

// mostPrepared is the number of keys that may be prepared: 400 MB.
const mostPrepared = 10_000_000

// cached are the prepared keys of each number.
var cached struct {
	sync.Mutex // guards made
	made       map[int]keys
}

// keysOf are the first n keys that are loaded.
func keysOf(n int) keys {
	cached.Lock()
	defer cached.Unlock()
	if k, found := cached.made[n]; found {
		return k
	}
	if cached.made == nil {
		cached.made = map[int]keys{}
	}
	k := makeKeys(present, 0, n)
	cached.made[n] = k
	return k
}

// freshKeys are keys to insert, in an order that looks random. They are made piece by piece while
// they are used, which costs some ten nanoseconds each, and kept for the next trial.
type freshKeys struct {
	mu     sync.Mutex // held while a piece is made
	pieces [mostFresh / pieceSize]atomic.Pointer[keys]
}

const (
	mostFresh = 1 << 24
	pieceSize = 1 << 14
)

var inserted freshKeys

// at is key number i, below mostFresh. Any goroutine may ask.
func (f *freshKeys) at(i int) string {
	slot := &f.pieces[i/pieceSize]
	piece := slot.Load()
	if piece == nil {
		piece = f.make(slot, i/pieceSize*pieceSize)
	}
	return piece.at(i % pieceSize)
}

func (f *freshKeys) make(slot *atomic.Pointer[keys], first int) *keys {
	f.mu.Lock()
	defer f.mu.Unlock()
	if piece := slot.Load(); piece != nil {
		return piece
	}
	text := make([]byte, 0, pieceSize*keySize)
	for i := first; i < first+pieceSize; i++ {
		text = appendKey(text, fresh, shuffled(i, mostFresh))
	}
	piece := &keys{string(text), pieceSize}
	slot.Store(piece)
	return piece
}

// shuffled is place i of a fixed order of the numbers below n that looks random.
func shuffled(i, n int) int {
	const prime = 7_368_787 // larger than any step that n could share with it
	return int(uint64(i) * prime % uint64(n))
}

// ring are the values: few enough to stay in the nearest cache, so that comparing is not what is
// measured.
var ring = func() (all [64]string) {
	for i := range all {
		b := make([]byte, valueSize)
		for at := range b {
			b[at] = byte('a' + (i*7+at*3)%26)
		}
		copy(b, fmt.Sprintf("value %02d ", i))
		all[i] = string(b)
	}
	return all
}()

// value is what key i holds until it is overwritten.
func value(i int) string { return ring[i%len(ring)] }

// touch reads the ends of a key, so that its memory is near when the next operation wants it: in a
// program the key would have been made just before. The result must be used.
func touch(key string) byte { return key[0] ^ key[len(key)-1] }

// expectValue checks one read.
func expectValue(key, want string, got []byte, found bool, err error) error {
	switch {
	case err != nil:
		return err
	case !found:
		return measure.Wrongf("key %q is absent, expected %.20q...", key, want)
	case string(got) != want:
		return measure.Wrongf("key %q holds %.20q... (%d bytes), expected %.20q...",
			key, got, len(got), want)
	}
	return nil
}
