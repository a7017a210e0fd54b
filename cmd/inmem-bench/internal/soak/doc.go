// Package soak keeps a database at work for an hour, or however long, and looks whether anything
// drifts: agents begin runs, write all primitives in transactions, read their own past, search,
// fork, and end; a consumer watches; retention removes history in the background; old runs are
// deleted, so that the disk stays bounded; now and then there is a checkpoint, which is verified,
// and the database is closed and opened again.
//
// Everything that is read is compared with what it must be, a wrong answer ends the soak. Once a
// second a sample is taken: throughput, latency, memory, goroutines, descriptors, disk. At the end
// a line is fitted through the samples of every figure (judge.go), and one that drifts beyond its
// bound (figures.go) fails the soak.
//
// Where to read on: soak.go runs it, agent.go is the work of an agent, world.go what they share,
// sample.go what is measured, judge.go and figures.go what is too much, report.go and page.go what
// is told, command.go the flags.
package soak
