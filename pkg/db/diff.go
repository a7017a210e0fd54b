package inmem

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/inmem-db/inmem/internal/diff"
)

// Point is a run at a version.
type Point struct {
	// Run is the run.
	Run *Run
	// Version is the version; 0 is the newest one.
	Version uint64
}

// DiffOptions configure a comparison. The zero value has the defaults.
type DiffOptions struct {
	// Details is the most differences that Diff keeps; default 1000, negative is none. It keeps at
	// most 32 MiB of values in them. All are counted. Without effect in DiffEntries.
	Details int
	// Changes is the most differences inside one value that are listed; default 100. All are
	// counted.
	Changes int
	// ValueSize is the most bytes that a value in a difference may have, encoded; default 16 KiB. Of
	// what is larger only the size is told.
	ValueSize int
	// Ignore are names of entries of Maps that are not looked at, at any depth, in the payloads of
	// events and in spans: identifiers that are made up anew in every run, times. Of a span these
	// can also be its fields that are compared: operation, provider, model, error, error_type, open,
	// attributes.
	Ignore []string
	// Window is how many steps of each side are aligned at once; default 2048. See Diff.
	Window int

	small int // tests: smallDiff

	_ struct{}
}

// Diff is the difference between two runs, or of one run between two versions. It marshals to JSON,
// and Text and WriteText show it to people.
type Diff = diff.Report

// DiffTextOptions configure Diff.WriteText.
type DiffTextOptions = diff.TextOptions

// DiffEntry is one difference: a key, a cell, or a step.
type DiffEntry = diff.Entry

// DiffStep is an event or span in a Diff.
type DiffStep = diff.Step

// DiffOp says what became of something on the way from the first side to the second.
type DiffOp = diff.Op

// The ways in which something differs.
const (
	DiffAdded   = diff.Added   // only the second side has it
	DiffRemoved = diff.Removed // only the first side has it
	DiffChanged = diff.Changed // both have it, and it is not the same
)

// Divergence is the first place at which the steps of two runs differ.
type Divergence = diff.Divergence

// Diff compares two runs, or one run at two versions: what b has and a has not is added. Swapping a
// and b swaps what was added and removed. It compares the runs' records, keys, extensions, cells,
// machines, vectors, events and spans, values and metadata down to the path; not versions, times,
// deadlines, nor the ids of spans.
//
// Steps are events and spans. Two events are the same if type and payload are; two spans if type,
// name, operation, provider, model, error, attributes, and being open are. Both are aligned, events
// in their order, spans in that of their start, so that a step which one side has more shifts
// nothing; steps of the same type and name in between are changed. The name of an event is the
// String under name, tool or role in its payload. If what lies between equal beginnings and equal
// ends is longer than DiffOptions.Window on both sides, the alignment goes on window by window,
// which may find more differences than necessary, and says so (Windowed).
//
// First is the first step that differs, over events and spans, with the last common one before it,
// and what differed in keys and cells just before. Its versions, given to Run.At, show both sides
// as they were then.
//
// Cost: one pass over both. Runs with a common history, such as forks of one parent, cost less:
// what is equal at the beginning of two event logs because it is the same history costs a binary
// search; of more than 10,000 keys, looked at in the same version, only those are compared that
// were written since (Counts.Shared). Memory: the details that are kept, the window, not the runs.
//
// Errors: ErrInvalidArgument for a point without a run or of another database, and for a version of
// the future; ErrRunNotFound, ErrPruned, ErrTimeout, ErrCanceled, ErrStorage, ErrCorrupt,
// ErrClosed.
func (d *DB) Diff(ctx context.Context, a, b Point, o DiffOptions) (*Diff, error) {
	c, err := d.compare(ctx, a, b, o)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.run(); err != nil {
		return nil, c.wrap(err)
	}
	return c.report, nil
}

// DiffEntries yields all differences between two points, in the order of the primitives (kv,
// extensions, cells, machines, vectors, events, traces), then of keys and places, however many they
// are: see Diff. It keeps none of them. An error is yielded once and last. Breaking out early is
// fine.
func (d *DB) DiffEntries(ctx context.Context, a, b Point, o DiffOptions,
) iter.Seq2[DiffEntry, error] {
	return func(yield func(DiffEntry, error) bool) {
		c, err := d.compare(ctx, a, b, o)
		if err != nil {
			yield(DiffEntry{}, err)
			return
		}
		defer c.close()
		c.visit = func(e DiffEntry) bool { return yield(e, nil) }
		if err := c.entries(); err != nil && !errors.Is(err, errStop) {
			yield(DiffEntry{}, c.wrap(err))
		}
	}
}

// The defaults of DiffOptions.
const (
	defaultDetails = 1000
	stateDetails   = 20       // differences of keys and cells that are kept for a divergence
	mostKept       = 32 << 20 // bytes of values in the differences that are kept
)

// comparison is a Diff under way.
type comparison struct {
	ctx    context.Context
	o      DiffOptions
	limits diff.Limits
	sides  [2]side
	report *Diff
	// visit is given every difference, and answers false to end it. Nil: keep them in the report.
	visit func(DiffEntry) bool
	kept  int // bytes of values in the report
	small int // smallDiff, but for tests
	// anyTime: what both sides have from a common history may be taken for the same although only
	// one of them finds it expired.
	anyTime bool
}

// side is one of the two that are compared.
type side struct {
	run  *Run
	view *View
}

// errStop: whoever is given the differences wants no more.
var errStop = errors.New("stop")

// compare opens both sides.
func (d *DB) compare(ctx context.Context, a, b Point, o DiffOptions) (*comparison, error) {
	if o.Changes < 0 || o.ValueSize < 0 || o.Window < 0 {
		return nil, fmt.Errorf("diff: %w: a negative option", ErrInvalidArgument)
	}
	if o.Details == 0 {
		o.Details = defaultDetails
	}
	c := &comparison{
		ctx: ctx, o: o, report: &Diff{Entries: []DiffEntry{}},
		limits: diff.Limits{Changes: o.Changes, ValueSize: o.ValueSize}, small: smallDiff,
	}
	if o.small > 0 {
		c.small = o.small
	}
	newest := d.Version()
	for i, p := range []Point{a, b} {
		if p.Run == nil || p.Run.d != d {
			c.close()
			return nil, fmt.Errorf("diff: %w: side %c names no run of this database",
				ErrInvalidArgument, 'a'+i)
		}
		if p.Version == 0 {
			p.Version = newest
		}
		v, err := p.Run.At(ctx, p.Version)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("diff: side %c: %w", 'a'+i, err)
		}
		c.sides[i] = side{run: p.Run, view: v}
	}
	return c, nil
}

func (c *comparison) close() {
	for _, s := range c.sides {
		if s.view != nil {
			_ = s.view.Close() // nothing can be made of an error: it is a view of ours
		}
	}
}

// wrap says which comparison failed.
func (c *comparison) wrap(err error) error {
	a, b := c.sides[0], c.sides[1]
	return fmt.Errorf("diff of run %s at version %d and run %s at version %d: %w",
		a.run.id, a.view.Version(), b.run.id, b.view.Version(), err)
}

// run fills the report.
func (c *comparison) run() error {
	if err := c.records(); err != nil {
		return err
	}
	if err := c.entries(); err != nil {
		return err
	}
	r := c.report
	r.Identical = r.State.Differences()+r.Events.Differences()+r.Spans.Differences() == 0
	r.First = first(r.Events.Divergence, r.Spans.Divergence)
	if r.First == nil {
		return nil
	}
	return c.stateBefore(r.First)
}

// entries goes over all primitives.
func (c *comparison) entries() error {
	if err := c.state(); err != nil {
		return err
	}
	if err := c.events(); err != nil {
		return err
	}
	return c.spans()
}

// detailed reports whether the next difference is wanted with what differs inside.
func (c *comparison) detailed() bool {
	return c.visit != nil || len(c.report.Entries) < c.o.Details && c.kept < mostKept
}

// emit hands a difference on.
func (c *comparison) emit(e DiffEntry) error {
	switch {
	case c.visit != nil:
		if !c.visit(e) {
			return errStop
		}
	case c.detailed():
		c.kept += e.Changes.Size()
		c.report.Entries = append(c.report.Entries, e)
	default:
		c.report.Omitted++
	}
	return nil
}

// first is the divergence that came first: the one whose step was committed earlier, on both sides.
// Where that does not decide it is that of the events. Either may be nil.
func first(events, spans *Divergence) *Divergence {
	if events == nil || spans == nil {
		if events == nil {
			return spans
		}
		return events
	}
	// The version just before tells when it was; that of a side that ended is its end.
	earlier := spans.VersionA < events.VersionA && spans.VersionB <= events.VersionB ||
		spans.VersionA <= events.VersionA && spans.VersionB < events.VersionB
	if earlier {
		return spans
	}
	return events
}
