package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/memtable"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Report is what Open found and did.
type Report struct {
	Created bool   // the directory was empty
	Clean   bool   // the last process closed it; otherwise it died or was killed
	Last    uint64 // version of the newest commit found
	Proven  uint64 // commits up to here were known to be durable, and are all there
	Next    uint64 // versions go on from here; those between Last and Next were never visible, or lost
	// LogFile and LogOffset say where the log ended that was replayed; LogDropped counts the bytes
	// behind it that could not be used: a torn tail, or what a reused file held before.
	LogFile    string
	LogOffset  int64
	LogDropped int64
	BootEpoch  uint64

	_ struct{}
}

// Open opens or creates a database directory. Its steps, in order, so that damage is found before
// anything is changed:
//
//	lock       the directory, against a second process
//	guard      read the sentinel, check the files it vouches for
//	rehearse   where the log may hold commits, after a crash and of a checkpoint: Pebble opens
//	           read-only, and what it found is verified
//	replay     Pebble opens; it may delete nothing yet
//	verify     the newest commits are there, without a hole
//	mark       the sentinel says that the directory is in use; numbers go on above its ceilings
//	serve      deletions are let through, the background goroutines start
func Open(ctx context.Context, o Options) (*DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := newDB(o)
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("open %s: %w", d.opts.Dir, err)
	}
	return d, nil
}

// newDB makes a database that is not open yet.
func newDB(o Options) *DB {
	d := &DB{opts: o.withDefaults(), system: &backend.Scope{Number: codec.SystemScope}}
	d.clock.wall = d.opts.Clock
	d.graveyard = newGraveyard(d)
	d.pruner = newPruner()
	d.scopes.states = map[codec.Scope]*scopeState{}
	d.pins.published = &d.published.version
	d.fault = newFault()
	d.fs = newStoreFS(d.opts.FS, d.fault, d.onFault, d.counters.sync)
	d.maxKept = int(min(d.opts.MemoryBudget/64, codec.MaxValueSize))
	d.space = newSpace(&d.opts)
	d.handover = newHandover(d)
	d.checkpointing = make(chan struct{}, 1)
	return d
}

// segmentSize keeps a small budget in several segments: eviction works by the segment.
func segmentSize(budget int64) int {
	const most, least = 1 << 20, 16 << 10
	return int(max(least, min(most, budget/32)))
}

func (d *DB) open() (err error) {
	if err := d.fs.MkdirAll(d.opts.Dir, 0o755); err != nil {
		return fmt.Errorf("%w: %w", backend.ErrStorage, err)
	}
	if err := d.canonicalDir(); err != nil {
		return fmt.Errorf("%w: %w", backend.ErrStorage, err)
	}
	if d.lock, err = acquireOwner(d.opts.FS, d.opts.Dir); err != nil {
		return err
	}
	d.cache = pebble.NewCache(d.opts.CacheSize)
	if err := d.openStore(); err != nil {
		d.cache.Unref()
		return errors.Join(err, releaseOwner(d.opts.FS, d.opts.Dir, d.lock))
	}
	d.serve()
	return nil
}

// canonicalDir gives the directory its one name. Locks are kept by name within a process, and the
// same directory under two names would be opened twice.
func (d *DB) canonicalDir() error {
	if d.opts.FS != vfs.Default {
		return nil // a file system of a test: names are what they are
	}
	dir, err := filepath.Abs(d.opts.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		d.opts.Dir, d.space.dir = dir, dir
	}
	return err
}

// openStore does everything between the lock and the start of service.
func (d *DB) openStore() error {
	s, err := d.guard()
	if err != nil {
		return err
	}
	if s.State == stateOpen || s.Flushed < s.Durable {
		if err := d.rehearse(s); err != nil {
			return err
		}
	}
	if err := d.replay(s); err != nil {
		return err
	}
	err = d.verify(s)
	if err == nil {
		err = d.adopt(s)
	}
	if err == nil {
		err = d.mark(s)
	}
	if err == nil {
		err = d.fs.release()
	}
	if err != nil {
		err = errors.Join(d.readFailed(err), closePebble(d.store))
	}
	return err
}

// guard reads the sentinel, or begins a new directory.
func (d *DB) guard() (sentinel, error) {
	s, err := readSentinel(d.opts.FS, d.opts.Dir)
	if err == nil {
		return s, checkFiles(d.opts.FS, d.opts.Dir, s)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return s, d.readFailed(err)
	}
	names, err := d.opts.FS.List(d.opts.Dir)
	if err != nil {
		return s, d.readFailed(err)
	}
	for _, n := range names {
		if isStoreFile(n) {
			return s, fmt.Errorf("%w: file %s: missing, yet there is %s; if this is a database of "+
				"ours, put the file back from a copy", codec.ErrCorrupt, sentinelName, n)
		}
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return s, err
	}
	s = sentinel{Format: codec.FormatVersion, ID: id.String(), State: stateCreating}
	if err := writeSentinel(d.fs, d.opts.Dir, s); err != nil {
		return s, fmt.Errorf("%w: %w", backend.ErrStorage, err)
	}
	return s, nil
}

func isStoreFile(name string) bool {
	for _, prefix := range []string{"MANIFEST-", "marker.", "OPTIONS-", "CURRENT"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	number, suffix, _ := strings.Cut(name, ".")
	if _, err := strconv.ParseUint(number, 10, 64); err != nil {
		return false
	}
	return suffix == "sst" || suffix == "log"
}

// rehearse replays the log without changing anything, and verifies what came out. The real replay
// leaves the log behind: were it cut short by damage, the rest would be out of reach even if the
// file came back from a copy.
func (d *DB) rehearse(s sentinel) error {
	o := d.pebbleOptions(true)
	o.ReadOnly = true
	o.EventListener = &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}}
	store, err := openPebble(d.opts.Dir, o)
	if err != nil {
		return d.openFailed(err)
	}
	d.store = store
	err = d.verify(s)
	d.order = order{}
	return d.readFailed(errors.Join(err, closePebble(store)))
}

// replay lets Pebble open the directory and read its log.
func (d *DB) replay(s sentinel) error {
	d.boot = s.Boot
	if s.State == stateOpen {
		d.boot++
	}
	d.report.Created, d.report.Clean = s.State == stateCreating, s.State != stateOpen
	d.report.Proven, d.report.BootEpoch = s.Durable, d.boot
	opened := make(chan error, 1)
	d.compactions = newCompactions(d)
	go func() {
		o := d.pebbleOptions(s.State != stateCreating)
		o.Experimental.CompactionScheduler = d.compactions
		store, err := openPebble(d.opts.Dir, o)
		d.store = store
		opened <- err
	}()
	select {
	case err := <-opened:
		return d.openFailed(err)
	case <-d.fs.openFailed:
	}
	// Pebble flushes what it replayed, and tries a failing flush again for ever.
	select {
	case err := <-opened:
		return d.openFailed(err)
	case <-time.After(openPatience):
		go func() {
			if <-opened == nil {
				// Nobody is left to hear how closing went.
				_ = closePebble(d.store)
			}
		}()
		return fmt.Errorf("%w: the store does not come to rest after a failure: %w",
			backend.ErrStorage, d.fs.openError)
	}
}

// openPatience is how long Open waits for Pebble once an operation has failed.
const openPatience = 3 * time.Second

// openFailed says why Pebble does not open.
func (d *DB) openFailed(err error) error {
	if err == nil {
		return nil
	}
	if damaged := d.checkOptions(); errors.Is(damaged, codec.ErrCorrupt) {
		return damaged
	}
	err = nameOpenError(err)
	if errors.Is(err, codec.ErrCorrupt) && strings.Contains(err.Error(), os.ErrNotExist.Error()) {
		err = fmt.Errorf("%w (or %s* and %s* are older than the tables)", err, markerPrefix,
			manifestPrefix)
	}
	return err
}

// nameOpenError tells a failing disk from damage: what the operating system refuses is the disk,
// and whatever else Pebble stumbles over, a file that is missing among it, is damage.
func nameOpenError(err error) error {
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err), errors.Is(err, os.ErrNotExist):
	case errors.As(err, &path), errors.As(err, &errno):
		return fmt.Errorf("%w: %w", backend.ErrStorage, err)
	}
	text := firstLine(err)
	var more interface{ ErrorDetail() string }
	if errors.As(err, &more) { // such as which log, and where in it
		text += ": " + more.ErrorDetail()
	}
	return fmt.Errorf("%w: %s", codec.ErrCorrupt, text)
}

// verify finds the newest commit and checks that none before it is missing. It changes nothing.
func (d *DB) verify(s sentinel) error {
	if err := d.verifyChain(s); err != nil {
		return err
	}
	last := d.order.commit
	d.report.Last = last
	switch {
	case s.State == stateClean && last > s.Durable:
		return fmt.Errorf("%w: file %s: an old copy: the newest commit is %d, but by it the database "+
			"was closed with %d", codec.ErrCorrupt, sentinelName, last, s.Durable)
	case last < s.Durable:
		return fmt.Errorf("%w: the newest commit is %d, but %d was on stable storage: %s, or a "+
			"table", codec.ErrCorrupt, last, s.Durable, d.logSuspect())
	case last > s.Versions:
		return fmt.Errorf("%w: file %s: commit %d is above its ceiling %d: it is an old copy",
			codec.ErrCorrupt, sentinelName, last, s.Versions)
	}
	return d.verifyScopes(s)
}

// verifyScopes demands that no scope has keys above the ceiling: its number would be given out
// again, and two runs would write under the same keys.
func (d *DB) verifyScopes(s sentinel) error {
	if s.Scopes >= uint64(codec.MaxScope) {
		return nil
	}
	lower, _ := codec.ScopeBounds(codec.Scope(s.Scopes + 1))
	_, upper := codec.ScopeBounds(codec.MaxScope)
	it, err := d.store.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	if it.First() {
		n, _, _, _, _ := codec.DecodeKey(it.Key())
		return closeIter(it, fmt.Errorf("%w: file %s: scope %d is above its ceiling %d: it is an old "+
			"copy", codec.ErrCorrupt, sentinelName, n, s.Scopes))
	}
	if err := it.Close(); !pebble.IsCorruptionError(err) {
		return err
	}
	return nil // whoever reads what lies there is told; what can be read need not wait for it
}

// logSuspect says which log is to blame when commits are missing.
func (d *DB) logSuspect() string {
	if d.report.LogFile == "" {
		return "the log file (*.log) is missing"
	}
	return fmt.Sprintf("file %s: damaged or cut at offset %d", d.report.LogFile, d.report.LogOffset)
}

// adopt takes over what was found: numbers go on above everything that was ever handed out.
func (d *DB) adopt(s sentinel) error {
	last := d.order.commit
	d.table = memtable.New(memtable.Options{
		SegmentSize: segmentSize(d.opts.MemoryBudget), Newest: last,
	})
	d.clock.high.Store(d.order.time)
	d.published.raise(last)
	d.durable.raise(last)
	d.handover.handed.raise(last)
	d.flushed.Store(s.Flushed)
	d.order.version = max(last, s.Versions)
	d.lastScope.Store(s.Scopes)
	d.report.Next = d.order.version + 1
	c, err := d.extent(codec.SystemScope, 0, maxVersion)
	if err != nil {
		return err
	}
	d.addStateLocked(codec.SystemScope, d.report.Created && last == 0).commits = c
	return d.graveyard.load()
}

// verifyChain walks the commit records that were in the log when the last process ended. Each names
// the one before it, so a hole shows. What lies in tables is covered by their checksums.
func (d *DB) verifyChain(s sentinel) error {
	c, err := newCommitCursor(d.store)
	if err != nil {
		return err
	}
	for ok := c.seek(s.Flushed); ok; ok = c.next() {
		rec := &c.rec
		// The walk begins with the commit at Flushed, whose predecessor is not in it; or, if the list
		// of commits was thinned since, with one that names another before Flushed.
		begins := d.order.commit == 0 && (rec.Version == s.Flushed || rec.Previous < s.Flushed)
		if !begins && rec.Previous != d.order.commit {
			return errors.Join(fmt.Errorf("%w: commit %d follows %d, but %d was found before it: a log "+
				"(*.log) or a table (*.sst) is missing or damaged", codec.ErrCorrupt, rec.Version,
				rec.Previous, d.order.commit), c.close())
		}
		d.order.commit, d.order.time = rec.Version, rec.Time
	}
	return c.close()
}

// mark writes the sentinel of an open database. From here on a crash counts as one.
func (d *DB) mark(s sentinel) error {
	s.State, s.Boot = stateOpen, d.boot
	s.Durable = d.order.commit
	s.Versions = d.order.version + versionBlock
	s.Scopes = min(d.lastScope.Load()+scopeBlock, uint64(codec.MaxScope))
	if s.Manifest == "" && d.manifest.Load() == nil {
		// The open that created it did not come to its end, and Pebble goes on with its MANIFEST.
		name, err := currentManifest(d.opts.FS, d.opts.Dir)
		if err != nil {
			return err
		}
		d.manifest.Store(&name)
	}
	d.keeper = newKeeper(d, s)
	d.keeper.mu.Lock()
	defer d.keeper.mu.Unlock()
	return d.keeper.writeLocked(s)
}

// serve starts the background goroutines.
func (d *DB) serve() {
	d.syncer = newSyncer()
	if d.opts.Mode == Batched || d.opts.Mode == Async {
		go d.runSyncer()
	} else {
		close(d.syncer.done)
	}
	go d.compactions.serve()
	go d.handover.run()
	go d.keeper.run()
	d.sweeper = startSweeper(d)
	d.graveyard.start()
	r := &d.report
	d.opts.Logger.Info("database open", "dir", d.opts.Dir, "mode", d.opts.Mode.String(),
		"clean", r.Clean, "version", r.Last, "boot", r.BootEpoch)
}
