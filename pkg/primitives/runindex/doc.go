// Package runindex keeps the records of runs, and finds runs by what is in them: status, tags,
// namespace, parent, time of creation.
//
// It works over the system scope, in all three forms of a scope: directly, inside a transaction of
// a run (which then changes the run and its record in one step), and read-only. Create and Delete
// write a record with all its index entries; Record changes one; Index asks for many. Records are
// no part of their runs: a change of status is no commit of the run, and a run that has ended can
// still be tagged.
//
// # The index
//
// Entries are keys under codec.RunIndex with the value Null. The key is a tuple: false (true for
// archived runs, which thus lie apart and cost other queries nothing), the kind of the entry, what
// it is about, and last the place of the run, its time of creation and its id:
//
//	"run"                                         every run
//	"tag"     tag                                 one per tag
//	"space"   tenant or nil, app or nil, agent or nil   one per set of parts that the run has
//	"parent"  number of the parent's scope        runs with a parent
//	"status"  status                              runs that have ended, not archived ones
//	"status"  status, generation, epoch           Active and Paused runs, see layout
//	"import"                                      runs that are being imported: no query finds them
//	"fork"    number of the parent's scope, version   forks that read through their parent
//
// So the entries about one thing, a stream, come in the order of creation, and so do the runs that
// are in several streams at once: a query seeks each stream to the greatest place that any of them
// has reached, until they agree.
//
// # Cost
//
// A page of a query costs what it walks over, which is bounded however many runs there are: see
// Query. A change of a record costs its entries that change.
package runindex
