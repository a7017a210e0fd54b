package inmem

import (
	"github.com/inmem-db/inmem/pkg/primitives/eventlog"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
	"github.com/inmem-db/inmem/pkg/primitives/statecell"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
)

// The primitives of a run, a transaction, a view and a shared namespace are the same types with the
// same methods: every accessor here exists four times and differs only in the scope that it hands
// over.

// Events returns the run's event log: what happened, appended and never changed. See package
// eventlog for its methods.
func (r *Run) Events() Events { return eventlog.New(r.d.m.Scope(r.scope)) }

// Events is Run.Events inside the transaction: appends take effect with it.
func (tx *Tx) Events() Events { return eventlog.New(tx.scope) }

// Events is Run.Events as the view shows it.
func (v *View) Events() Events { return eventlog.New(v.scope) }

// Cell returns the run's cell with a name: one value that is loaded, swapped and updated, and that
// a state machine can govern. It costs nothing to make. See package statecell for its methods.
func (r *Run) Cell(name string) Cell { return r.Cells().Cell(name) }

// Cell is Run.Cell inside the transaction.
func (tx *Tx) Cell(name string) Cell { return tx.Cells().Cell(name) }

// Cell is Run.Cell as the view shows it.
func (v *View) Cell(name string) Cell { return v.Cells().Cell(name) }

// Cells returns all cells of the run.
func (r *Run) Cells() Cells {
	return statecell.NewWithGuards(r.d.m.Scope(r.scope), r.d.options.Guards)
}

// Cells is Run.Cells inside the transaction.
func (tx *Tx) Cells() Cells { return statecell.NewWithGuards(tx.scope, tx.d.options.Guards) }

// Cells is Run.Cells as the view shows it.
func (v *View) Cells() Cells { return statecell.NewWithGuards(v.scope, v.d.options.Guards) }

// Traces returns the run's spans: what the agent did, when, and at what price. See package trace
// for its methods.
func (r *Run) Traces() Traces { return trace.New(r.d.m.Scope(r.scope)) }

// Traces is Run.Traces inside the transaction.
func (tx *Tx) Traces() Traces { return trace.New(tx.scope) }

// Traces is Run.Traces as the view shows it.
func (v *View) Traces() Traces { return trace.New(v.scope) }

// Vectors returns the run's collection of vectors with a name: what is near to what. It costs
// nothing to make, whether the collection exists or not. See package vectors for its methods.
func (r *Run) Vectors(name string) Vectors { return r.Collections().Collection(name) }

// Vectors is Run.Vectors inside the transaction: searches see what it wrote.
func (tx *Tx) Vectors(name string) Vectors { return tx.Collections().Collection(name) }

// Vectors is Run.Vectors as the view shows it.
func (v *View) Vectors(name string) Vectors { return v.Collections().Collection(name) }

// Collections returns all collections of vectors of the run.
func (r *Run) Collections() Collections {
	return vectors.NewIndexed(r.d.m.Scope(r.scope), r.d.vectors)
}

// Collections is Run.Collections inside the transaction.
func (tx *Tx) Collections() Collections { return vectors.NewIndexed(tx.scope, tx.d.vectors) }

// Collections is Run.Collections as the view shows it.
func (v *View) Collections() Collections { return vectors.NewIndexed(v.scope, v.d.vectors) }

// Extension returns the run's keys under a name of their own, for primitives that users build; see
// docs/architecture.md, "A primitive of your own". Neither KV nor another name reaches them.
func (r *Run) Extension(name string) KV { return kv.In(r.d.m.Scope(r.scope), name) }

// Extension is Run.Extension inside the transaction.
func (tx *Tx) Extension(name string) KV { return kv.In(tx.scope, name) }

// Extension is Run.Extension as the view shows it.
func (v *View) Extension(name string) KV { return kv.In(v.scope, name) }

// Events is Run.Events of the shared namespace.
func (s *Shared) Events() Events { return eventlog.New(s.d.m.Scope(s.scope)) }

// Cell is Run.Cell of the shared namespace.
func (s *Shared) Cell(name string) Cell { return s.Cells().Cell(name) }

// Cells is Run.Cells of the shared namespace.
func (s *Shared) Cells() Cells {
	return statecell.NewWithGuards(s.d.m.Scope(s.scope), s.d.options.Guards)
}

// Traces is Run.Traces of the shared namespace.
func (s *Shared) Traces() Traces { return trace.New(s.d.m.Scope(s.scope)) }

// Vectors is Run.Vectors of the shared namespace.
func (s *Shared) Vectors(name string) Vectors { return s.Collections().Collection(name) }

// Collections is Run.Collections of the shared namespace.
func (s *Shared) Collections() Collections {
	return vectors.NewIndexed(s.d.m.Scope(s.scope), s.d.vectors)
}

// Extension is Run.Extension of the shared namespace.
func (s *Shared) Extension(name string) KV { return kv.In(s.d.m.Scope(s.scope), name) }
