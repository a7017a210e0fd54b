package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// The errors of this package, besides those of packages codec and txn.
var (
	// ErrExists: the run has a span with that id.
	ErrExists = fmt.Errorf("span %w", txn.ErrExists)
	// ErrNotFound: the run has no span with that id; for a new span also: with that of its parent.
	ErrNotFound = fmt.Errorf("span %w", txn.ErrNotFound)
	// ErrEnded: the span has ended, and ends once.
	ErrEnded = errors.New("span has ended already")
)

// Traces records and reads the spans of one run. It is a small value: copy it freely. Made from a
// run or a view it is safe for concurrent use; made from a transaction it shares the transaction's
// rules.
//
// Errors of all methods: codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrTypeMismatch for
// attributes that are no Map, codec.ErrCorrupt, txn.ErrTxnDone in an ended transaction or view,
// txn.ErrTimeout and txn.ErrCanceled, and those of the storage. Writes are also refused on a view
// (read-only) and on a run that has ended. Every message names the operation, the run and the span.
// A write that fails inside a transaction leaves nothing behind in it.
type Traces struct {
	scope txn.Scope
}

// New returns the primitive over a scope.
func New(s txn.Scope) Traces { return Traces{scope: s} }

// Record records a span that is over, together with its index entries, and returns its id. A Start
// of zero is now; an End of zero is now, or Start if that lies in the future. The span is durable
// as the database's mode says when Record returns.
//
// Spans are never deleted, and recordings never conflict with each other: any number of writers may
// record under one parent.
//
// Errors: ErrExists if the run has a span with the given ID, ErrNotFound if it has none with the
// id Parent; inside a transaction a parent that was recorded after its snapshot is not there.
func (t Traces) Record(ctx context.Context, s Span) (id string, err error) {
	return t.add(ctx, "record", s, func(s *Span, now time.Time) {
		if s.IsOpen() {
			s.End = latest(now, s.Start)
		}
	})
}

// Start records a span that is not over, and returns its id. It is ended by End, at any time and
// from any process. A Start of zero is now; the End must be zero. The rest is as with Record.
func (t Traces) Start(ctx context.Context, s Span) (id string, err error) {
	if !s.IsOpen() {
		return "", t.wrap("start", s.ID, invalid("the span has an end: record it"))
	}
	return t.add(ctx, "start", s, func(*Span, time.Time) {})
}

// add is what Record and Start share; finish gives the span the end that it should have.
func (t Traces) add(ctx context.Context, op string, s Span, finish func(*Span, time.Time),
) (string, error) {
	given := s.ID != ""
	if !given {
		id, err := uuid.NewV7()
		if err != nil {
			return "", t.wrap(op, "", err)
		}
		s.ID = id.String()
	} else if err := checkName("span id", s.ID); err != nil {
		return "", t.wrap(op, s.ID, err)
	}
	if err := s.checkNew(); err != nil {
		return "", t.wrap(op, s.ID, err)
	}
	start, end := s.Start, s.End
	_, err := t.scope.Atomic(ctx, func(tx txn.Scope) error {
		now := nowOf(tx)
		s.Start, s.End = start, end // as they were given, also the second time
		if s.Start.IsZero() {
			s.Start = now
		}
		finish(&s, now)
		return insert(ctx, tx, &s, given)
	})
	if err != nil {
		return "", t.wrap(op, s.ID, err)
	}
	return s.ID, nil
}

// insert writes a new span with its index entries.
func insert(ctx context.Context, tx txn.Scope, s *Span, given bool) error {
	if err := s.checkTimes(); err != nil {
		return err
	}
	data, err := s.encode()
	if err != nil {
		return err
	}
	if given { // a generated id is new
		switch e, err := tx.Get(ctx, codec.Traces, s.ID); {
		case err != nil:
			return err
		case e.Exists:
			return ErrExists
		}
	}
	if s.Parent != "" {
		// Once it exists it exists for ever, so siblings need not conflict over it.
		switch e, err := tx.Peek(ctx, codec.Traces, s.Parent); {
		case err != nil:
			return err
		case !e.Exists:
			return fmt.Errorf("parent %q: %w", clip(s.Parent), ErrNotFound)
		}
	}
	at := s.place()
	changes := make([]change, 0, 4+len(s.Tags))
	for _, kind := range indexKinds {
		if kind == IndexTag {
			changes = appendTags(changes, s.Tags, at, false)
			continue
		}
		changes = append(changes, change{index, kind.key(kind.values(s)[0], at), null})
	}
	return apply(ctx, tx, append(changes, change{codec.Traces, s.ID, data}))
}

// change is a write that apply can take back. Of an index entry it is known what was there before:
// nothing if it is written, null if it is deleted.
type change struct {
	p     codec.Primitive
	key   string
	value []byte // nil: delete
}

func appendTags(changes []change, tags []string, at place, gone bool) []change {
	value := null
	if gone {
		value = nil
	}
	for _, tag := range tags {
		changes = append(changes, change{index, IndexTag.key(tag, at), value})
	}
	return changes
}

// apply writes all changes. In a transaction that is too full for them it takes back those that it
// has made, so that the caller may go on with what was there before.
// REQUIRES: all but the last change index entries.
func apply(ctx context.Context, tx txn.Scope, changes []change) error {
	for i, c := range changes {
		err := c.write(ctx, tx)
		if err == nil {
			continue
		}
		for _, done := range slices.Backward(changes[:i]) {
			if done.value = invert(done.value); done.write(ctx, tx) != nil {
				break // the transaction has ended
			}
		}
		return err
	}
	return nil
}

func invert(value []byte) []byte {
	if value == nil {
		return null
	}
	return nil
}

func (c *change) write(ctx context.Context, tx txn.Scope) error {
	if c.value == nil {
		_, err := tx.Delete(ctx, c.p, c.key)
		return err
	}
	_, err := tx.Put(ctx, c.p, c.key, c.value, 0)
	return err
}

// Get returns a span and whether there is one.
func (t Traces) Get(ctx context.Context, id string) (Span, bool, error) {
	s, ok, err := get(ctx, t.scope, id)
	return s, ok, t.wrap("get", id, err)
}

func get(ctx context.Context, scope txn.Scope, id string) (Span, bool, error) {
	e, err := scope.Get(ctx, codec.Traces, id)
	if err != nil || !e.Exists {
		return Span{}, false, err
	}
	s, err := decode(id, e.Value)
	return s, err == nil, err
}

// Created returns the version of the commit that recorded a span that was read here; the span
// itself carries that of its end, once it has one. It is the version of the span's entry in the
// index by start: 0 if that is missing, and that of the repair if it was made anew. One lookup;
// inside a transaction the entry joins the read set.
func (t Traces) Created(ctx context.Context, s Span) (uint64, error) {
	e, err := t.scope.Get(ctx, index, IndexStart.key("", s.place()))
	return e.Version, t.wrap("created", s.ID, err)
}

// nowOf is now by the scope's clock.
func nowOf(s txn.Scope) time.Time { return time.Unix(0, s.Now()).UTC() }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// wrap says which operation failed, on which run and span, unless err says so already; nil stays
// nil.
func (t Traces) wrap(op, id string, err error) error {
	if _, told := err.(*opError); told || err == nil {
		return err
	}
	return &opError{op: op, run: t.scope.Name(), id: id, cause: err}
}

// opError says which operation failed. Its text is made when somebody asks.
type opError struct {
	op, run, id string
	cause       error
}

func (e *opError) Error() string {
	at := ""
	if e.id != "" {
		at = fmt.Sprintf(" span %q", clip(e.id))
	}
	return fmt.Sprintf("trace %s run %s%s: %v", e.op, e.run, at, e.cause)
}

func (e *opError) Unwrap() error { return e.cause }
