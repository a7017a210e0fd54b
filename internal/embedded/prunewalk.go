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
	// goes tells whether the entry under an iterator is to be removed.
	goes(key []byte) (bool, error)
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

func (j *superseded) goes(key []byte) (bool, error) {
	split := len(key) - versionSuffix(key)
	_, _, _, version, err := codec.DecodeKey(key)
	if err != nil {
		return false, err
	}
	if !bytes.Equal(j.prefix, key[:split]) {
		j.prefix, j.found = append(j.prefix[:0], key[:split]...), false
	}
	if version > j.horizon {
		return false, nil
	}
	goes := j.found
	j.found = true
	return goes, nil
}

func (j *superseded) over() bool { return false }

// outdated judges journal records: those before a commit number go.
type outdated struct {
	keep uint64
	done bool
}

func (j *outdated) goes(key []byte) (bool, error) {
	number, _, err := journalPlace(key)
	j.done = number >= j.keep
	return !j.done, err
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
	n := p.scope.Number
	it, err := d.denseIter(n, codec.Journal, own)
	if err != nil {
		return 0, d.readFailed(err)
	}
	c, err := searchJournal(it, n, at)
	return c.Count, d.readFailed(closeIter(it, err))
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
			p.report.Bytes += uint64(len(x.key) + int(x.size))
			switch {
			case letter == codec.Journal:
				p.report.Commits++
			default:
				p.report.Versions++
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
		goes, err := j.goes(it.Key())
		if err == nil && goes {
			var x doomedKey
			x, err = doom(it)
			doomed = append(doomed, x)
		}
		if err != nil {
			return nil, nil, d.readFailed(closeIter(it, err))
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
		bytes := 0
		for _, x := range some {
			if err := b.DeleteSized(x.key, x.size, nil); err != nil {
				return err
			}
			if x.deadline != nil {
				if err := b.Delete(x.deadline, nil); err != nil {
					return err
				}
			}
			bytes += len(x.key) + int(x.size)
		}
		if err := p.db.discardBatch(ctx, b); err != nil {
			return err
		}
		p.db.counters.pruned.Add(uint64(len(some)))
		p.db.counters.prunedBytes.Add(uint64(bytes))
		if err := p.pace.after(ctx, len(some), took.elapsed()); err != nil {
			return err
		}
	}
	return nil
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
