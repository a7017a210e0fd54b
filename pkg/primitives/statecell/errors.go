package statecell

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// The errors of this package, for errors.Is.
var (
	// ErrExists: Init of a cell that exists.
	ErrExists = txn.ErrExists
	// ErrNotFound: Update of a cell that does not exist; Fire on one that does not exist or is not
	// governed.
	ErrNotFound = txn.ErrNotFound
	// ErrInvalidTransition: the machine that governs the cell does not admit it. See
	// *TransitionError.
	ErrInvalidTransition = txn.ErrInvalidTransition
)

// TransitionError says which step the machine of a cell refused, and what it admits instead. It
// matches ErrInvalidTransition, and what its Cause matches.
type TransitionError struct {
	// Run is the id of the run, Cell the name of the cell.
	Run, Cell string
	// From is the state that the cell was in; empty for a cell without a value. To is the one that
	// was asked for; empty for an event that is not declared in From, and for a machine that does
	// not know From. A value that cannot be a state is shown as its kind, in brackets.
	From, To string
	// Event is what Fire was asked for, or, when a guard refused, the event of its transition.
	Event string
	// Guard is the name of the guard that refused; empty if the step is not declared.
	Guard string
	// Allowed is what could have been instead, in the order of the declaration: events for Fire,
	// states for everything else. Empty when a guard refused.
	Allowed []string
	// Cause is the guard's error; nil if the step is not declared.
	Cause error

	_ struct{}
}

// Bounds of what an error message shows: of a name in bytes, of a list in names.
const (
	shownName    = 64
	shownAllowed = 8
)

func (e *TransitionError) Error() string {
	switch {
	case e.Guard != "":
		return fmt.Sprintf("%v: guard %s refuses the event %s from %s to %s: %v",
			ErrInvalidTransition, quote(e.Guard), quote(e.Event), quote(e.From), quote(e.To), e.Cause)
	case e.Event != "":
		return fmt.Sprintf("%v: event %s is not declared in state %s, expected %s",
			ErrInvalidTransition, quote(e.Event), quote(e.From), oneOf(e.Allowed))
	case e.From == "":
		return fmt.Sprintf("%v: the first state is not %s, expected %s",
			ErrInvalidTransition, quote(e.To), oneOf(e.Allowed))
	case e.To == "":
		return fmt.Sprintf("%v: the cell is in %s, which the machine does not know, expected %s",
			ErrInvalidTransition, quote(e.From), oneOf(e.Allowed))
	}
	return fmt.Sprintf("%v: no transition from %s to %s is declared, expected %s",
		ErrInvalidTransition, quote(e.From), quote(e.To), oneOf(e.Allowed))
}

// Is implements errors.Is for ErrInvalidTransition.
func (e *TransitionError) Is(target error) bool { return target == ErrInvalidTransition }

// Unwrap returns the guard's error.
func (e *TransitionError) Unwrap() error { return e.Cause }

// quote shows a name up to its first 64 bytes.
func quote(name string) string {
	if len(name) > shownName {
		return strconv.Quote(name[:shownName]) + "..."
	}
	return strconv.Quote(name)
}

// oneOf shows a list of names, or its beginning.
func oneOf(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, name := range names {
		if i == shownAllowed {
			fmt.Fprintf(&b, " or %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}

// state is the state that a value stands for: "", which no state is called, if it is no String.
func state(v codec.Value) string {
	s, err := v.AsString()
	if err != nil {
		return ""
	}
	return s
}

// describe is how a TransitionError shows a value that was found where a state is expected.
func describe(v codec.Value) string {
	if s := state(v); s != "" {
		return s
	}
	if v.Kind() == codec.KindString {
		return "(empty String)"
	}
	return "(" + v.Kind().String() + ")"
}

// opError says which operation failed. Its text is made when somebody asks: most conflicts are
// judged by errors.Is, and nobody reads them.
type opError struct {
	op, run, name string
	cause         error
}

func (e *opError) Error() string {
	return fmt.Sprintf("cell %s run %s name %s: %v", e.op, e.run, quote(e.name), e.cause)
}

func (e *opError) Unwrap() error { return e.cause }

// wrap says which operation failed, on which run and cell; nil stays nil.
func (c Cell) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &opError{op: op, run: c.scope.Name(), name: c.name, cause: err}
}

// lost judges the error of a conditional write. Again: nothing was in the way but a change of the
// machine, so the operation has to look anew. Otherwise the error is the caller's; a change of the
// machine is no part of it, for nobody named its version.
func lost(err error) (mine error, again bool) {
	if err == nil {
		return nil, false // before c, which lies on the heap
	}
	var c *txn.ConflictError
	if !errors.As(err, &c) {
		return err, false
	}
	cells := make([]txn.ConflictKey, 0, 1)
	for _, k := range c.Keys {
		if k.Primitive == codec.Cells {
			cells = append(cells, k)
		}
	}
	if len(cells) == 0 {
		return nil, true
	}
	return &txn.ConflictError{Keys: cells}, false
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrInvalidArgument}, args...)...)
}
