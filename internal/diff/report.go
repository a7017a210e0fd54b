package diff

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// Op says what became of something on the way from a to b.
type Op string

// The three ways in which something differs.
const (
	Added   Op = "added"   // only b has it
	Removed Op = "removed" // only a has it
	Changed Op = "changed" // both have it, and it is not the same
)

// swapped is the Op seen from the other side.
func (o Op) swapped() Op {
	switch o {
	case Added:
		return Removed
	case Removed:
		return Added
	}
	return o
}

// Primitive says of what an Entry is a difference.
type Primitive string

// The primitives, in the order of a report.
const (
	KV         Primitive = "kv"
	Extensions Primitive = "extensions" // keys under a name of their own
	Cells      Primitive = "cells"
	Machines   Primitive = "machines" // the state machines that govern cells
	Vectors    Primitive = "vectors"  // and the collections that they are in
	Events     Primitive = "events"
	Traces     Primitive = "traces" // spans
)

// Counts says how many there are on each side, and how they compare: A = Same + Changed + Removed
// and B = Same + Changed + Added.
type Counts struct {
	A       uint64 `json:"a"`
	B       uint64 `json:"b"`
	Same    uint64 `json:"same"`
	Added   uint64 `json:"added"`
	Removed uint64 `json:"removed"`
	Changed uint64 `json:"changed"`
	// Shared: the sides have a common history, and what neither has written since was not gone over.
	// It is the same on both sides, and missing in A, B and Same.
	Shared bool `json:"shared,omitempty"`
}

// Differences is how many differ.
func (c Counts) Differences() uint64 { return c.Added + c.Removed + c.Changed }

// Count takes a difference into account.
func (c *Counts) Count(op Op) {
	switch op {
	case Added:
		c.Added++
		c.B++
	case Removed:
		c.Removed++
		c.A++
	case Changed:
		c.Changed++
		c.A++
		c.B++
	}
}

// CountSame takes into account what is the same on both sides.
func (c *Counts) CountSame(n uint64) {
	c.Same, c.A, c.B = c.Same+n, c.A+n, c.B+n
}

// State are the counts of what a run holds besides its history.
type State struct {
	KV         Counts `json:"kv"`
	Extensions Counts `json:"extensions"`
	Cells      Counts `json:"cells"`
	Machines   Counts `json:"machines"`
	Vectors    Counts `json:"vectors,omitzero"`
}

// Differences is how many keys and cells differ.
func (s *State) Differences() uint64 {
	return s.KV.Differences() + s.Extensions.Differences() + s.Cells.Differences() +
		s.Machines.Differences() + s.Vectors.Differences()
}

// Of are the counts of one primitive; nil for events and spans.
func (s *State) Of(p Primitive) *Counts {
	switch p {
	case KV:
		return &s.KV
	case Extensions:
		return &s.Extensions
	case Cells:
		return &s.Cells
	case Machines:
		return &s.Machines
	case Vectors:
		return &s.Vectors
	}
	return nil
}

// Step is one event or span.
type Step struct {
	// Position counts the steps of its side from 0: for an event its sequence number.
	Position uint64 `json:"position"`
	// ID is that of a span.
	ID string `json:"id,omitempty"`
	// Type and Name say what was done: a tool_call of search_flights.
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	// Time is the commit time of an event, the start of a span.
	Time time.Time `json:"time"`
	// Version is that of the commit that appended the event or began the span.
	Version uint64 `json:"version"`
}

// Entry is one difference.
type Entry struct {
	Primitive Primitive `json:"primitive"`
	Op        Op        `json:"op"`
	// Extension is the name of the extension that the key belongs to.
	Extension string `json:"extension,omitempty"`
	// Collection is the name of the collection that the vector is in.
	Collection string `json:"collection,omitempty"`
	// Key is the key, the name of the cell, or the id of the vector; any bytes. Empty for the options
	// of a Collection.
	Key string `json:"key,omitempty"`
	// VersionA and VersionB are the versions of the commits that wrote the key; 0 where it is not.
	VersionA uint64 `json:"version_a,omitempty"`
	VersionB uint64 `json:"version_b,omitempty"`
	// A and B are the steps; nil where there is none, and for keys and cells.
	A *Step `json:"a,omitempty"`
	B *Step `json:"b,omitempty"`
	// Changes are the differences inside; of what was added or removed the whole value, at path "".
	Changes Changes `json:"changes,omitzero"`
}

// MarshalJSON implements json.Marshaler. A Key, Extension or Collection that is not UTF-8 has the
// form of Bytes in a value: {"$bytes": "..."}.
func (e Entry) MarshalJSON() ([]byte, error) {
	type fields Entry
	j := struct {
		fields
		// These lie above the fields with the same names.
		Extension  *codec.Value `json:"extension,omitempty"`
		Collection *codec.Value `json:"collection,omitempty"`
		Key        *codec.Value `json:"key,omitempty"`
	}{fields: fields(e)}
	if e.Primitive == Extensions {
		j.Extension = text(e.Extension)
	}
	if e.Primitive == Vectors {
		j.Collection = text(e.Collection)
	}
	if e.A == nil && e.B == nil && (e.Primitive != Vectors || e.Key != "") {
		j.Key = text(e.Key)
	}
	return json.Marshal(j)
}

// text is a key as a value.
func text(s string) *codec.Value {
	v := codec.String(s)
	if !utf8.ValidString(s) {
		v = codec.Bytes([]byte(s))
	}
	return &v
}

// Divergence is the first place at which two sequences of steps differ.
type Divergence struct {
	// Primitive is Events or Traces.
	Primitive Primitive `json:"primitive"`
	// Position is how many steps are the same before it.
	Position uint64 `json:"position"`
	// LastA and LastB are the last common step, as each side has it; nil if the first steps differ.
	LastA *Step `json:"last_a,omitempty"`
	LastB *Step `json:"last_b,omitempty"`
	// NextA and NextB are the first steps that differ; nil on a side that has no more.
	NextA *Step `json:"next_a,omitempty"`
	NextB *Step `json:"next_b,omitempty"`
	// Changes are the differences between NextA and NextB, by path; of a step that stands alone the
	// whole, of two of different types or names both.
	Changes Changes `json:"changes,omitzero"`
	// VersionA and VersionB are the versions that show the sides just before: what had been
	// committed before the first step that differs; of a side that ended, its end.
	VersionA uint64 `json:"version_a"`
	VersionB uint64 `json:"version_b"`
	// State says what differs in the keys and cells at these versions. Nil if it was not asked for.
	State *StateBefore `json:"state,omitempty"`
}

// StateBefore says what differs in the keys and cells of two sides just before a divergence.
type StateBefore struct {
	State
	// Entries are the differences, Omitted is how many more there are.
	Entries []Entry `json:"entries"`
	Omitted uint64  `json:"omitted,omitempty"`
}

// Sequence says how two sequences of steps compare.
type Sequence struct {
	Counts
	// Prefix and Suffix are how many steps are the same at the beginning and at the end.
	Prefix uint64 `json:"prefix"`
	Suffix uint64 `json:"suffix"`
	// Windowed: what lies between was too long to be aligned as a whole; see the package comment.
	Windowed bool `json:"windowed,omitempty"`
	// Divergence is where they part; nil if they are the same.
	Divergence *Divergence `json:"divergence,omitempty"`
}

// Totals are what a side came to.
type Totals struct {
	Commits      int64         `json:"commits"`
	Events       int64         `json:"events"`
	Spans        int64         `json:"spans"`
	Errors       int64         `json:"errors"` // spans that failed
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	Cost         int64         `json:"cost_nano_usd"`
	Duration     time.Duration `json:"duration_ns"` // from the first start of a span to the last end
}

// minus is the difference of two totals.
func (t Totals) minus(u Totals) Totals {
	return Totals{
		Commits: t.Commits - u.Commits, Events: t.Events - u.Events, Spans: t.Spans - u.Spans,
		Errors: t.Errors - u.Errors, InputTokens: t.InputTokens - u.InputTokens,
		OutputTokens: t.OutputTokens - u.OutputTokens, Cost: t.Cost - u.Cost,
		Duration: t.Duration - u.Duration,
	}
}

// Side is one of the two that are compared.
type Side struct {
	// Run is the id of the run, Version the version at which it is looked at.
	Run     string `json:"run"`
	Version uint64 `json:"version"`
	// Status and Agent are from the run's record, as it was then.
	Status string `json:"status"`
	Agent  string `json:"agent,omitempty"`
	// Totals are what the run had come to.
	Totals Totals `json:"totals"`
}

// Report is the difference between two sides.
type Report struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// Identical: nothing differs, the records of the runs and times aside.
	Identical bool `json:"identical"`
	// First is the divergence that came first: the one of Events or that of Spans.
	First *Divergence `json:"first_divergence,omitempty"`
	// Record are the differences between the records of the runs: /status, /tags, /metadata...
	Record Changes `json:"record,omitzero"`
	// State counts keys and cells, Events and Spans the steps. Counts are exact.
	State
	Events Sequence `json:"events"`
	Spans  Sequence `json:"spans"`
	// Entries are the differences, in the order of the primitives, then of keys and positions.
	// Omitted is how many more there are.
	Entries []Entry `json:"entries"`
	Omitted uint64  `json:"omitted,omitempty"`
}

// Delta is by how much b is more than a.
func (r *Report) Delta() Totals { return r.B.Totals.minus(r.A.Totals) }

// Size is how many bytes of values the changes hold, encoded.
func (c *Changes) Size() int {
	size := 0
	for i := range c.List {
		x := &c.List[i]
		size += len(x.Path) + len(x.From)
		if x.Old != nil {
			size += x.OldSize
		}
		if x.New != nil {
			size += x.NewSize
		}
	}
	return size
}

// Change is one difference inside a value.
type Change struct {
	// Path leads to it, as a JSON pointer (RFC 6901): "" is the whole value, /a/0 the first element
	// of what is under a. It is the path in b, of what was removed the path in a.
	Path string `json:"path"`
	// From is the path in a of what was changed, if it is another one: the elements before it moved.
	From string `json:"from,omitempty"`
	Op   Op     `json:"op"`
	// Old is what a has, New what b has; nil where there is nothing, and where it is larger than
	// Limits.ValueSize.
	Old *codec.Value `json:"old,omitempty"`
	New *codec.Value `json:"new,omitempty"`
	// OldSize and NewSize are the encoded sizes in bytes; 0 where there is nothing.
	OldSize int `json:"old_size,omitempty"`
	NewSize int `json:"new_size,omitempty"`
}

// Changes are the differences inside a value.
type Changes struct {
	// List has them in the order of the value's encoding.
	List []Change `json:"list"`
	// More is how many more there are.
	More int `json:"more,omitempty"`
	// Coarse: the value was too large to be compared to the last leaf. Nothing is missing, but a
	// change of a whole container may be a change of some small part of it.
	Coarse bool `json:"coarse,omitempty"`
}
