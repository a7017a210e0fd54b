package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Retention at work. How a scope is pruned:
//
//	settle    wait until no read is under way that began before what is asked for was old
//	decide    how far the horizons may rise, by what holds history; write them, and show them to
//	          readers, in one step
//	remove    key by key what lies below (prunewalk.go), in batches that give way to commits
//	finish    note that it is done
//
// None of it is a commit: nobody can read any more what goes, and no version is taken. The horizons
// are written behind all commits up to them, and what is removed behind the horizons: a crash that
// takes one takes all that came after it, so whatever it leaves is a scope with what its horizons
// say, and maybe more. A horizon whose scope is not done is pending, and the next Prune goes on.

// pruner is the one Prune at a time, and what Close ends.
type pruner struct {
	turn    chan struct{} // capacity 1: holds an element while somebody prunes
	closing context.Context
	close   context.CancelFunc

	// Of the one whose turn it is:
	sample published
	// What was pruned since its space was reclaimed, and what it took on disk before: compactions
	// of Pebble's own may give some of it back at any time.
	dirty map[codec.Scope]uint64
}

// published is what was published at a time.
type published struct {
	version uint64
	age     *watch
}

func newPruner() *pruner {
	p := &pruner{turn: make(chan struct{}, 1), dirty: map[codec.Scope]uint64{}}
	p.closing, p.close = context.WithCancel(context.Background())
	return p
}

// enter waits for the turn. The context it returns ends with the caller's, with Close, and with the
// first storage failure.
func (d *DB) enter(ctx context.Context) (context.Context, func(), error) {
	select {
	case d.pruner.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-d.pruner.closing.Done():
		return nil, nil, backend.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.pruner.closing, cancel)
	go func() {
		select {
		case <-d.fault.failed:
			cancel()
		case <-ctx.Done():
		}
	}()
	leave := func() {
		stop()
		cancel()
		<-d.pruner.turn
	}
	if err := d.running(); err != nil {
		leave()
		return nil, nil, err
	}
	return ctx, leave, nil
}

// ended gives the end of the work its reason: a context that is done because the storage failed, or
// because the database closes, is not the caller's.
func (d *DB) ended(err error) error {
	if errors.Is(err, context.Canceled) && d.running() != nil {
		return d.running()
	}
	return err
}

// prune is one scope on its way.
type prune struct {
	db     *DB
	scope  *backend.Scope
	asked  backend.Horizons
	before *horizons
	after  *horizons
	holds  []backend.Hold
	caps   map[uint64]uint64 // by what it is capped by: what a horizon may be
	dry    bool              // count only
	pace   pace
	report backend.PruneReport
}

// Prune implements backend.Retainer.
func (d *DB) Prune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (backend.PruneReport, error) {
	return d.prune(ctx, s, o, false)
}

// PlanPrune implements backend.Retainer.
func (d *DB) PlanPrune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (backend.PruneReport, error) {
	return d.prune(ctx, s, o, true)
}

func (d *DB) prune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions, dry bool,
) (backend.PruneReport, error) {
	if d.closed.Load() {
		return backend.PruneReport{}, backend.ErrClosed
	}
	if err := checkPrune(s, o); err != nil {
		return backend.PruneReport{}, err
	}
	ctx, leave, err := d.enter(ctx)
	if err != nil {
		return backend.PruneReport{}, err
	}
	defer leave()
	p := &prune{db: d, scope: s, asked: backend.Horizons(nil).Raise(o.Upto), dry: dry}
	p.caps, p.pace = map[uint64]uint64{}, pace{db: d, rate: o.Rate}
	err = p.run(ctx)
	return p.report, d.ended(err)
}

// checkPrune refuses what is never right.
func checkPrune(s *backend.Scope, o backend.PruneOptions) error {
	if err := validScope(s); err != nil {
		return err
	}
	if s.Number == codec.SystemScope {
		return fmt.Errorf("%w: prune: the database's own records have no retention",
			codec.ErrInvalidArgument)
	}
	prunable := backend.Prunable()
	for i, h := range o.Upto {
		if !slices.Contains(prunable, h.Primitive) {
			return fmt.Errorf("%w: prune run %s: primitive %s cannot be pruned",
				codec.ErrInvalidArgument, s.Record, h.Primitive)
		}
		for _, other := range o.Upto[:i] {
			if other.Primitive == h.Primitive {
				return fmt.Errorf("%w: prune run %s: primitive %s is named twice",
					codec.ErrInvalidArgument, s.Record, h.Primitive)
			}
		}
	}
	return nil
}

func (p *prune) run(ctx context.Context) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	settled, err := p.settled(ctx)
	if err != nil {
		return err
	}
	if err := p.decide(ctx, settled); err != nil {
		return err
	}
	p.report.Before, p.report.After = p.before.known(), p.after.known()
	p.report.Held = backend.OldestHolds(p.holds)
	if p.after == nil || p.after == p.before && !p.after.pending {
		return nil // nothing rises, nothing is left to do
	}
	if err := p.soil(); err != nil {
		return err
	}
	if err := p.remove(ctx); err != nil || p.dry {
		return err
	}
	return p.finish(ctx)
}

// soil notes that the scope will have space to give back.
func (p *prune) soil() error {
	dirty, n := p.db.pruner.dirty, p.scope.Number
	if _, ok := dirty[n]; ok || p.dry {
		return nil
	}
	if !p.db.storeGate.TryRLock() {
		return backend.ErrClosed
	}
	defer p.db.storeGate.RUnlock()
	size, err := p.db.diskUsage(codec.ScopeBounds(n))
	if err != nil {
		return err
	}
	dirty[n] = size
	return nil
}

// prepare makes sure that the scope exists, and that the forks are known.
func (p *prune) prepare(ctx context.Context) error {
	if _, err := p.db.readable(ctx, p.scope); err != nil {
		return err
	}
	for i, h := range p.asked {
		version, err := p.commitAt(ctx, h.Version)
		if err != nil {
			return err
		}
		p.asked[i].Version = version
	}
	return p.db.knowForks(ctx)
}

// commitAt is the version of the scope's newest commit at or below a version: between the two
// nothing happened to it, so there is no reason to refuse anything in between.
func (p *prune) commitAt(ctx context.Context, version uint64) (uint64, error) {
	if at, ok := p.caps[version]; ok {
		return at, nil
	}
	c, err := p.db.Commits(ctx, p.scope, version)
	if errors.Is(err, backend.ErrPruned) {
		c.Last, err = version, nil // it is below the horizon already
	}
	if err == nil {
		p.caps[version], p.caps[c.Last] = c.Last, c.Last
	}
	return c.Last, err
}

// settled returns a version below which no read is under way but those that hold it. Most reads
// hold nothing: they are over in an instant. So it is a version that was published a while ago.
func (p *prune) settled(ctx context.Context) (uint64, error) {
	d := p.db
	now := d.published.load()
	if p.dry || d.opts.readGrace < 0 {
		return now, nil
	}
	sample := &d.pruner.sample
	if sample.age == nil || sample.version < min(p.asked.Newest(), now) {
		*sample = published{version: now, age: startWatch()}
	}
	if left := d.opts.readGrace - sample.age.elapsed(); left > 0 {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(left):
		}
	}
	return sample.version, nil
}

// defaultReadGrace is how old a version must be to be taken from readers that do not hold it.
const defaultReadGrace = 500 * time.Millisecond

// decide finds out how far the horizons may rise, and sets them.
func (p *prune) decide(ctx context.Context, settled uint64) error {
	d := p.db
	// What the horizons rest on must be in the log before them.
	if err := d.handover.reach(settled); err != nil {
		return err
	}
	for {
		st, err := d.readable(ctx, p.scope)
		if err != nil {
			return err
		}
		first, err := p.firstCommit(ctx, st)
		if err != nil {
			return err
		}
		most, done, err := p.decideOn(st, settled, first)
		if err == nil && !done {
			_, err = p.commitAt(ctx, most)
		}
		if done || err != nil {
			return err
		}
	}
}

// firstCommit is the version of the scope's first commit, 0 if it has none. It is asked while the
// journal still tells.
func (p *prune) firstCommit(ctx context.Context, st *scopeState) (uint64, error) {
	if h := st.horizons.Load(); h != nil && h.first != 0 {
		return h.first, nil
	}
	c, err := p.db.Commits(ctx, p.scope, p.db.published.load())
	return c.First, err
}

// decideOn decides with the locks that keep everything as it is. It is not done if the state of the
// scope has gone meanwhile, or if it has to know the scope's newest commit at or below most.
func (p *prune) decideOn(
	st *scopeState, settled, first uint64,
) (most uint64, done bool, err error) {
	d := p.db
	if !d.commitGate.TryRLock() {
		return 0, false, backend.ErrClosed
	}
	defer d.commitGate.RUnlock()
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	if st.retired.Load() {
		return 0, false, nil
	}
	if st.phase.Load() == scopeGone {
		return 0, false, goneError(p.scope)
	}
	d.retained.mu.Lock()
	defer d.retained.mu.Unlock()
	p.holds = p.holds[:0]
	most = p.mostLocked(settled)
	commit, known := p.caps[most]
	if !known {
		return most, false, nil
	}
	p.before = st.horizons.Load()
	p.after = p.before
	list := p.before.known().Raise(p.asked.Cap(commit))
	if slices.Equal(list, p.before.known()) {
		return most, true, nil
	}
	p.after = newHorizons(codec.HorizonRecord{Horizons: list, First: first, Pending: true})
	if p.dry {
		return most, true, nil
	}
	return most, true, p.setLocked(st)
}

// mostLocked is the version above which no horizon may rise. It notes what holds them back.
// REQUIRES: the commit lock, retained.mu.
func (p *prune) mostLocked(settled uint64) uint64 {
	d := p.db
	asked := p.asked.Newest()
	most := asked
	hold := func(kind backend.HoldKind, n codec.Scope, version uint64) {
		if version < asked {
			most = min(most, version)
			p.holds = append(p.holds, backend.Hold{Kind: kind, Scope: n, Version: version})
		}
	}
	hold(backend.HeldByReaders, 0, settled)
	if horizon := d.pins.horizon(); horizon < settled {
		hold(backend.HeldByTransaction, 0, horizon)
	}
	family := map[codec.Scope]struct{}{codec.SystemScope: {}}
	d.forks.family(p.scope.Number, maxVersion, func(n codec.Scope, upTo uint64) {
		family[n] = struct{}{}
		if n != p.scope.Number {
			hold(backend.HeldByFork, n, upTo)
		}
	})
	for r := d.retained.held; r != nil; r = r.next {
		if _, ok := family[r.scope]; ok && r.version != 0 {
			hold(backend.HeldByRetention, r.scope, r.version)
		}
	}
	return most
}

// setLocked writes the horizons and shows them to readers. REQUIRES: the commit lock, a scope that
// is not gone, and retained.mu if they rise.
func (p *prune) setLocked(st *scopeState) error {
	if err := p.writeLocked(); err != nil {
		return err
	}
	st.horizons.Store(p.after)
	p.db.retained.raised.Add(1)
	return nil
}

// writeLocked writes the horizon record. REQUIRES: the commit lock, a scope that is not gone: the
// record must not come behind the removal of the scope.
func (p *prune) writeLocked() error {
	d := p.db
	if err := d.running(); err != nil {
		return err
	}
	rec := codec.AppendHorizonRecord(nil, p.after.record())
	b := d.store.NewBatch()
	err := b.Set(codec.HorizonKey(p.scope.Number),
		codec.AppendEnvelope(nil, codec.Envelope{Payload: rec}), nil)
	if err != nil {
		return err
	}
	if err := d.applyQuietly(b); err != nil {
		return err
	}
	return b.Close()
}

// finish notes that nothing is left below the horizons.
func (p *prune) finish(ctx context.Context) error {
	if !p.db.commitGate.TryRLock() { // Close must not take the store away meanwhile
		return backend.ErrClosed
	}
	defer p.db.commitGate.RUnlock()
	done := *p.after
	done.pending = false
	p.after = &done
	return p.whileThere(ctx, p.setLocked)
}

// whileThere calls f with the commit lock and the state of the scope, which is not gone.
func (p *prune) whileThere(ctx context.Context, f func(*scopeState) error) error {
	for {
		st, err := p.db.readable(ctx, p.scope)
		if err != nil {
			return err
		}
		if called, err := p.whileIn(st, f); called || err != nil {
			return err
		}
	}
}

// whileIn is whileThere as long as a state is the one that counts.
func (p *prune) whileIn(st *scopeState, f func(*scopeState) error) (called bool, err error) {
	p.db.commitLock.Lock()
	defer p.db.commitLock.Unlock()
	switch {
	case st.retired.Load():
		return false, nil
	case st.phase.Load() == scopeGone:
		return false, goneError(p.scope)
	}
	return true, f(st)
}
