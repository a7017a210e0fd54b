package codec

import (
	"iter"
	"slices"
)

// Array returns an Array of the given values. Errors: ErrTooLarge, and ErrInvalidArgument if a
// String among them is not UTF-8.
func Array(elements ...Value) (Value, error) {
	var m measure
	for _, e := range elements {
		if err := m.add(e); err != nil {
			return Value{}, err
		}
	}
	n := uint64(len(elements))
	data := appendHead(make([]byte, 0, headSize(n)+m.size), majorArray, n)
	for _, e := range elements {
		data = appendValue(data, e)
	}
	return m.container(KindArray, n, data), nil
}

// Map returns a Map with the given entries. Errors: ErrTooLarge, and ErrInvalidArgument if a key or
// a String among the values is not UTF-8.
func Map(entries map[string]Value) (Value, error) {
	keys := make([]string, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareMapKeys)
	return sortedMap(keys, func(i int) Value { return entries[keys[i]] })
}

// sortedMap makes a Map of keys in encoding order, without duplicates.
func sortedMap(keys []string, value func(i int) Value) (Value, error) {
	var m measure
	for i, k := range keys {
		if err := m.add(String(k)); err != nil {
			return Value{}, err
		}
		if err := m.add(value(i)); err != nil {
			return Value{}, err
		}
	}
	n := uint64(len(keys))
	data := appendHead(make([]byte, 0, headSize(n)+m.size), majorMap, n)
	for i, k := range keys {
		data = appendValue(data, String(k))
		data = appendValue(data, value(i))
	}
	return m.container(KindMap, n, data), nil
}

// measure adds up what a container will hold, and refuses what goes over a limit.
type measure struct {
	size  int // of the encoded elements
	depth int // of the deepest of them
}

func (m *measure) add(v Value) error {
	if err := v.check(); err != nil {
		return err
	}
	m.size += v.EncodedSize()
	m.depth = max(m.depth, v.depth())
	if m.size > MaxValueSize {
		return tooLarge("value", m.size, MaxValueSize)
	}
	if m.depth+1 > MaxNesting {
		return tooLarge("nesting", m.depth+1, MaxNesting)
	}
	return nil
}

func (m *measure) container(kind Kind, n uint64, data []byte) Value {
	return Value{kind: kind, bits: n | uint64(m.depth+1)<<depthShift, data: aliasString(data)}
}

// Len is the number of elements of an Array, of entries of a Map, of bytes of a String or of Bytes,
// and 0 for the other kinds.
func (v Value) Len() int {
	switch v.kind {
	case KindArray, KindMap:
		return int(v.bits & (1<<depthShift - 1))
	default:
		return len(v.data)
	}
}

// Index returns element i of an Array; Null if v is none or i is out of range. It walks over the
// elements before it: use Items to see all.
func (v Value) Index(i int) Value {
	if v.kind != KindArray || i < 0 || i >= v.Len() {
		return Value{}
	}
	b := aliasBytes(v.data)
	at := headSize(uint64(v.Len()))
	for range i {
		at, _ = skip(b, at)
	}
	element, _ := valueAt(v.data, at)
	return element
}

// Lookup returns the value under a key of a Map, and whether it is there; false if v is no Map. It
// walks over the entries before it: use Entries to see all.
func (v Value) Lookup(key string) (Value, bool) {
	if v.kind != KindMap {
		return Value{}, false
	}
	b := aliasBytes(v.data)
	at := headSize(uint64(v.Len()))
	for range v.Len() {
		k, next := valueAt(v.data, at)
		if k.data == key {
			found, _ := valueAt(v.data, next)
			return found, true
		}
		at, _ = skip(b, next)
	}
	return Value{}, false
}

// Items yields the elements of an Array with their indexes; nothing if v is none.
func (v Value) Items() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.kind != KindArray {
			return
		}
		at := headSize(uint64(v.Len()))
		for i := range v.Len() {
			element, next := valueAt(v.data, at)
			if !yield(i, element) {
				return
			}
			at = next
		}
	}
}

// Entries yields the entries of a Map, shorter keys first, keys of one length bytewise; nothing if
// v is no Map. The order is that of the encoding, the same every time.
func (v Value) Entries() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != KindMap {
			return
		}
		at := headSize(uint64(v.Len()))
		for range v.Len() {
			key, next := valueAt(v.data, at)
			value, end := valueAt(v.data, next)
			if !yield(key.data, value) {
				return
			}
			at = end
		}
	}
}
