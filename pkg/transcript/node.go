package transcript

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// get returns the value under a key of an object; nil if there is none, or null.
func (n *node) get(key string) *node {
	if n == nil || n.kind != isObject {
		return nil
	}
	for i, k := range n.keys {
		if k == key && n.items[i].kind != isNull {
			return &n.items[i]
		}
	}
	return nil
}

// first is get of the first of some keys that is there.
func (n *node) first(keys ...string) *node {
	for _, k := range keys {
		if x := n.get(k); x != nil {
			return x
		}
	}
	return nil
}

// str returns the content of a string, empty for anything else, and nil too.
func (n *node) str() string {
	if n == nil || n.kind != isString {
		return ""
	}
	return n.text
}

// word shows a scalar as text: a task may be 7 or "7". Empty for what is no scalar.
func (n *node) word() string {
	if n == nil {
		return ""
	}
	switch n.kind {
	case isString, isNumber:
		return n.text
	case isTrue, isFalse:
		return n.kind.String()
	}
	return ""
}

// float returns a number, or a boolean as 0 or 1, and whether it is one.
func (n *node) float() (float64, bool) {
	if n == nil {
		return 0, false
	}
	switch n.kind {
	case isNumber:
		f, err := strconv.ParseFloat(n.text, 64)
		return f, err == nil
	case isTrue:
		return 1, true
	case isFalse:
		return 0, true
	}
	return 0, false
}

// count returns a whole number that is not negative, and 0 for anything else.
func (n *node) count() int64 {
	f, ok := n.float()
	if !ok || n.kind != isNumber || f < 0 || f >= math.MaxInt64 {
		return 0
	}
	return int64(f)
}

// cost returns an amount of US dollars, and 0 for anything else.
func (n *node) cost() inmem.Cost {
	f, ok := n.float()
	if !ok || n.kind != isNumber || f < 0 || f >= 9.2e9 {
		return 0
	}
	return inmem.Cost(math.Round(f * float64(inmem.Dollar)))
}

// timeLayouts are the ways in which a time is written as text.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
}

// maxSeconds bounds times given in seconds: the year 2200.
const maxSeconds = 7_258_118_400

// time reads a time: as text, or as a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970, whichever of them lies before the year 2200. A text without a zone is UTC.
func (n *node) time() (time.Time, bool) {
	if n == nil {
		return time.Time{}, false
	}
	if n.kind == isString {
		for _, layout := range timeLayouts {
			t, err := time.Parse(layout, n.text)
			if err == nil && t.Unix() > 0 && t.Unix() < maxSeconds {
				return t.UTC(), true
			}
		}
		return time.Time{}, false
	}
	f, ok := n.float()
	if !ok || n.kind != isNumber || f <= 0 {
		return time.Time{}, false
	}
	scale := 1.0
	for f/scale >= maxSeconds {
		if scale *= 1000; scale > 1e9 {
			return time.Time{}, false
		}
	}
	seconds, fraction := math.Modf(f / scale)
	return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), true
}

// stored converts a node as it is: an object is a Map, whatever its keys. Errors:
// inmem.ErrTooLarge.
func (n *node) stored() (inmem.Value, error) {
	switch n.kind {
	case isTrue, isFalse:
		return inmem.Bool(n.kind == isTrue), nil
	case isNumber:
		return storedNumber(n.text), nil
	case isString:
		return inmem.String(n.text), nil
	case isArray:
		elements := make([]inmem.Value, len(n.items))
		for i := range n.items {
			var err error
			if elements[i], err = n.items[i].stored(); err != nil {
				return inmem.Value{}, err
			}
		}
		return codec.Array(elements...)
	case isObject:
		return n.storedMap()
	}
	return inmem.Null(), nil
}

func (n *node) storedMap(but ...string) (inmem.Value, error) {
	entries := make(map[string]inmem.Value, len(n.keys))
	for i, key := range n.keys {
		v, err := n.items[i].stored()
		if err != nil {
			return inmem.Value{}, err
		}
		entries[key] = v
	}
	for _, key := range but {
		delete(entries, key)
	}
	return codec.Map(entries)
}

// storedNumber converts a number that the parser has let pass.
func storedNumber(text string) inmem.Value {
	if strings.ContainsAny(text, ".eE") {
		f, _ := strconv.ParseFloat(text, 64)
		return inmem.Float(f)
	}
	i, _ := strconv.ParseInt(text, 10, 64)
	return inmem.Int(i)
}
