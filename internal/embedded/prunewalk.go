package embedded

import (
	"bytes"
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// remove deletes, or counts, what lies below the horizons: of the primitives that rose, or of all
// if an earlier Prune did not come to its end. The journal goes last: it is small, and nothing else
// depends on the order.
func (p *prune) remove(ctx context.Context) error {
	again := p.before != nil && p.before.pending
	for _, h := range p.after.list {
		if !again && p.before.known().Of(h.Primitive) == h.Version {
			continue
		}
		for _, letter := range []codec.Primitive{h.Primitive, h.Primitive.Index()} {
			w := superseded{prune: p, letter: letter, horizon: h.Version}
			if err := p.removeAll(ctx, letter, &w); err != nil {
				return err
			}
		}
	}
	h := p.after.list.Of(codec.Journal)
	if !again && p.before.known().Of(codec.Journal) == h {
		return nil
	}
	keep, err := p.newestJournal(ctx, h)
	if err != nil || keep == 0 {
		return err
	}
	return p.removeAll(ctx, codec.Journal, &outdated{keep: keep})
}

// judge decides entry by entry what goes. The entries of a letter come in order, each once.
type judge interface {
	// goes tells whether something of the entry under an iterator is to be removed, and what.
	goes(it *pebble.Iterator) (x doomedKey, goes bool, err error)
	// over tells whether nothing behind that entry goes.
	over() bool
}

// superseded judges versions of keys: all below the newest one at or below the horizon go.
type superseded struct {
	prune   *prune
	letter  codec.Primitive
	horizon uint64
	prefix  []byte // engine key of the key, up to its version
	found   bool   // its newest version at or below the horizon
}

func (j *superseded) goes(it *pebble.Iterator) (x doomedKey, goes bool, err error) {
	key := it.Key()
	split := len(key) - versionSuffix(key)
	_, _, _, version, err := codec.DecodeKey(key)
	if err != nil {
		return x, false, err
	}
	if !bytes.Equal(j.prefix, key[:split]) {
		j.prefix, j.found = append(j.prefix[:0], key[:split]...), false
	}
	if version > j.horizon {
		return x, false, nil
	}
	if !j.found {
		j.found = true
		return x, false, nil
	}
	x, err = doom(it)
	x.records = 1
	return x, true, err
}

func (j *superseded) over() bool { return false }

// outdated judges journal records: those before a commit number go.
type outdated struct {
	keep uint64
	done bool
}

func (j *outdated) goes(it *pebble.Iterator) (x doomedKey, goes bool, err error) {
	_, _, user, _, err := codec.DecodeKey(it.Key())
	if err != nil {
		return x, false, err
	}
	last, part, err := codec.DecodeJournalUserKey(user)
	if err != nil {
		return x, false, err
	}
	if j.done = last >= j.keep; part > 0 {
		if !j.done {
			x, err = doom(it)
		}
		return x, !j.done, err
	}
	g, _, err := openJournal(it)
	if err != nil {
		return x, false, err
	}
	if !j.done {
		x, err = doom(it)
		x.records = uint64(g.Left())
		return x, true, err
	}
	return j.cut(it, last, &g)
}

// cut takes from a group of records those that go.
func (j *outdated) cut(
	it *pebble.Iterator, last uint64, g *codec.GroupReader,
) (x doomedKey, goes bool, err error) {
	var rest codec.GroupBuilder
	for g.Next() {
		if last-uint64(g.Left()) < j.keep {
			x.records++
		} else {
			rest.Add(g.Version(), g.Record())
		}
	}
	if g.Err() != nil || x.records == 0 {
		return x, false, g.Err()
	}
	x.key, x.size, x.rest = bytes.Clone(it.Key()), uint32(len(it.Value())), rest.Append(nil)
	return x, true, nil
}

func (j *outdated) over() bool { return j.done }

// newestJournal is the number of the newest commit at or below a version that the scope's own
// journal tells of: it stays. 0 if there is none. Copies that a flattening has left in the middle
// are not asked: there may be holes.
func (p *prune) newestJournal(ctx context.Context, at uint64) (uint64, error) {
	d := p.db
	if at == 0 {
		return 0, nil
	}
	st, err := d.readable(ctx, p.scope)
	if err != nil {
		return 0, err
	}
	own, _ := st.lineage.Load().below()
	if !d.storeGate.TryRLock() {
		return 0, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	c, err := d.extent(p.scope.Number, own, at)
	return c.Count, d.readFailed(err)
}

// removeAll walks all entries of a letter, page by page, and removes, or counts, what goes.
func (p *prune) removeAll(ctx context.Context, letter codec.Primitive, j judge) error {
	next, err := codec.AppendKey(nil, p.scope.Number, letter, "")
	for err == nil && next != nil {
		var doomed []doomedKey
		if doomed, next, err = p.page(ctx, letter, next, j); err != nil {
			return err
		}
		for _, x := range doomed {
			p.report.Bytes += uint64(x.bytes())
			if letter == codec.Journal {
				p.report.Commits += x.records
			} else {
				p.report.Versions += x.records
			}
		}
		if !p.dry {
			err = p.discard(ctx, doomed)
		}
	}
	return err
}

// doomedKey is an entry that goes.
type doomedKey struct {
	key      []byte
	size     uint32 // of the value
	deadline []byte // the key of its entry in the index by deadline; nil: none
	rest     []byte // what stays of a group of journal records; nil: nothing
	records  uint64 // that go: several of a group
}

// bytes is how much goes.
func (x *doomedKey) bytes() int {
	if x.rest != nil {
		return int(x.size) - len(x.rest)
	}
	return len(x.key) + int(x.size)
}

// page walks one page from a key on; next is where the following one begins, nil at the end. An
// open iterator pins what it was opened on, so none is open for long.
func (p *prune) page(
	ctx context.Context, letter codec.Primitive, from []byte, j judge,
) (doomed []doomedKey, next []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	d := p.db
	if !d.storeGate.TryRLock() {
		return nil, nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: from,
		UpperBound: codec.AppendRangeEnd(nil, p.scope.Number, letter, ""),
	})
	if err != nil {
		return nil, nil, d.readFailed(err)
	}
	count := 0
	for ok := it.First(); ok && !j.over(); ok = it.Next() {
		if count++; count > freePage {
			next = bytes.Clone(it.Key())
			break
		}
		p.report.Walked++
		x, goes, err := j.goes(it)
		if err != nil {
			return nil, nil, d.readFailed(closeIter(it, err))
		}
		if goes {
			doomed = append(doomed, x)
		}
	}
	return doomed, next, d.readFailed(closeIter(it, nil))
}

// doom copies what is needed to remove the entry under an iterator.
func doom(it *pebble.Iterator) (x doomedKey, err error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return x, err
	}
	x = doomedKey{key: bytes.Clone(it.Key()), size: uint32(len(value))}
	x.deadline, err = deadlineKey(it)
	return x, err
}

// discard deletes entries in batches, at its pace.
func (p *prune) discard(ctx context.Context, doomed []doomedKey) error {
	for len(doomed) > 0 {
		some := doomed[:min(len(doomed), freeBatch)]
		doomed = doomed[len(some):]
		took := startWatch()
		b := p.db.store.NewBatch()
		bytes, records := 0, uint64(0)
		for _, x := range some {
			err := error(nil)
			if x.rest != nil {
				err = b.Set(x.key, x.rest, nil)
			} else {
				err = b.DeleteSized(x.key, x.size, nil)
			}
			if err != nil {
				return err
			}
			if x.deadline != nil {
				if err := b.Delete(x.deadline, nil); err != nil {
					return err
				}
			}
			bytes += x.bytes()
			records += x.records
		}
		if err := p.discardBatch(ctx, b); err != nil {
			return err
		}
		p.db.counters.pruned.Add(records)
		p.db.counters.prunedBytes.Add(uint64(bytes))
		if err := p.pace.after(ctx, len(some), took.elapsed()); err != nil {
			return err
		}
	}
	return nil
}

// discardBatch hands a batch over. What stays of a group is written anew by it, which must not come
// behind the removal of the scope: nobody would ever remove it.
func (p *prune) discardBatch(ctx context.Context, b *pebble.Batch) error {
	return p.db.discardBy(ctx, func() error {
		return p.whileThere(ctx, func(*scopeState) error { return p.db.discardLocked(b) })
	})
}

// pace keeps the removal out of the way of commits, and within its rate.
type pace struct {
	db      *DB
	rate    int // records per second; 0: no bound
	began   *watch
	removed int
	commits uint64 // how many there were after the last batch
}

const (
	// pruneShare is how many times as long as a batch took its successor waits while commits come.
	pruneShare = 3
	// mostPruneWait bounds that: a batch that was held up itself is no measure.
	mostPruneWait = 50 * time.Millisecond
)

// after waits as long as it takes after a batch.
func (p *pace) after(ctx context.Context, removed int, took time.Duration) error {
	if p.began == nil {
		p.began = startWatch()
	}
	p.removed += removed
	wait := time.Duration(0)
	commits := p.db.counters.commits.Load()
	if commits != p.commits {
		wait = min(pruneShare*took, mostPruneWait)
	}
	p.commits = commits
	if p.rate > 0 {
		due := time.Duration(float64(p.removed) / float64(p.rate) * float64(time.Second))
		wait = max(wait, due-p.began.elapsed())
	}
	if wait <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.db.fault.failed:
		return p.db.fault.err()
	case <-time.After(wait):
		return nil
	}
}
