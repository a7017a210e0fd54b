package runindex

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The kinds of entries. On-disk: never rename, never reuse.
const (
	kindRun    = "run"
	kindTag    = "tag"
	kindSpace  = "space"
	kindParent = "parent"
	kindStatus = "status"
	kindFork   = "fork"
	kindImport = "import"
)

// null is the value of every entry.
var null = func() []byte {
	b, err := codec.AppendValue(nil, codec.Null())
	if err != nil {
		return nil // cannot be: Null has no faults
	}
	return b
}()

// placeOf is where a run stands in every stream that it is in: the end of its entries' keys.
func placeOf(created int64, id [16]byte) string {
	var place [32]byte
	return string(codec.Tuple(place[:0]).AppendTime(created).AppendBytes(id[:]))
}

// decodePlace is the inverse of placeOf.
func decodePlace(place string) (created int64, id [16]byte, ok bool) {
	elements, err := codec.DecodeTuple([]byte(place))
	if err != nil || len(elements) != 2 || elements[0].Kind != codec.ElementTime ||
		elements[1].Kind != codec.ElementBytes || len(elements[1].Text) != len(id) {
		return 0, id, false
	}
	copy(id[:], elements[1].Text)
	return elements[0].Int, id, true
}

// idText is an id as users see it.
func idText(id [16]byte) string { return uuid.UUID(id).String() }

// family begins every key: archived runs lie apart from all others.
func family(archived bool, kind string) codec.Tuple {
	return appendFamily(make(codec.Tuple, 0, usualKey), archived, kind)
}

func appendFamily(dst codec.Tuple, archived bool, kind string) codec.Tuple {
	return dst.AppendBool(archived).AppendString(kind)
}

// usualKey is enough for most keys, so that they do not grow piece by piece.
const usualKey = 64

func tagPrefix(archived bool, tag string) codec.Tuple {
	return family(archived, kindTag).AppendString(tag)
}

// parentPrefix is the stream of the runs that were begun under one, by the number of its scope: one
// with the same id that comes later has none of them.
func parentPrefix(archived bool, parent codec.Scope) codec.Tuple {
	return family(archived, kindParent).AppendInt(int64(parent))
}

// spacePrefix is the stream of the runs with these parts of a namespace; an empty part is any.
func spacePrefix(archived bool, tenant, app, agent string) codec.Tuple {
	return appendSpace(make(codec.Tuple, 0, usualKey), archived, tenant, app, agent)
}

func appendSpace(t codec.Tuple, archived bool, tenant, app, agent string) codec.Tuple {
	t = appendFamily(t, archived, kindSpace)
	for _, part := range [...]string{tenant, app, agent} {
		if part == "" {
			t = t.AppendNil()
		} else {
			t = t.AppendString(part)
		}
	}
	return t
}

// statusPrefix is the stream of a final status, and what the streams of a passing one begin with.
func statusPrefix(s codec.Status) codec.Tuple {
	return family(false, kindStatus).AppendString(s.String())
}

// stays tells whether a status is for good, but for archiving: such runs have a plain stream.
func stays(s codec.Status) bool { return s != codec.Active && s != codec.Paused }

// passes tells whether a record has an entry of a passing status.
func passes(r *codec.ScopeRecord) bool {
	return r != nil && !stays(r.Status) && r.Kind != codec.KindImport
}

// ended tells whether a status is an end: it leads to Archived at most.
func ended(s codec.Status) bool { return stays(s) }

// entryList makes the keys of a run's entries, one behind the other in one string: a run has a
// dozen, and is made often.
type entryList struct {
	archived bool
	place    string
	text     codec.Tuple
	ends     []int
}

// begin begins a key, which end ends.
func (l *entryList) begin(kind string) codec.Tuple {
	return appendFamily(l.text, l.archived, kind)
}

func (l *entryList) end(prefix codec.Tuple) {
	l.text = append(prefix, l.place...)
	l.ends = append(l.ends, len(l.text))
}

func (l *entryList) keys() []string {
	keys, text, start := make([]string, 0, len(l.ends)+1), string(l.text), 0
	for _, end := range l.ends {
		keys = append(keys, text[start:end])
		start = end
	}
	return keys
}

// plainEntries lists the keys of a run's entries, but for that of a passing status, in no order.
func plainEntries(r *codec.ScopeRecord) []string {
	place := placeOf(r.Created, r.ID)
	if r.Kind == codec.KindImport {
		return []string{importPrefix() + place}
	}
	archived := r.Status == codec.Archived
	l := entryList{
		archived: archived, place: place, text: make(codec.Tuple, 0, 12*usualKey),
		ends: make([]int, 0, 12+len(r.Tags)),
	}
	l.end(l.begin(kindRun))
	for _, tag := range r.Tags {
		l.end(l.begin(kindTag).AppendString(tag))
	}
	if r.ParentNumber != 0 {
		l.end(l.begin(kindParent).AppendInt(int64(r.ParentNumber)))
	}
	if r.ReadsThrough() { // archived or not
		l.end(appendFork(l.text, r.ParentNumber).AppendInt(int64(r.ForkVersion)))
	}
	if stays(r.Status) && !archived {
		l.end(l.begin(kindStatus).AppendString(r.Status.String()))
	}
	for _, tenant := range orAny(r.Tenant) {
		for _, app := range orAny(r.App) {
			for _, agent := range orAny(r.Agent) {
				if tenant != "" || app != "" || agent != "" {
					l.end(appendSpace(l.text, archived, tenant, app, agent))
				}
			}
		}
	}
	return l.keys()
}

// entriesOf lists the keys of all entries of a run; nil has none. Without a layout that of a
// passing status is left out.
func entriesOf(r *codec.ScopeRecord, l *layout) []string {
	if r == nil {
		return nil
	}
	keys := plainEntries(r)
	if l != nil && passes(r) {
		keys = append(keys, l.key(r))
	}
	return keys
}

// orAny is a part of a namespace, and any.
func orAny(part string) []string {
	if part == "" {
		return []string{""}
	}
	return []string{part, ""}
}

// isRun tells the key of a run's record from that of a shared namespace.
func isRun(record string) bool { return !strings.HasPrefix(record, "@") }

// CheckShared refuses names that no shared namespace has: without a tenant, with an agent but no
// app, or too long. Errors: codec.ErrInvalidArgument, codec.ErrTooLarge.
func CheckShared(tenant, app, agent string) error {
	switch {
	case tenant == "":
		return fmt.Errorf("%w: a shared namespace has a tenant", codec.ErrInvalidArgument)
	case app == "" && agent != "":
		return fmt.Errorf("%w: the namespace of an agent names its app", codec.ErrInvalidArgument)
	}
	return checkSpace(tenant, app, agent)
}

// damaged says that the index contradicts the records.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: index of runs: %s; Rebuild mends it", codec.ErrCorrupt,
		fmt.Sprintf(format, args...))
}
