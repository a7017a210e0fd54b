package inmem

import (
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// The primitives of a run, a transaction and a view are the same types with the same methods: every
// accessor here exists three times and differs only in the scope that it hands over.

// Extension returns the run's keys under a name of their own, for primitives that users build; see
// docs/architecture.md, "A primitive of your own". Neither KV nor another name reaches them.
func (r *Run) Extension(name string) KV { return kv.In(r.d.m.Scope(r.scope), name) }

// Extension is Run.Extension inside the transaction.
func (tx *Tx) Extension(name string) KV { return kv.In(tx.scope, name) }

// Extension is Run.Extension as the view shows it.
func (v *View) Extension(name string) KV { return kv.In(v.scope, name) }
