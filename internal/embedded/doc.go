// Package embedded is the default commit authority: a versioned memtable that serves hot reads and
// decides commits, and Pebble as the durable log and the store. It is the only package that imports
// Pebble.
//
// The walks, and where they are told:
//
//	commit.go     the commit path, as pseudo-code and as code: the place to begin reading
//	plan.go       a request on its way: what is read before the lock
//	arrange.go    the order in which writes reach the log
//	encode.go     the batch, and what is patched into it under the lock;  appends.go  events
//	check.go      validation, and how a commit takes effect in memory
//	pins.go       snapshots of open transactions, and the invariant that validation rests on
//	read.go       gets;  cursor.go, storecursor.go  scans;  tail.go  commits in order;
//	              extents.go  first and newest commit of a run
//	scope.go      what is known of a run while it is in use
//	lineage.go    forks: what is read through;  layercursor.go  scans of them;  extents.go  where
//	              history goes on;  forkplan.go  their commits;  flatten.go  on their own
//	spill.go      the memory budget;  pressure.go, space.go  when commits must wait or are refused
//	sync.go       durability modes;  watermark.go  published and durable versions
//	sweep.go      expired keys
//	grave.go      a commit that deletes a run;  graveyard.go, freeing.go  what becomes of its space;
//	              thin.go  and of what the list of commits says of it
//	retain.go     what holds history, and what is refused;  retainforks.go  forks that hold it
//	prune.go, prunewalk.go  retention at work;  reclaim.go  its space given back
//	open.go       recovery;  guard.go, sentinel.go, keeper.go  what protects it
//	storefs.go, storefile.go  what stands between Pebble and a failing disk;  fault.go  the first
//	              failure
//	checkpoint.go copies of an open database;  outside.go  what is held still meanwhile
//	restore.go, tables.go  what is verified of a copy;  staging.go  all of a directory, or nothing
//	pebble.go     Pebble's options and events
//
// What is written where is specified in docs/format.md; which damage and which crash leads to what,
// in docs/durability.md.
package embedded
