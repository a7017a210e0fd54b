package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// place is what a run, a shared namespace, a transaction and a view have in common.
type place interface {
	KV() inmem.KV
	Extension(name string) inmem.KV
	Events() inmem.Events
	Cells() inmem.Cells
	Cell(name string) inmem.Cell
	Traces() inmem.Traces
}

// hands reach a database in one of the three forms.
type hands struct {
	ctx    context.Context
	place  func(name string) place
	record func(name string) inmem.RunRecord
	runs   inmem.RunIndex
	// version judges a version that a write returned: empty if it is as it should be.
	version func(uint64) string
	// attempt is the mirror's side of it, as it is before the operation.
	attempt *attempt
}

// deed is one operation, and what the mirror says should come out. Both answer in words.
type deed struct {
	text   string
	at     string // the scope
	real   func(h hands) string
	mirror func(a *attempt) string
	// blind: it reads nothing, so a transaction of such deeds never conflicts. provisional: what it
	// answers inside a transaction may come out differently. ranged: it reads a range, so that
	// without Serializable it may come out differently.
	blind, provisional, ranged bool
	// writes: it writes into the scope, if it does anything.
	writes bool
	// own says whether it shows what the transaction itself wrote; nil for never.
	own func(*mirrorScope) bool
	// parent: it asks for the parent of a span.
	parent bool
	// unless says that it is not blind on a state after all; nil for never.
	unless func(*mirror) bool
	// once: it cannot be done again.
	once bool
	// index: it looks at other runs, too.
	index bool
}

// named are the errors that outcomes are told by.
var named = []struct {
	err  error
	word string
}{
	{inmem.ErrVersionMismatch, "version mismatch"}, {inmem.ErrConflict, "conflict"},
	{inmem.ErrInvalidTransition, "invalid transition"}, {inmem.ErrRunNotActive, "run not active"},
	{inmem.ErrRunNotFound, "run not found"}, {inmem.ErrRunExists, "run exists"},
	{inmem.ErrHasForks, "has forks"},
	{inmem.ErrExists, "exists"}, {inmem.ErrNotFound, "not found"}, {inmem.ErrSpanEnded, "ended"},
	{inmem.ErrInvalidArgument, "invalid argument"}, {inmem.ErrTooLarge, "too large"},
	{inmem.ErrTypeMismatch, "type mismatch"}, {inmem.ErrReadOnly, "read only"},
	{errAbort, "abort"},
}

var errAbort = errors.New("abort")

// word names an error, with everything that it matches.
func word(err error) string {
	if err == nil {
		return "ok"
	}
	var words []string
	for _, n := range named {
		if errors.Is(err, n.err) {
			words = append(words, n.word)
		}
	}
	if words == nil {
		return "error: " + err.Error()
	}
	return strings.Join(words, ", ")
}

const (
	lostCAS = "version mismatch, conflict"
	noStep  = "invalid transition"
)

// failed says whether an outcome is an error.
func failed(outcome string) bool {
	for _, n := range named {
		if strings.HasPrefix(outcome, n.word) {
			return true
		}
	}
	return strings.HasPrefix(outcome, "error")
}

// written is the outcome of a write that returned a version.
func (h hands) written(version uint64, err error) string {
	if err != nil {
		return word(err)
	}
	return "ok" + h.version(version)
}

// answer is the outcome of an operation that returns something.
func answer(err error, format string, args ...any) string {
	if err != nil {
		return word(err)
	}
	return fmt.Sprintf(format, args...)
}

// lines collects what an iterator yields, in words.
func lines[T any](seq func(func(T, error) bool), show func(T) string) string {
	var all []string
	for x, err := range seq {
		if err != nil {
			return word(err)
		}
		all = append(all, show(x))
	}
	return strings.Join(all, "; ")
}

// inScope is a deed whose mirror needs the scope alone.
func inScope(at, text string, real func(hands) string,
	mirror func(*attempt, *mirrorScope) string,
) deed {
	return deed{text: at + ": " + text, at: at, real: real, mirror: func(a *attempt) string {
		s, gone := a.scope(at)
		if s == nil {
			return gone
		}
		return mirror(a, s)
	}}
}

// blindly marks a deed that reads nothing.
func (d deed) blindly() deed {
	d.blind, d.provisional = true, true
	return d
}

// inRange marks a deed that reads a range.
func (d deed) inRange() deed {
	d.ranged = true
	return d
}

// pick draws one of several.
func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// evenly draws a number below n. Rapid's own ranges prefer what is small and at the front.
func evenly(r *rapid.T, n int) int {
	return rapid.Custom(func(r *rapid.T) int {
		x, wide := 0, 1
		for ; wide < 8*n; wide *= 2 {
			x = 2*x + one(rapid.Bool().Draw(r, ""))
		}
		return x * n / wide
	}).Draw(r, "n")
}

// some draws one of several.
func some[T any](r *rapid.T, from ...T) T { return from[evenly(r, len(from))] }

// odds draws true once in n times.
func odds(r *rapid.T, n int) bool { return evenly(r, n) == n-1 }
