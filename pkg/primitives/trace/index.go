package trace

import (
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
)

// IndexKind names one of the indexes over spans: the first element of its keys. On-disk: never
// change a text.
type IndexKind string

// The indexes.
const (
	IndexParent IndexKind = "parent" // children of a span, roots under the empty string
	IndexStart  IndexKind = "start"
	IndexTag    IndexKind = "tag"
	IndexType   IndexKind = "type"
)

var indexKinds = []IndexKind{IndexParent, IndexStart, IndexTag, IndexType}

// index is the primitive that holds the entries.
var index = codec.Traces.Index()

// null is the value of every entry.
var null, _ = codec.AppendValue(nil, codec.Null())

// valued says whether the keys of an index have a value between kind and time.
func (k IndexKind) valued() bool { return k != IndexStart }

// place is where an entry puts a span in the order of its index.
type place struct {
	start int64
	id    string
}

// prefix appends what the keys of one index and value begin with.
func (k IndexKind) prefix(t codec.Tuple, value string) codec.Tuple {
	t = t.AppendString(string(k))
	if k.valued() {
		t = t.AppendString(value)
	}
	return t
}

// values are what a span has in one index: one value, or one per tag.
func (k IndexKind) values(s *Span) []string {
	switch k {
	case IndexParent:
		return []string{s.Parent}
	case IndexTag:
		return s.Tags
	case IndexType:
		return []string{string(s.Type)}
	}
	return []string{""}
}

// key is the key of a span in one index.
func (k IndexKind) key(value string, at place) string {
	t := k.prefix(make(codec.Tuple, 0, 128), value)
	return string(t.AppendTime(at.start).AppendString(at.id))
}

// place is where the span stands in every index.
func (s *Span) place() place { return place{start: s.Start.UnixNano(), id: s.ID} }

// entry is a key of an index, taken apart.
type entry struct {
	kind  IndexKind
	value string
	place
}

// decodeEntry takes a key of an index apart. A key that no index has is codec.ErrCorrupt.
func decodeEntry(key string) (entry, error) {
	elements, err := codec.DecodeTuple([]byte(key))
	if err != nil {
		return entry{}, err
	}
	var e entry
	if len(elements) > 0 && elements[0].Kind == codec.ElementString {
		e.kind = IndexKind(elements[0].Text)
	}
	form := []codec.ElementKind{codec.ElementString, codec.ElementTime, codec.ElementString}
	if e.kind.valued() {
		form = slices.Insert(form, 1, codec.ElementString)
	}
	fits := slices.EqualFunc(elements, form, func(e codec.Element, k codec.ElementKind) bool {
		return e.Kind == k
	})
	if !fits || !slices.Contains(indexKinds, e.kind) {
		return entry{}, &codec.CorruptError{What: "index key", Detail: "no index of spans has it"}
	}
	last := len(elements) - 1
	if e.kind.valued() {
		e.value = elements[1].Text
	}
	e.place = place{start: elements[last-1].Int, id: elements[last].Text}
	return e, nil
}

// of reports whether the entry is one of the span's.
func (e *entry) of(s *Span) bool {
	return e.place == s.place() && slices.Contains(e.kind.values(s), e.value)
}

// decodePlace reads what follows the prefix in a key.
func decodePlace(rest string) (place, error) {
	at, tail, err := codec.NextElement([]byte(rest))
	if err != nil {
		return place{}, err
	}
	id, tail, err := codec.NextElement(tail)
	if err == nil && (at.Kind != codec.ElementTime || id.Kind != codec.ElementString ||
		len(tail) > 0) {
		err = &codec.CorruptError{What: "index key", Detail: "expected start time and id"}
	}
	return place{start: at.Int, id: id.Text}, err
}
