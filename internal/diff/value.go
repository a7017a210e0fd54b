package diff

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Limits bound the comparison of two values. Zero fields are defaults.
type Limits struct {
	// Changes is the most changes that are listed; default 100. What is beyond is counted.
	Changes int
	// ValueSize is the most bytes that a value in a change may have, encoded; default 16 KiB. Of what
	// is larger the size is told.
	ValueSize int
	// Work is the most bytes that are looked into, containers counted once for every level; default
	// 16 MiB. What lies beyond is compared as a whole, and the result is Coarse.
	Work int
	// Leaf is the name of an entry of the outermost map that is not looked into, but compared as a
	// whole: a vector is another one, whatever its components have in common. Default: none.
	Leaf string

	_ struct{}
}

func (l Limits) orDefault() Limits {
	if l.Changes == 0 {
		l.Changes = 100
	}
	if l.ValueSize == 0 {
		l.ValueSize = 16 << 10
	}
	if l.Work == 0 {
		l.Work = 16 << 20
	}
	return l
}

// maxAligned is the most elements that an array may have to be aligned.
const maxAligned = 1024

// Values compares two values: nothing if they are equal. The time is in proportion to the bytes
// that are looked into, the memory to what is listed and to the larger of the arrays that are
// aligned. The changes hold nothing of the memory of a and b.
func Values(a, b codec.Value, l Limits) Changes {
	w := newWalk(l)
	w.compare(a, b)
	return w.found
}

// Whole is what Values would be with nothing on the other side.
func Whole(v codec.Value, op Op, l Limits) Changes {
	w := newWalk(l)
	if op == Removed {
		w.report(op, &v, nil)
	} else {
		w.report(op, nil, &v)
	}
	return w.found
}

// walk is one comparison under way.
type walk struct {
	limits Limits
	work   int // bytes that may still be looked into
	found  Changes
	// The way to where the walk is, on each side. They are the same but for the indexes of arrays.
	pathA, pathB []byte
}

func newWalk(l Limits) *walk {
	l = l.orDefault()
	return &walk{limits: l, work: l.Work}
}

// compare reports what differs at the place where the walk is.
func (w *walk) compare(a, b codec.Value) {
	if a == b {
		return
	}
	if a.Kind() == b.Kind() && (a.Kind() == codec.KindMap || a.Kind() == codec.KindArray) {
		size := a.EncodedSize() + b.EncodedSize()
		if size <= w.work {
			w.work -= size
			if a.Kind() == codec.KindMap {
				w.maps(a, b)
			} else {
				w.arrays(a, b)
			}
			return
		}
		w.found.Coarse = true
	}
	w.report(Changed, &a, &b)
}

// maps compares the entries of two maps. Both sides are in the same order.
func (w *walk) maps(a, b codec.Value) {
	nextB, stop := iter.Pull2(b.Entries())
	defer stop()
	keyB, valueB, moreB := nextB()
	for keyA, valueA := range a.Entries() {
		for moreB && compareKeys(keyB, keyA) < 0 {
			w.added(keyB, valueB)
			keyB, valueB, moreB = nextB()
		}
		leaf := len(w.pathA) == 0 && keyA == w.limits.Leaf && keyA != ""
		leave := w.enter(keyA, keyA)
		switch {
		case !moreB || keyB != keyA:
			w.report(Removed, &valueA, nil)
		case !leaf:
			w.compare(valueA, valueB)
		case valueA != valueB:
			w.report(Changed, &valueA, &valueB)
		}
		leave()
		if moreB && keyB == keyA {
			keyB, valueB, moreB = nextB()
		}
	}
	for ; moreB; keyB, valueB, moreB = nextB() {
		w.added(keyB, valueB)
	}
}

func (w *walk) added(key string, v codec.Value) {
	defer w.enter(key, key)()
	w.report(Added, nil, &v)
}

// compareKeys orders keys as the entries of a map are.
func compareKeys(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// arrays compares the elements of two arrays: aligned if they are short, else by position.
func (w *walk) arrays(a, b codec.Value) {
	if a.Len() <= maxAligned && b.Len() <= maxAligned {
		w.align(elements(a), elements(b))
		return
	}
	nextB, stop := iter.Pull2(b.Items())
	defer stop()
	for i, e := range a.Items() {
		leave := w.enter(strconv.Itoa(i), strconv.Itoa(i))
		if _, f, ok := nextB(); ok {
			w.compare(e, f)
		} else {
			w.report(Removed, &e, nil)
		}
		leave()
	}
	for i, f, ok := nextB(); ok; i, f, ok = nextB() {
		w.added(strconv.Itoa(i), f)
	}
}

func elements(v codec.Value) []codec.Value {
	list := make([]codec.Value, 0, v.Len())
	for _, e := range v.Items() {
		list = append(list, e)
	}
	return list
}

// align compares two short arrays. Between two elements that are the same on both sides the others
// are paired in their order.
func (w *walk) align(a, b []codec.Value) {
	pairs := common(encodings(a), encodings(b))
	gaps(pairs, len(a), len(b), func(a0, a1, b0, b1 int) {
		for a0 < a1 || b0 < b1 {
			leave := w.enter(strconv.Itoa(a0), strconv.Itoa(b0))
			switch {
			case a0 == a1:
				w.report(Added, nil, &b[b0])
				b0++
			case b0 == b1:
				w.report(Removed, &a[a0], nil)
				a0++
			default:
				w.compare(a[a0], b[b0])
				a0, b0 = a0+1, b0+1
			}
			leave()
		}
	})
}

// encodings stand for values: two are equal if the values are.
func encodings(values []codec.Value) []string {
	list := make([]string, len(values))
	for i, v := range values {
		data, _ := codec.AppendValue(nil, v) // what was read can be stored
		list[i] = string(data)
	}
	return list
}

// enter appends one step to the path on each side, and returns what takes them off again.
func (w *walk) enter(a, b string) (leave func()) {
	lenA, lenB := len(w.pathA), len(w.pathB)
	w.pathA, w.pathB = appendPointer(w.pathA, a), appendPointer(w.pathB, b)
	return func() { w.pathA, w.pathB = w.pathA[:lenA], w.pathB[:lenB] }
}

// appendPointer appends a step of a JSON pointer, escaped as RFC 6901 wants it.
func appendPointer(path []byte, step string) []byte {
	path = append(path, '/')
	for i := range len(step) {
		switch step[i] {
		case '~':
			path = append(path, "~0"...)
		case '/':
			path = append(path, "~1"...)
		default:
			path = append(path, step[i])
		}
	}
	return path
}

// report lists a change at the place where the walk is; a side without anything is nil.
func (w *walk) report(op Op, before, after *codec.Value) {
	if len(w.found.List) >= w.limits.Changes {
		w.found.More++
		return
	}
	c := Change{Path: string(w.pathB), Op: op}
	if op == Removed {
		c.Path = string(w.pathA)
	}
	if op == Changed && !slices.Equal(w.pathA, w.pathB) {
		c.From = string(w.pathA)
	}
	c.Old, c.OldSize = w.keep(before)
	c.New, c.NewSize = w.keep(after)
	w.found.List = append(w.found.List, c)
}

// keep is what a change tells of one side.
func (w *walk) keep(v *codec.Value) (kept *codec.Value, size int) {
	if v == nil {
		return nil, 0
	}
	size = v.EncodedSize()
	if size > w.limits.ValueSize {
		return nil, size
	}
	clone := v.Clone() // what it was read from may be a large block
	return &clone, size
}

// Without is v without the entries of its maps, at any depth, that have one of the names. Values
// without such entries come back as they are.
func Without(v codec.Value, names []string) (codec.Value, error) {
	if len(names) == 0 || !mentions(v, names) {
		return v, nil
	}
	if v.Kind() == codec.KindArray {
		list := elements(v)
		for i := range list {
			var err error
			if list[i], err = Without(list[i], names); err != nil {
				return v, err
			}
		}
		return codec.Array(list...)
	}
	entries := make(map[string]codec.Value, v.Len())
	for key, e := range v.Entries() {
		if slices.Contains(names, key) {
			continue
		}
		var err error
		if entries[key], err = Without(e, names); err != nil {
			return v, err
		}
	}
	return codec.Map(entries)
}

// mentions reports whether a map in v has an entry with one of the names.
func mentions(v codec.Value, names []string) bool {
	for _, e := range v.Items() {
		if mentions(e, names) {
			return true
		}
	}
	for key, e := range v.Entries() {
		if slices.Contains(names, key) || mentions(e, names) {
			return true
		}
	}
	return false
}
