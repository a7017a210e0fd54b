package inmem

import (
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
)

// RunRecord is the record of a run: status, tags, metadata, lineage. Made by the Record methods of
// Run, Tx and View; see package runindex for its methods, and for the table of statuses.
type RunRecord = runindex.Record

// RunInfo is what the database knows of a run.
type RunInfo = runindex.Info

// RunIndex finds runs: by status, tags, namespace, time, parent. Made by the Runs methods of DB, Tx
// and View; see package runindex for its methods.
type RunIndex = runindex.Index

// RunQuery selects and orders runs for RunIndex. The zero RunQuery selects all that are not
// archived, in the order of their creation.
type RunQuery = runindex.Query

// RunPage is a page of runs, with the token that asks for the next one.
type RunPage = runindex.Page

// RunStats counts runs by status.
type RunStats = runindex.Stats

// RunTransitionError says which change of a run's status was refused. It matches
// ErrInvalidTransition, and ErrRunNotActive if the run has ended. Use errors.As.
type RunTransitionError = runindex.TransitionError

// Runs returns the index of all runs of the database.
func (d *DB) Runs() RunIndex { return runindex.New(d.m.Scope(d.system), d.epoch) }

// Runs is DB.Runs inside the transaction: it sees the records as the transaction has changed them.
// It works in a transaction of one run, too.
func (tx *Tx) Runs() RunIndex { return runindex.New(tx.t.Scope(tx.d.system), tx.d.epoch) }

// Runs is DB.Runs as the view shows it.
func (v *View) Runs() RunIndex { return runindex.New(v.v.Scope(v.d.system), v.d.epoch) }

// Record is Run.Record inside the transaction: the change takes effect with it. In a transaction
// over several runs: tx.On(run).Record().
func (tx *Tx) Record() RunRecord {
	return runindex.NewRecord(tx.t.Scope(tx.d.system), tx.scope, tx.d.epoch)
}

// Record is Run.Record as the view shows it. At a version at which the run did not exist yet its
// Info answers ErrRunNotFound; so it does in a fork below the version at which it was made, where
// the view shows what the parent held, which has a record of its own.
func (v *View) Record() RunRecord {
	return runindex.NewRecord(v.v.Scope(v.d.system), v.scope, v.d.epoch)
}
