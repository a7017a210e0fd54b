package simtest

import (
	"math/rand/v2"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// What happens to the disk, and to the process.
var faultKinds = []kind{
	{"crash", 1, func(e *episode, a Action) {
		d := a.draws()
		share := one(d, 0, 20, 50, 80, 100)
		e.tell("%v: the power goes, %d %% of what was not synced stays", a, share)
		e.count.Faults["power cut between operations"]++
		e.crash(share, a)
	}},
	{"crash-inside", 2, func(e *episode, a Action) {
		d := a.draws()
		n, share := 1+d.below(40), one(d, 0, 50, 100)
		e.tell("%v: the power will go behind write %d, %d %% of what was not synced stays", a, n,
			share)
		e.disk.cut(n, share, rand.New(rand.NewPCG(a.Args[5], a.Args[6])))
	}},
	{"reopen", 1, func(e *episode, a Action) { e.reopen(a) }},
	{"disk-fails", 2, func(e *episode, a Action) {
		d := a.draws()
		f := one(d, failures...)
		n := 1 + d.below(f.within)
		if e.disk.arm(f.kinds, n, f.err) { // behind the last action: the database may be unusable
			e.tell("%v: something has failed already", a)
			e.broken(a)
			return
		}
		e.tell("%v: %s %d from now on fails", a, f.name, n)
	}},
	{"disk-works", 2, func(e *episode, a Action) {
		if e.disk.disarm() { // it may be unusable by now, or soon
			e.tell("%v: the disk works again", a)
			e.broken(a)
		}
	}},
	{"disk-full", 1, func(e *episode, a Action) {
		e.tell("%v: little space is left", a)
		e.disk.fill(true)
		e.low = true
	}},
	{"disk-freed", 2, func(e *episode, a Action) { e.disk.fill(false) }},
	{"slow-syncs", 2, func(e *episode, a Action) {
		e.tell("%v: syncs take long", a)
		e.count.Faults["slow syncs"]++
		e.disk.slowly()
	}},
	{"fast-syncs", 6, func(e *episode, _ Action) { e.disk.hurry() }},
}

// failures are what may fail on a disk.
var failures = []struct {
	name   string
	kinds  int
	within int
	err    error
}{
	{"read", opRead, 20, syscall.EIO},
	{"write", opWrite, 30, syscall.EIO},
	{"sync", opSync, 8, syscall.EIO},
	{"rename", opRename, 4, syscall.EIO},
	{"creation of a file", opCreate, 4, syscall.EIO},
	{"write for lack of space", opWrite | opCreate, 30, syscall.ENOSPC},
}

// crash has the power go: of what was not synced a share stays.
func (e *episode) crash(share int, a Action) {
	e.floor = e.engine.Durable() // first: the database goes on to sync
	e.restart(e.disk.raw.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: share, RNG: rand.New(rand.NewPCG(a.Args[5], a.Args[6])),
	}))
}

// powerCut goes on from what was there when the power went in the middle of an operation.
func (e *episode) powerCut() {
	e.tell("the power went")
	e.count.Faults["power cut in an operation"]++
	e.restart(e.disk.wreck())
}

// broken opens the database again after the disk has failed: the process has ended, the power did
// not go.
func (e *episode) broken(a Action) { e.crash(100, a) }

// restart ends the process, opens what is on a disk, and holds it against the states that may be
// left: those of a prefix of the commits, which has all that were durable.
func (e *episode) restart(left *disktest.Disk) {
	newest := e.model.db.Version()
	e.abandon()
	e.disk = newDisk(left)
	e.plantOn(e.disk)
	e.low = false
	e.count.Crashes++
	e.tell("open after a crash, at least version %d must be there, %d was the newest", e.floor,
		newest)
	if err := e.reenter(); err != nil {
		e.wrong("open after a crash: %v", err)
		return
	}
	found := e.engine.Recovery()
	e.tell("  there is version %d, the next is %d", found.Last, found.Next)
	if found.Last < e.floor {
		e.wrong("version %d was durable, a crash has left %d", e.floor, found.Last)
		return
	}
	if !e.twin.knows(found.Last) {
		e.wrong("a crash has left version %d, which no commit made", found.Last)
		return
	}
	if err := e.twin.rewind(found.Last, found.Next, e.clock); err != nil {
		e.wrong("%v", err)
		return
	}
	if err := e.sides(e.engine); err != nil {
		e.wrong("after a crash: %v", err)
		return
	}
	e.forget(found.Last)
	e.pruneAgain()
	e.examine("after a crash")
}

// pruneAgain finishes what a crash has interrupted: which runs were pruned by then is open.
func (e *episode) pruneAgain() {
	if !e.pruning {
		return
	}
	e.pruning = false
	for _, s := range []*side{e.model, e.real} {
		if _, err := s.db.ApplyRetention(e.ctx, nil); err != nil {
			e.wrong("carry out retention after a crash: %v", err)
			return
		}
	}
}

// reenter opens the engine, which may fail as the disk does; then it is tried again.
func (e *episode) reenter() error {
	o := e.options
	o.FS = e.disk
	eng, err := embedded.Open(e.ctx, o)
	if err != nil && e.disk.disarm() {
		e.tell("  open fails: %v", err)
		e.count.Faults["failed open, tried again"]++
		eng, err = embedded.Open(e.ctx, o)
	}
	e.engine = eng
	return err
}

// abandon ends both sides; what the real one still does goes to a disk that nobody looks at.
func (e *episode) abandon() {
	e.disk.hurry()
	e.disk.fill(false)
	e.real.release()
	e.model.release()
	_ = e.real.db.Close() // its disk is gone, and what it says of that is nobody's concern
	e.closeModel()
}

// closeModel closes the model, which nothing can break.
func (e *episode) closeModel() {
	if err := e.model.db.Close(); err != nil {
		e.wrong("close the model: %v", err)
	}
}

// forget has the clients know nothing above a version.
func (e *episode) forget(version uint64) {
	for len(e.versions) > 0 && e.last() > version {
		e.versions = e.versions[:len(e.versions)-1]
	}
	for i, from := range e.watch {
		if from > version+1 {
			e.wrong("client %d was told of version %d, a crash has left %d", i, from-1, version)
		}
	}
}

// reopen closes the database in good order, and opens it again: nothing is lost.
func (e *episode) reopen(a Action) {
	if e.disk.hasFired() {
		e.broken(a)
		return
	}
	e.tell("%v: close and open", a)
	e.disk.hurry()
	e.disk.fill(false)
	e.low = false
	newest := e.model.db.Version()
	e.real.release()
	e.model.release()
	err := e.real.db.Close()
	e.closeModel()
	if err != nil {
		if e.disk.wreck() == nil && !e.disk.hasFired() {
			e.wrong("close: %v", err)
			return
		}
		e.tell("  close fails: %v", err)
		e.count.Faults["failed close"]++
		e.restart(e.disk.raw.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100,
			RNG: rand.New(rand.NewPCG(a.Args[5], a.Args[6]))}))
		return
	}
	if e.disk.wreck() != nil {
		return // play goes on from there
	}
	e.count.Reopens++
	fired := e.disk.hasFired()
	if err := e.reenter(); err != nil {
		e.wrong("open after a close: %v", err)
		return
	}
	if found := e.engine.Recovery(); found.Last != newest || !found.Clean && !fired {
		e.wrong("a close has left version %d of %d, clean %v", found.Last, newest, found.Clean)
		return
	}
	e.disk.disarm()
	e.twin.reopened()
	e.twin.Reserve(e.engine.Recovery().Next)
	if err := e.sides(e.engine); err != nil {
		e.wrong("after a close: %v", err)
		return
	}
	e.examine("after a close")
}
