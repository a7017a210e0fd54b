package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The commit path.
//
// Purpose: give every commit its place in one total order, so that what was checked still holds
// when the writes take effect, and that every crash leaves a prefix of the order.
//
//	Commit(request):
//		prepare   read what the checks will need, encode the batch with room for the version
//		lock
//		check     the database takes writes, the pin holds, the scopes are active;
//		          conditions, reads and ranges still hold
//		settle    drop deletes and expiries that have nothing to do; nothing left: unlock, done
//		stamp     take the version, the time, the commit numbers, the event sequences; patch them in
//		log       queue the batch for Pebble; a large one goes to Pebble's log at once, behind
//		          everything that is queued
//		apply     put it into the memtable, not yet visible
//		publish   let readers see it (strict databases: after the wait)
//		unlock
//		wait      for a sync, where asked: one of those who wait syncs for all
//
// Invariants:
//
//  1. Log order is version order is memtable order: stamp, log and apply run under one lock.
//  2. Nothing under the lock reads the disk. What check and settle need of keys that are not in
//     the memtable was read by prepare at a pinned version, and cannot have changed since without
//     an entry in the memtable (named invariant in pins.go).
//  3. A version is visible only when every commit up to it is in the memtable, and in Pebble or in
//     the queue before it (handover.go); in a strict database on stable storage: a sync covers the
//     log up to its end, so it makes everything before durable too, and published versions may
//     simply be raised.
//  4. After a fault nothing is stamped: the log on disk ends with a commit before it.
//
// Why not simply sync under the lock: each sync would carry one commit. Waiting outside lets all
// commits that were queued meanwhile share the next load and its sync; see syncFor.

// Commit implements backend.Backend.
func (d *DB) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if !d.commitGate.TryRLock() {
		return backend.Outcome{}, backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	if readOnly(r) {
		d.counters.readOnly.Add(1)
		return backend.Outcome{}, nil
	}
	p := d.newPlan(r)
	defer p.release()
	out, err := d.commit(ctx, p)
	d.countCommit(out, err)
	return out, err
}

// readOnly requests always commit: what they read was true at their snapshot.
func readOnly(r *backend.Request) bool {
	return len(r.Writes) == 0 && len(r.Appends) == 0 && len(r.Conditions) == 0
}

func (d *DB) commit(ctx context.Context, p *plan) (backend.Outcome, error) {
	if err := d.acceptsWrites(); err != nil {
		return backend.Outcome{}, err
	}
	for {
		if err := p.prepare(ctx); err != nil {
			return backend.Outcome{}, err
		}
		out, again, err := d.place(ctx, p)
		if err != nil {
			d.settleDoubt(ctx, p)
			return backend.Outcome{}, err
		}
		if again { // a scope's record changed between prepare and lock
			p.unpin()
			if err := d.published.wait(ctx, p.stale, d.running); err != nil {
				return backend.Outcome{}, err
			}
			continue
		}
		if out.Version == 0 {
			d.settleDoubt(ctx, p)
			return out, nil
		}
		if p.buries {
			signal(d.graveyard.work)
		}
		return out, d.await(p, out.Version)
	}
}

// settleDoubt lets an answer that rests on commits which readers do not see yet (a conflict, a
// delete that found nothing) wait until they do: the caller's next read must agree with it. Only a
// strict database has such commits. An answer does not change for a context that is done meanwhile.
func (d *DB) settleDoubt(ctx context.Context, p *plan) {
	if p.seen > d.published.load() {
		_ = d.published.wait(ctx, p.seen, d.fault.err)
	}
}

// place gives a prepared commit its place in the order. again asks for another prepare.
func (d *DB) place(ctx context.Context, p *plan) (out backend.Outcome, again bool, err error) {
	now := d.clock.now()
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	p.seen = d.order.commit
	if err := ctx.Err(); err != nil {
		return out, false, err
	}
	if !p.install() {
		return out, true, nil
	}
	if err := p.check(); err != nil {
		return out, false, err
	}
	now = max(now, d.order.time)
	if err := p.settle(p.judged(now)); err != nil {
		return out, false, err
	}
	out.Existed, out.Expired = p.existed, p.expired
	if p.empty() {
		return out, false, nil
	}
	version, err := d.nextVersionLocked()
	if err != nil {
		return out, false, err
	}
	p.stamp(version, now)
	if err := d.log(p); err != nil {
		if !p.handed {
			return out, false, err // what is queued before it did not get through
		}
		// The part of it that reached the disk may be all of it.
		return out, false, &backend.UnknownOutcomeError{Version: version, Cause: err}
	}
	p.apply()
	d.times.note(version, now)
	out.Version, out.Appends = version, p.appended
	if d.opts.Mode != Strict {
		d.published.raise(version)
	}
	d.noteLoggedLocked(version)
	d.spillLocked()
	return out, false, nil
}

// acceptsWrites tells why the database takes no writes, if it does not.
func (d *DB) acceptsWrites() error {
	if err := d.running(); err != nil {
		return err
	}
	return d.space.check()
}

// running is acceptsWrites without a look at the disk, for use under the commit lock.
func (d *DB) running() error {
	if d.closed.Load() {
		return backend.ErrClosed
	}
	return d.fault.err()
}

// log gives the batch its place in the log: in Pebble, or in the queue that leads there. A failure
// of the log is seen by storeFS and sets the fault; Pebble itself would not tell. REQUIRES: the
// commit lock.
func (d *DB) log(p *plan) error {
	d.counters.bytesLogged.Add(uint64(p.size()))
	p.wait = d.mustSync(p.req.Durability)
	if p.size() >= d.handover.most {
		return d.handover.direct(p)
	}
	d.handover.add(p)
	return nil
}

// applyQuietly hands a batch to Pebble without a sync. REQUIRES, for commits: handover.pushing.
func (d *DB) applyQuietly(b *pebble.Batch) error {
	return d.guarded("log", func() error { return d.store.Apply(b, pebble.NoSync) })
}

// guarded runs a call that writes to Pebble. Pebble panics on failures that storeFS could not keep
// from it, and its commit pipeline is stuck then: the fault keeps everybody out of it, Close
// included. A fault that was set during the call is the call's error, whatever Pebble says.
func (d *DB) guarded(op string, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			d.fault.stick()
			d.setFault(op, fmt.Errorf("%v", v))
		}
		err = d.fault.err()
	}()
	d.logGate.RLock() // a checkpoint may be copying the logs
	defer d.logGate.RUnlock()
	if err := call(); err != nil {
		d.setFault(op, err)
	}
	return nil
}

// mustSync tells whether a commit waits for stable storage. In mode None there is none: durable
// means published.
func (d *DB) mustSync(asked backend.Durability) bool {
	return d.opts.Mode == Strict || (asked == backend.Durable && d.opts.Mode != None)
}

// await returns when the commit is as durable as was asked for. The commit has its place: an error
// from here on means that its outcome is not known. A sync cannot be called off and is short, so
// the context is not asked again: the outcome is worth the wait.
func (d *DB) await(p *plan, version uint64) error {
	if !p.wait {
		return nil
	}
	if err := d.syncFor(version); err != nil {
		return &backend.UnknownOutcomeError{Version: version, Cause: err}
	}
	return nil
}

// nextVersionLocked takes the next version. REQUIRES: the commit lock.
func (d *DB) nextVersionLocked() (uint64, error) {
	next := d.order.version + 1
	if next > maxVersion {
		return 0, fmt.Errorf("%w: versions are used up at %d", backend.ErrReadOnly, next)
	}
	if next > d.keeper.versionCeiling() {
		if err := d.keeper.extend(next, 0); err != nil {
			return 0, err
		}
	}
	d.order.version = next
	return next, nil
}

// maxVersion leaves room above every version for bounds.
const maxVersion = 1<<63 - 1

// order is the commit order's state. Guarded by the commit lock.
type order struct {
	version uint64 // last one taken
	commit  uint64 // last one logged
	time    int64  // of the last commit, Unix nanoseconds
}

func (d *DB) countCommit(out backend.Outcome, err error) {
	c := &d.counters
	switch {
	case err == nil && out.Version == 0:
		c.readOnly.Add(1)
	case err == nil:
		c.commits.Add(1)
	case errors.Is(err, backend.ErrConflict):
		c.conflicts.Add(1)
	default:
		c.refused.Add(1)
	}
}

// validScope refuses handles that can address nothing.
func validScope(s *backend.Scope) error {
	if s == nil || s.Number > codec.MaxScope {
		return fmt.Errorf("%w: not a scope", codec.ErrInvalidArgument)
	}
	return nil
}
