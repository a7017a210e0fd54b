package rows

import (
	"fmt"
	"sync"

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

// keys are prepared keys of 40 bytes, hundred after hundred with a common prefix of 24. They lie in
// one piece of memory without pointers; key i is less than key i+1.
type keys struct {
	text string
	n    int
}

func makeKeys(kind string, n int) keys {
	text := make([]byte, 0, n*keySize)
	for i := range n {
		text = append(text, kind...)
		text = appendDigits(text, i/groupSize, 6)
		text = append(text, "/step-"...)
		text = appendDigits(text, i, 11)
	}
	return keys{string(text), n}
}

// The kinds of keys: those that are loaded, and those that are never there before they are put.
const (
	present = "tenant/app/agent-"
	fresh   = "tenant/new/agent-"
)

func appendDigits(b []byte, v, digits int) []byte {
	for range digits {
		b = append(b, '0')
	}
	for at := len(b) - 1; v > 0; at, v = at-1, v/10 {
		b[at] = byte('0' + v%10)
	}
	return b
}

func (k keys) at(i int) string     { return k.text[i*keySize : (i+1)*keySize] }
func (k keys) prefix(g int) string { return k.text[g*groupSize*keySize:][:prefixSize] }

// cached makes keys once for each kind and number; a million of them are 40 MB.
var cached struct {
	sync.Mutex
	made map[string]keys
}

func keysOf(kind string, n int) keys {
	cached.Lock()
	defer cached.Unlock()
	name := fmt.Sprint(kind, n)
	if k, found := cached.made[name]; found {
		return k
	}
	if cached.made == nil {
		cached.made = map[string]keys{}
	}
	k := makeKeys(kind, n)
	cached.made[name] = k
	return k
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
