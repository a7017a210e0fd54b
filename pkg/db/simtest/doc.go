// Package simtest is a simulator of in-mem: many logical clients drive the public API of
// package db, on a disk that loses power, fails and fills up, and everything that a database
// answers is held against a twin that cannot be wrong in the same way: the same front door over
// internal/backend/model, an authority of maps and sorting that is never closed by accident.
//
// A simulation is a row of episodes. An episode is a database of its own, with a mode and limits
// drawn from the seed, and some hundred or thousand steps. A step is one action of one client:
// transactions stay open over steps, so those of several clients interleave. Everything happens on
// one goroutine, in the order of the script, and the script is a pure function of seed, episode and
// step: what is done to which key of which run depends on nothing else but what the database itself
// holds by then. Both sides hand out the same versions, so answers are compared as they are,
// versions included.
//
// What is not determined by the seed is what the engine does in the background: when Pebble flushes
// and compacts, when the timer of Batched and Async syncs. So the n-th file operation after a fault
// was armed may be another one in another run, and what a crash takes may differ, within what the
// mode admits. Everything else comes out the same.
//
// docs/simulation.md says what is done, what is held to what, and how a failure is reproduced.
package simtest
