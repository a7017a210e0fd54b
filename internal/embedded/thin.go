package embedded

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Commit records outlive the scopes that they name, because a scope may die alone: they give what
// others wrote in the same commit its time, and say in which order all was written. Once every
// scope that a record names is gone it tells nobody anything, and goes: the list of commits is
// thinned. Otherwise the disk of a database in which runs come and go would grow for ever.
//
// Invariants:
//
//  1. The chain has no hole. The record behind one that goes names the one before it, from the same
//     batch on. A hole that was there before (a damaged store) stays one: the record behind it does
//     not go, and names what it named.
//  2. Only what lies below the version in the sentinel up to which all is in tables goes. What the
//     next open needs to tell a cut log from a damaged one lies above (DB.verifyChain).
//  3. A fork that was flattened has records of scopes that may be gone, and their time is asked
//     for. So all scopes from its oldest ancestor to its parent count as if they lived.
//  4. A view of the past judges expiry by the time of the newest commit at its version. It must not
//     lie between two commits of which one goes and a deadline lies between them: what had expired
//     in it would come back. So nothing goes from a commit that put something with a deadline on,
//     if what it wrote lasts, to the first one that lasts at or after that deadline.
//
// It is the graveyard's work, after it has freed scopes: in pages, each one batch that gives way to
// commits, and with pauses while commits come. A walk costs all records that there are, so it waits
// until there are half as many new ones.

// thinAfter is after how many commits a walk is worth it at least.
const thinAfter = 1 << 16

// thinned tells of the last walk. Guarded by graveyard.turn.
type thinned struct {
	commits uint64 // that there had been since the open
	freed   uint64 // scopes that had been freed since the open
	freedAt uint64 // what was published when that was seen first
	limit   uint64 // below which records could go
	walked  uint64 // records that stayed
	earlier uint64 // records that the open found, about, until there was a walk
	asked   bool   // how many these are was asked
}

// thinSome thins the list of commits if that is worth a walk.
func (d *DB) thinSome(ctx context.Context) error {
	return d.graveyard.inTurn(ctx, func() error {
		f := &d.graveyard.thinned
		if !f.asked {
			size, err := d.listSize()
			if err != nil {
				return err
			}
			f.asked, f.earlier = true, size/listedBytes
		}
		if d.counters.commits.Load()-f.commits+f.earlier < max(thinAfter, f.walked/2) {
			return nil
		}
		_, err := d.thin(ctx)
		if err != nil { // a damaged record, for instance: it is not met again at once
			f.commits, f.earlier = d.counters.commits.Load(), 0
		}
		return err
	})
}

// listedBytes is what a commit record takes on disk, about.
const listedBytes = 14

// listBounds is where the list of commits lies.
func listBounds() (lower, upper []byte) {
	return codec.AppendCommitKey(nil, 1),
		codec.AppendRangeEnd(nil, codec.SystemScope, codec.Commits, "")
}

// listSize is what the list of commits takes on disk, about.
func (d *DB) listSize() (uint64, error) {
	if !d.storeGate.TryRLock() {
		return 0, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	return d.diskUsage(listBounds())
}

// thinAll takes all commit records away that can go now, and returns how many.
func (d *DB) thinAll(ctx context.Context) (gone int, err error) {
	err = d.graveyard.inTurn(ctx, func() error {
		gone, err = d.thin(ctx)
		return err
	})
	return gone, err
}

// thin walks over the commit records, unless the last walk has left nothing of what could go.
// REQUIRES: the graveyard's turn.
func (d *DB) thin(ctx context.Context) (gone int, err error) {
	last, published := d.graveyard.thinned, d.published.load()
	now := thinned{commits: d.counters.commits.Load(), freed: d.graveyard.freed.Load(),
		freedAt: last.freedAt, asked: true}
	if now.freed != last.freed {
		now.freedAt = published
	} else if last.limit >= last.freedAt {
		return 0, nil
	}
	limit, err := d.provenInTables()
	// Which scopes live is asked of what is published: one that began since is not among them.
	limit = min(limit, published)
	if err != nil || now.freed == last.freed && limit == last.limit {
		return 0, err
	}
	now.limit = limit
	f := thinning{db: d, limit: limit, time: math.MinInt64, deadline: math.MinInt64}
	if f.lasting, err = d.lastingScopes(ctx, published); err != nil {
		return 0, err
	}
	pace := pace{db: d}
	for more := true; more; {
		page := startWatch()
		var b *pebble.Batch
		if b, more, err = f.page(ctx); err != nil {
			return f.gone, err
		}
		if b.Empty() {
			err = b.Close()
		} else if err = d.discardBatch(ctx, b); err == nil {
			f.dropTimes()
		}
		if err == nil && more {
			err = pace.after(ctx, 0, page.elapsed())
		}
		if err != nil {
			return f.gone, err
		}
	}
	now.walked = uint64(f.walked - f.gone)
	d.graveyard.thinned = now
	return f.gone, nil
}

// provenInTables is the version in the sentinel up to which every commit is in tables.
func (d *DB) provenInTables() (uint64, error) {
	if d.flushed.Load() > d.keeper.says().Flushed {
		if err := d.keeper.extend(0, 0); err != nil {
			return 0, err
		}
	}
	return d.keeper.says().Flushed, nil
}

// lasting are the scopes whose commits stay on record.
type lasting struct {
	live   []codec.Scope // sorted
	copied []span        // that live ones may have records of: sorted, none overlaps another
}

// lastingScopes are those of which something is left at a published version. Who is not among
// them then, and has committed something up to there, never comes back.
func (d *DB) lastingScopes(ctx context.Context, at uint64) (r lasting, err error) {
	// The deletions that this rests on must be in the log before what follows from them.
	if err := d.handover.reach(at); err != nil {
		return r, err
	}
	r.live = []codec.Scope{codec.SystemScope}
	c := d.Scan(ctx, d.system, codec.ScopeRecords, backend.Range{}, at)
	defer c.Close()
	for c.Next() {
		rec, err := codec.DecodeScopeRecord(c.Record().Value)
		if err != nil {
			return r, err
		}
		r.live = append(r.live, rec.Number)
		if rec.ForkVersion != 0 {
			r.copied = append(r.copied, span{from: rec.Oldest, to: rec.ParentNumber})
		}
	}
	slices.Sort(r.live)
	r.copied = joined(r.copied)
	return r, c.Err()
}

// joined sorts spans, and makes one of those that overlap.
func joined(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	list := spans[:0]
	for _, x := range spans {
		if last := len(list) - 1; last >= 0 && x.from <= list[last].to {
			list[last].to = max(list[last].to, x.to)
		} else {
			list = append(list, x)
		}
	}
	return list
}

// has tells whether something is left of a scope.
func (r *lasting) has(n codec.Scope) bool {
	if _, found := slices.BinarySearch(r.live, n); found {
		return true
	}
	i, found := slices.BinarySearchFunc(r.copied, n, func(x span, n codec.Scope) int {
		return cmp.Compare(x.from, n)
	})
	return found || i > 0 && n <= r.copied[i-1].to
}

// thinning walks over the commit records.
type thinning struct {
	db      *DB
	lasting lasting
	limit   uint64 // only what lies below goes

	after    uint64 // the last key that was walked over
	before   uint64 // the record before, in the store as it was
	previous uint64 // the last record that stays
	time     int64  // of that
	deadline int64  // the latest one that lasting scopes were given so far
	open     bool   // one between the two goes, and the next one has to name previous

	batch        *pebble.Batch
	group        codec.GroupBuilder
	scratch      []byte
	dropped      []uint64 // what goes with the batch
	walked, gone int
}

// dropTimes forgets what is remembered of the commits that went with the last batch: an answer must
// not depend on how long ago the database was opened.
func (f *thinning) dropTimes() {
	for _, version := range f.dropped {
		f.db.times.drop(version)
	}
}

// page makes the batch for what comes next. more tells whether there may be more behind it.
func (f *thinning) page(ctx context.Context) (b *pebble.Batch, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if !f.db.storeGate.TryRLock() {
		return nil, false, backend.ErrClosed
	}
	defer f.db.storeGate.RUnlock()
	_, upper := listBounds()
	it, err := f.db.store.NewIter(&pebble.IterOptions{
		LowerBound: codec.AppendCommitKey(nil, f.after+1), UpperBound: upper,
	})
	if err != nil {
		return nil, false, f.db.readFailed(err)
	}
	f.batch, f.dropped = f.db.store.NewBatch(), f.dropped[:0]
	more, err = f.walk(it)
	return f.batch, more, f.db.readFailed(closeIter(it, err))
}

// walk goes over the keys of a page, and makes the one behind it name what is left before it.
func (f *thinning) walk(it *pebble.Iterator) (more bool, err error) {
	keys := 0
	for ok := it.First(); ok; ok = it.Next() {
		version, err := codec.DecodeCommitKey(it.Key())
		if err != nil {
			return false, err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return false, err
		}
		behind := version >= f.limit || keys == freeBatch
		if !behind || f.open {
			if err := f.judge(version, value, behind); err != nil {
				return false, err
			}
		}
		if behind {
			f.before = f.previous // what was behind names it now
			return version < f.limit, nil
		}
		keys, f.after = keys+1, version
	}
	if f.open { // nothing names what goes: the newest records are there, so this is damage
		f.batch.Reset()
	}
	return false, nil
}

// judge decides on the records under one key. Those behind the page stay, and come again with the
// next one.
func (f *thinning) judge(version uint64, value []byte, behind bool) error {
	f.group.Reset()
	changed := false
	g := codec.OpenGroup(version, value)
	for g.Next() {
		rec, err := codec.DecodeCommitRecord(g.Version(), g.Record())
		if err != nil {
			return err
		}
		whole := rec.Previous == f.before
		f.before = rec.Version
		if !behind {
			f.walked++
		}
		left := f.somethingLeft(rec.Scopes)
		if !behind && whole && !left && f.time >= f.deadline {
			f.gone++
			f.dropped = append(f.dropped, rec.Version)
			f.open, changed = true, true
			continue
		}
		data := g.Record()
		if f.open && whole {
			f.scratch, err = codec.RelinkCommitRecord(f.scratch[:0], rec.Version, data, f.previous)
			if err != nil {
				return err
			}
			data, changed = f.scratch, true
		}
		f.open = false
		f.group.Add(rec.Version, data)
		if !behind {
			f.previous, f.time = rec.Version, rec.Time
		}
		if !behind && left && rec.Deadline != 0 {
			f.deadline = max(f.deadline, rec.Deadline)
		}
	}
	if err := g.Err(); err != nil || !changed {
		return err
	}
	return f.replace(version)
}

// somethingLeft tells whether one of the scopes of a record lasts. A record that names none is
// about the index of runs.
func (f *thinning) somethingLeft(scopes []codec.ScopeCommit) bool {
	return len(scopes) == 0 || slices.ContainsFunc(scopes, func(s codec.ScopeCommit) bool {
		return f.lasting.has(s.Scope)
	})
}

// replace replaces what is under a key by the records that stay, which have the key of their last.
func (f *thinning) replace(version uint64) error {
	var err error
	if f.group.Last() != version {
		err = f.batch.Delete(codec.AppendCommitKey(nil, version), nil)
	}
	if f.group.Len() > 0 {
		value := f.group.Append(nil)
		key := codec.AppendCommitKey(nil, f.group.Last())
		err = errors.Join(err, f.batch.Set(key, value, nil))
	}
	return err
}
