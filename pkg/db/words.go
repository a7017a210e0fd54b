package inmem

import (
	"github.com/inmem-db/inmem/pkg/primitives/eventlog"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/vector"
)

// The words of the primitives, so that one import is enough.

// Events is the event log of a run; see package eventlog for its methods.
type Events = eventlog.Log

// Event is one event of a log: number, type, payload, time, and its place in the hash chain.
type Event = eventlog.Event

// NewEvent is an event to append with Events.AppendMany.
type NewEvent = eventlog.NewEvent

// EventOptions select and order the events of Events.List.
type EventOptions = eventlog.ListOptions

// Cells are the state cells of a run; see package statecell for its methods.
type Cells = statecell.Cells

// Cell is one state cell of a run; see package statecell for its methods.
type Cell = statecell.Cell

// CellState is what a cell shows: its value, version and time.
type CellState = statecell.State

// TypedCell is a cell whose values are Go values of type T.
type TypedCell[T any] = statecell.Of[T]

// CellOf returns the cell of x with a name, as a cell of T; x is a *Run, *Tx, *View or *Shared.
func CellOf[T any](x statecell.Source, name string) TypedCell[T] {
	return statecell.CellOf[T](x, name)
}

// Machine is a state machine that governs a cell; see Cell.Define.
type Machine = statecell.Machine

// Transition is one step of a Machine.
type Transition = statecell.Transition

// Guards are the functions that transitions name, by their names; see Options.Guards.
type Guards = statecell.Guards

// GuardContext is what a guard is asked about.
type GuardContext = statecell.GuardContext

// TransitionError says which step a machine refused, and what would have been allowed. It matches
// ErrInvalidTransition. Use errors.As.
type TransitionError = statecell.TransitionError

// Traces are the spans of a run; see package trace for its methods.
type Traces = trace.Traces

// Span is one thing that an agent did, from a start to an end, with what it cost.
type Span = trace.Span

// SpanEnd is what is known of a span when it ends.
type SpanEnd = trace.SpanEnd

// SpanFilter selects spans.
type SpanFilter = trace.Filter

// SpanType says what kind of work a span was.
type SpanType = trace.SpanType

// The types of spans.
const (
	SpanToolCall = trace.ToolCall
	SpanDecision = trace.Decision
	SpanQuery    = trace.Query
	SpanThought  = trace.Thought
	SpanError    = trace.Error
	SpanCustom   = trace.Custom
)

// Cost is an amount of money in billionths of a US dollar.
type Cost = trace.Cost

// Dollar is one US dollar.
const Dollar = trace.Dollar

// Vectors is one collection of vectors of a run; see package vectors for its methods.
type Vectors = vectors.Collection

// Collections are the collections of vectors of a run; see package vectors for its methods.
type Collections = vectors.Collections

// CollectionOptions describe a collection; see Vectors.Create.
type CollectionOptions = vectors.CollectionOptions

// CollectionInfo is what is known of a collection; see Vectors.Describe.
type CollectionInfo = vectors.Info

// VectorRow is one vector with its id and metadata.
type VectorRow = vectors.Row

// VectorPast is what a row was from one commit on; see Vectors.History.
type VectorPast = vectors.Past

// VectorStats tell what a collection has in memory.
type VectorStats = vectors.Stats

// VectorRecall is how many of the true nearest rows searches find; see Vectors.EstimateRecall.
type VectorRecall = vectors.Recall

// ScrollOptions select the rows of Vectors.Scroll, Vectors.List and Vectors.Count.
type ScrollOptions = vectors.ScrollOptions

// SearchOptions say what Vectors.Search looks for.
type SearchOptions = vectors.SearchOptions

// SearchResult is the answer of Vectors.Search: hits, and how they were found.
type SearchResult = vectors.Result

// SearchHit is one row that Vectors.Search found.
type SearchHit = vectors.Hit

// SearchPlan says how a search was answered.
type SearchPlan = vectors.Plan

// Metric says how the vectors of a collection are compared. A higher score is always better.
type Metric = vector.Metric

// The metrics.
const (
	Cosine = vector.Cosine // the cosine of the angle
	Dot    = vector.Dot    // the dot product
	L2     = vector.L2     // the negated squared Euclidean distance
)

// Filter is a condition on the metadata of vectors. Package vector makes them: vector.Eq,
// vector.In, vector.And...
type Filter = vector.Filter

// DimensionError says how many components a vector has, and how many it should have. It matches
// ErrDimension. Use errors.As.
type DimensionError = vectors.DimensionError
