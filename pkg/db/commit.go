package inmem

import (
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/eventlog"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
)

// Commit is one commit of one run, or shared namespace, as history tells it. A commit over several
// of them has one Commit in each, with the same Version. Immutable; it stays valid as long as it is
// held. Neighbours share memory: who keeps a few of many for long keeps up to some tens of
// megabytes around each, and should keep what Value.Clone and strings.Clone give instead.
type Commit struct {
	// Version is the commit version: a view there shows the run as this commit left it.
	Version uint64 `json:"version"`
	// Number counts the commits of the run: 1, 2, 3... In a fork it goes on from the parent's.
	Number uint64 `json:"number"`
	// Time is the time of the commit. It never falls from one commit to the next.
	Time time.Time `json:"time"`
	// Origin is the version and time that an imported commit had in the database in which it was
	// made: that of what it changed, such as the times of its events. Zero for one that was made
	// here.
	Origin Origin `json:"origin,omitzero"`
	// Run is the id of the run, or what Namespace.String says of a shared namespace.
	Run string `json:"run"`
	// Changes are what the commit changed, in the order of primitive and key; each key at most
	// once.
	Changes []Change `json:"changes,omitempty"`
	// State marks the Commit that a replay of pruned history begins with: Changes are not what the
	// commit changed but all that there was at Version. See ReplayOptions.FromEarliest.
	State bool `json:"state,omitempty"`
	// Deleted marks, in a Watch, the end of a run that was deleted. There are no Changes then, and
	// Number is 0.
	Deleted bool `json:"deleted,omitempty"`

	_ struct{}
}

// Origin is where a commit was made before it was imported; see ImportRun.
type Origin struct {
	// Version and Time are those that the commit had there.
	Version uint64    `json:"version"`
	Time    time.Time `json:"time"`
}

// Primitive says which primitive a change is of.
type Primitive byte

// The primitives of a run.
const (
	PrimitiveKV         = Primitive(codec.KV)
	PrimitiveEvents     = Primitive(codec.Events)
	PrimitiveCells      = Primitive(codec.Cells)
	PrimitiveMachines   = Primitive(codec.Machines) // the machines that govern cells
	PrimitiveTraces     = Primitive(codec.Traces)
	PrimitiveVectors    = Primitive(codec.Vectors)
	PrimitiveExtensions = Primitive(codec.Extensions)
)

var primitiveNames = map[Primitive]string{
	PrimitiveKV: "kv", PrimitiveEvents: "events", PrimitiveCells: "cells",
	PrimitiveMachines: "machines", PrimitiveTraces: "traces", PrimitiveVectors: "vectors",
	PrimitiveExtensions: "extensions",
}

// String is the name in lower case, such as "kv".
func (p Primitive) String() string {
	if name, ok := primitiveNames[p]; ok {
		return name
	}
	return fmt.Sprintf("Primitive(%d)", byte(p))
}

// MarshalText implements encoding.TextMarshaler: the name.
func (p Primitive) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors: ErrInvalidArgument.
func (p *Primitive) UnmarshalText(text []byte) error {
	for known, name := range primitiveNames {
		if name == string(text) {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("%w: %q is no primitive", ErrInvalidArgument, text)
}

// ChangeOp says what a commit did to a key.
type ChangeOp = codec.ChangeOp

// The operations.
const (
	ChangePut    = codec.ChangePut    // a value was written, a span started or ended
	ChangeDelete = codec.ChangeDelete // what was there was deleted
	ChangeExpire = codec.ChangeExpire // what had expired was swept away: nobody saw it any more
	ChangeAppend = codec.ChangeAppend // an event was appended
)

// Change is one key that a commit changed. Its methods decode what was written on demand; they tell
// it only if values were asked for where the Change comes from. Immutable.
type Change struct {
	// Primitive says what the key is of, Extension whose it is if that is PrimitiveExtensions.
	Primitive Primitive
	// Op says what was done.
	Op ChangeOp
	// Key is the key of a KV or an extension, the name of a cell or of a machine's cell, the id of
	// a span or of a vector. Empty for an event: Seq tells its place; and for a collection of
	// vectors itself.
	Key       string
	Extension string
	// Collection is the collection of a vector, or the one that was created or dropped.
	Collection string
	// Seq is the place of an event in the log; 0 for everything else.
	Seq uint64

	stored  *backend.JournalChange
	version uint64
}

// commitMaker makes commits of the entries of a journal. Neighbours share what their changes lie
// in: an allocation for each would cost more than the rest.
type commitMaker struct {
	room []Change // free
	last int      // how much room there was
}

// mostRoom is how many changes lie together.
const mostRoom = 256

// commit shows an entry of a journal. The entry is not changed any more. Errors: ErrCorrupt.
func (m *commitMaker) commit(run string, e *backend.JournalEntry) (Commit, error) {
	c := Commit{Version: e.Version, Number: e.Number, Time: time.Unix(0, e.Time), Run: run}
	if o := e.Origin; o.Version != 0 {
		c.Origin = Origin{Version: o.Version, Time: time.Unix(0, o.Time)}
	}
	n := len(e.Changes)
	if n == 0 {
		return c, nil
	}
	if n > len(m.room) {
		m.last = max(n, min(2*m.last, mostRoom))
		m.room = make([]Change, m.last)
	}
	c.Changes, m.room = m.room[:n:n], m.room[n:]
	for i := range e.Changes {
		if err := c.Changes[i].read(&e.Changes[i], e.Version); err != nil {
			return Commit{}, fmt.Errorf("run %s commit %d: %w", run, e.Version, err)
		}
	}
	return c, nil
}

// read takes over a change of a journal. REQUIRES: c is zero.
func (c *Change) read(stored *backend.JournalChange, version uint64) (err error) {
	c.Primitive, c.Op, c.Key = Primitive(stored.Primitive), stored.Op, stored.Key
	c.stored, c.version = stored, version
	switch stored.Primitive {
	case codec.Events:
		c.Key = ""
		c.Seq, err = codec.DecodeEventUserKey(stored.Key)
	case codec.Extensions:
		c.Extension, c.Key, err = splitExtension(stored.Key)
	case codec.Vectors:
		c.Collection, c.Key, err = codec.DecodeVectorKey(stored.Key)
	}
	return err
}

// splitExtension takes the stored key of an extension apart; kv.In makes it.
func splitExtension(stored string) (name, key string, err error) {
	e, rest, err := codec.NextElement([]byte(stored))
	if err == nil && e.Kind != codec.ElementString {
		err = &codec.CorruptError{What: "extension key", Detail: "expected a name"}
	}
	if err != nil {
		return "", "", err
	}
	return e.Text, stored[len(stored)-len(rest):], nil
}

// errNoValues: the accessors of a Change need what was not read.
var errNoValues = fmt.Errorf("%w: values were not asked for", ErrInvalidArgument)

// Writes reports whether the change leaves a value behind: a put or an append.
func (c *Change) Writes() bool { return c.Op == ChangePut || c.Op == ChangeAppend }

// data is the stored form of what was written; nil if nothing was.
func (c *Change) data() ([]byte, error) {
	if !c.Writes() || c.stored == nil {
		return nil, nil
	}
	if c.stored.Value == nil {
		return nil, c.wrap(errNoValues)
	}
	return c.stored.Value, nil
}

// Value is what was written: the value of a key or cell, the payload of an event, the stored form
// of a span or machine (a Map), of a vector a Map of "vector" and "metadata", of a collection a Map
// of its options. Null if the change leaves none.
//
// Errors: ErrInvalidArgument if values were not asked for, ErrCorrupt.
func (c *Change) Value() (Value, error) {
	data, err := c.data()
	if err != nil || data == nil {
		return Null(), err
	}
	if c.Primitive == PrimitiveEvents {
		r, err := codec.DecodeEventRecord(data)
		if err != nil {
			return Null(), c.wrap(err)
		}
		data = r.Payload
	}
	v, err := c.shown(data)
	return v, c.wrap(err)
}

// shown is a stored form as a Value.
func (c *Change) shown(data []byte) (Value, error) {
	if c.Primitive == PrimitiveVectors {
		return vectors.Shown(c.stored.Key, data)
	}
	return codec.DecodeStored(data)
}

// Expires is the deadline of what was written; zero for none.
func (c *Change) Expires() time.Time {
	if c.stored == nil || c.stored.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(0, c.stored.Expiry)
}

// Event is the event that was appended. Errors: ErrTypeMismatch if the change is of another
// primitive, ErrInvalidArgument if values were not asked for, ErrCorrupt.
func (c *Change) Event() (Event, error) {
	data, err := c.of(PrimitiveEvents)
	if err != nil {
		return Event{}, err
	}
	e, err := eventlog.Decode(c.Seq, c.version, data)
	return e, c.wrap(err)
}

// Span is the span as the change left it. Errors: as Event.
func (c *Change) Span() (Span, error) {
	data, err := c.of(PrimitiveTraces)
	if err != nil {
		return Span{}, err
	}
	s, err := trace.Decode(c.Key, data)
	return s, c.wrap(err)
}

// Machine is the machine that was declared for the cell Key. Errors: as Event.
func (c *Change) Machine() (Machine, error) {
	data, err := c.of(PrimitiveMachines)
	if err != nil {
		return Machine{}, err
	}
	m, err := statecell.DecodeMachine(data)
	return m, c.wrap(err)
}

// Vector is the vector that was written. Errors: as Event; ErrTypeMismatch also for a change of the
// collection itself.
func (c *Change) Vector() (VectorRow, error) {
	data, err := c.of(PrimitiveVectors)
	if err == nil && c.Key == "" {
		err = c.wrap(fmt.Errorf("%w: expected a vector, found a collection", ErrTypeMismatch))
	}
	if err != nil {
		return VectorRow{}, err
	}
	row, err := vectors.DecodeRow(c.Key, c.version, data)
	return row, c.wrap(err)
}

// of is data, for a change of one primitive that wrote something.
func (c *Change) of(p Primitive) ([]byte, error) {
	if c.Primitive != p || !c.Writes() {
		return nil, c.wrap(fmt.Errorf("%w: expected a put or append of %v", ErrTypeMismatch, p))
	}
	data, err := c.data()
	if err == nil && data == nil {
		err = c.wrap(errNoValues)
	}
	return data, err
}

// Old is what the key held right before the commit, in the form of Value, and whether it held
// anything: false for what did not exist or had expired, and if old values were not asked for.
// Errors: ErrCorrupt.
func (c *Change) Old() (Value, bool, error) {
	if c.stored == nil || c.stored.Old == nil {
		return Null(), false, nil
	}
	v, err := c.shown(c.stored.Old.Value)
	return v, err == nil, c.wrap(err)
}

// OldSpan is Old as a span. Errors: ErrTypeMismatch if the change is of another primitive,
// ErrCorrupt.
func (c *Change) OldSpan() (Span, bool, error) {
	if c.Primitive != PrimitiveTraces {
		return Span{}, false, c.wrap(fmt.Errorf("%w: expected a change of traces", ErrTypeMismatch))
	}
	if c.stored == nil || c.stored.Old == nil {
		return Span{}, false, nil
	}
	s, err := trace.Decode(c.Key, c.stored.Old.Value)
	return s, err == nil, c.wrap(err)
}

// shownChange bounds the part of a key that the text of a Change shows, in bytes.
const shownChange = 64

// String names the change, such as kv put "goal", without its value.
func (c Change) String() string {
	if c.Primitive == PrimitiveEvents {
		return fmt.Sprintf("events %v %d", c.Op, c.Seq)
	}
	key, dots := c.Key, ""
	if len(key) > shownChange {
		key, dots = key[:shownChange], "..."
	}
	switch {
	case c.Primitive == PrimitiveExtensions:
		return fmt.Sprintf("extension %q %v %q%s", c.Extension, c.Op, key, dots)
	case c.Primitive == PrimitiveVectors && c.Key == "":
		return fmt.Sprintf("collection %v %.*q", c.Op, shownChange, c.Collection)
	case c.Primitive == PrimitiveVectors:
		return fmt.Sprintf("vectors %.*q %v %q%s", shownChange, c.Collection, c.Op, key, dots)
	}
	return fmt.Sprintf("%v %v %q%s", c.Primitive, c.Op, key, dots)
}

func (c *Change) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("change %v of version %d: %w", c, c.version, err)
}
