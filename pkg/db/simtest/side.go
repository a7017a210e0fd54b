package simtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/inmem-db/inmem/internal/assembly"
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// side is one of the two databases, with what the clients hold of it.
type side struct {
	db     *inmem.DB
	b      backend.Backend
	sweep  func(context.Context) error
	runs   map[string]*inmem.Run    // by id; handles of deleted runs stay
	shared map[string]*inmem.Shared // by name
	txs    [clients]*inmem.Tx
	views  [clients]*inmem.View
}

// place is what a run, a shared namespace, a transaction and a view have in common.
type place interface {
	KV() inmem.KV
	Extension(name string) inmem.KV
	Events() inmem.Events
	Cells() inmem.Cells
	Cell(name string) inmem.Cell
	Traces() inmem.Traces
	Vectors(name string) inmem.Vectors
	Collections() inmem.Collections
}

// engine is the real authority. Nobody waits for what is not there yet, and the database does not
// close it: a simulation decides what becomes of it.
type engine struct {
	*embedded.DB
	given func(codec.Scope) // is told every number of a scope that was given out
}

// AllocateScope implements backend.Backend.
func (e engine) AllocateScope(ctx context.Context) (codec.Scope, error) {
	n, err := e.DB.AllocateScope(ctx)
	if err == nil {
		e.given(n)
	}
	return n, err
}

// WaitBeyond implements backend.Backend.
func (e engine) WaitBeyond(_ context.Context, version uint64) (uint64, error) {
	return atOnce(e.Durable(), version)
}

// assemble makes a side over an authority.
func assemble(b backend.Backend, epoch uint64) (*side, error) {
	d, err := assembly.Open(assembly.Parts{
		Backend: b, Epoch: epoch, Depth: 60, // nothing is flattened behind the script's back
		Sleep:  func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Int64N: func(int64) int64 { return 0 },
	}, &inmem.Options{Guards: guards, RetentionInterval: -1})
	if err != nil {
		return nil, err
	}
	return &side{
		db: d.(*inmem.DB), b: b,
		runs: map[string]*inmem.Run{}, shared: map[string]*inmem.Shared{},
	}, nil
}

// find has the side look up its runs and namespaces again.
func (s *side) find(ctx context.Context, runs []string, spaces []inmem.Namespace) error {
	for _, id := range runs {
		run, err := s.db.Run(ctx, id)
		if err != nil {
			return fmt.Errorf("a run that was there: %w", err)
		}
		s.runs[id] = run
	}
	for _, n := range spaces {
		shared, err := s.db.Shared(ctx, n)
		if err != nil {
			return fmt.Errorf("a namespace that was there: %w", err)
		}
		s.shared[n.String()] = shared
	}
	return nil
}

// release ends all that the clients hold.
func (s *side) release() {
	for i := range clients {
		if s.txs[i] != nil {
			_ = s.txs[i].Rollback() // it may have ended
			s.txs[i] = nil
		}
		if s.views[i] != nil {
			_ = s.views[i].Close()
			s.views[i] = nil
		}
	}
}

// at is a place by its name: of the database itself, or as the client's transaction sees it.
func (s *side) at(name string, tx *inmem.Tx) place {
	run, shared := s.runs[name], s.shared[name]
	switch {
	case run != nil && tx != nil:
		return tx.On(run)
	case run != nil:
		return run
	case shared != nil && tx != nil:
		return tx.OnShared(shared)
	case shared != nil:
		return shared
	}
	return nil
}

// through is a place as a view sees it.
func (s *side) through(name string, v *inmem.View) place {
	if run := s.runs[name]; run != nil {
		return v.On(run)
	}
	return v.OnShared(s.shared[name])
}

var errAbort = errors.New("the function gives up")

// named are the errors that answers are told by.
var named = []struct {
	err  error
	word string
}{
	{inmem.ErrVersionMismatch, "version mismatch"}, {inmem.ErrConflict, "conflict"},
	{inmem.ErrInvalidTransition, "invalid transition"}, {inmem.ErrRunNotActive, "run not active"},
	{inmem.ErrRunNotFound, "run not found"}, {inmem.ErrRunExists, "run exists"},
	{inmem.ErrHasForks, "has forks"}, {inmem.ErrExists, "exists"},
	{inmem.ErrNotFound, "not found"}, {inmem.ErrSpanEnded, "span ended"},
	{inmem.ErrDimension, "dimension"}, {inmem.ErrNotFinite, "not finite"},
	{inmem.ErrInvalidArgument, "invalid argument"}, {inmem.ErrTooLarge, "too large"},
	{inmem.ErrTypeMismatch, "type mismatch"}, {inmem.ErrPruned, "pruned"},
	{inmem.ErrTxnDone, "transaction done"}, {inmem.ErrTxnTooOld, "too old"},
	{inmem.ErrCanceled, "canceled"}, {inmem.ErrTimeout, "timeout"},
	{inmem.ErrReadOnly, "read only"}, {inmem.ErrNoSpace, "no space"},
	{inmem.ErrStorage, "storage"}, {inmem.ErrCorrupt, "corrupt"}, {inmem.ErrClosed, "closed"},
	{errAbort, "aborted"},
}

// word names an error by everything that it matches, and the keys of a conflict.
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
	if errors.Is(err, inmem.ErrStorage) || errors.Is(err, inmem.ErrCorrupt) {
		return strings.Join(words, ", ") + ": " + err.Error()
	}
	var conflict *inmem.ConflictError
	if errors.As(err, &conflict) {
		for _, k := range conflict.Keys {
			words = append(words, fmt.Sprintf("%c %q wants %d finds %d", k.Primitive, k.Key,
				k.Expected, k.Found))
		}
	}
	return strings.Join(words, ", ")
}

// answer is the outcome of an operation, in words.
func answer(err error, format string, args ...any) string {
	if err != nil {
		return word(err)
	}
	return fmt.Sprintf(format, args...)
}

// lines is what an iterator yields, in words; an error comes last.
func lines[T any](seq func(func(T, error) bool), show func(T) string) string {
	var all []string
	for x, err := range seq {
		if err != nil {
			all = append(all, "! "+word(err))
			break
		}
		all = append(all, show(x))
	}
	return strings.Join(all, "; ")
}

// troubled says whether an answer tells of a disk that failed.
func troubled(answer string) bool {
	return strings.Contains(answer, "storage") || strings.Contains(answer, "corrupt") ||
		strings.Contains(answer, "read only") || strings.Contains(answer, "error:")
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprint(t.UnixNano())
}
