package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Check looks over everything that is stored.
//
// Purpose: to find damage of whatever kind, name it, and go on behind it; never to take a state
// that some history may have left for damage.
//
// It reads one snapshot of the store: whole commits, all up to the newest one in it, and what
// retention and the graveyard had removed by then. In it
//
//	files     the sentinel, the MANIFEST, every block of every table (inspectfiles.go)
//	scopes    the records of scopes, the graveyard, horizons, forks (inspectscopes.go)
//	commits   the chain of commit records (inspectcommits.go)
//	walk      scope by scope every entry, each once, in the order of keys (inspectwalk.go)
//
// That what journals name and what is there are the same is found by tallies: both sides of a
// letter are summed up as hashes, so memory does not depend on what a scope holds. Only where the
// sums differ the two are compared one by one (inspectdiff.go).
func (d *DB) Check(
	ctx context.Context, o backend.CheckOptions, report func(backend.Problem),
) (backend.CheckInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.pruner.closing, cancel)() // Close does not wait for long
	if !d.storeGate.TryRLock() {
		return backend.CheckInfo{}, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return backend.CheckInfo{}, backend.ErrClosed
	}
	if err := d.handover.push(); err != nil {
		return backend.CheckInfo{}, err
	}
	c := &inspection{
		db: d, ctx: ctx, o: &o, report: report, snap: d.store.NewSnapshot(),
		scopes: map[codec.Scope]*inspectedScope{}, graves: map[codec.Scope]uint64{},
		only: map[codec.Scope]bool{}, seed: maphash.MakeSeed(),
	}
	for _, n := range o.Scopes {
		c.only[n] = true
	}
	err := c.run()
	if err = errors.Join(err, c.snap.Close()); errors.Is(err, context.Canceled) && d.closed.Load() {
		err = backend.ErrClosed
	}
	return c.info, err
}

// inspection is one Check under way.
type inspection struct {
	db     *DB
	ctx    context.Context
	o      *backend.CheckOptions
	report func(backend.Problem)
	info   backend.CheckInfo
	snap   *pebble.Snapshot
	now    int64
	seed   maphash.Seed

	scopes map[codec.Scope]*inspectedScope
	graves map[codec.Scope]uint64
	only   map[codec.Scope]bool // empty: all
	// blind: a part of the system scope could not be read, so nothing can be told by its absence.
	blind   bool
	suspect map[codec.Scope]bool // whose journal and commits disagree
}

// inspectedScope is what is known of a scope before it is walked.
type inspectedScope struct {
	number   codec.Scope
	key      string // of its record; empty if there is none
	record   codec.ScopeRecord
	live     bool // it has a record
	horizons backend.Horizons
	lost     bool // its horizons cannot be read: what is missing may have been removed
	// above is the version above which its own records lie: a fork reads through its parent below.
	above uint64
	told  tally // what commit records say of its journal
}

// all tells whether nothing was left out.
func (c *inspection) all() bool { return len(c.only) == 0 }

func (c *inspection) wanted(n codec.Scope) bool { return c.all() || c.only[n] }

func (c *inspection) run() error {
	if c.all() {
		if err := c.files(); err != nil {
			return err
		}
	}
	c.now = c.db.clock.now() // after the snapshot: what was swept before it is due by this clock
	if err := c.loadScopes(); err != nil {
		return err
	}
	if err := c.commits(); err != nil {
		return err
	}
	if err := c.checkScopes(); err != nil {
		return err
	}
	numbers, err := c.numbers()
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if err := c.walkScope(n); err != nil {
			return err
		}
		if c.o.Progress != nil {
			c.o.Progress(i+1, len(numbers))
		}
	}
	return c.compareCommits()
}

// note reports a problem.
func (c *inspection) note(
	kind backend.ProblemKind, n codec.Scope, p codec.Primitive, key string, version uint64,
	format string, args ...any,
) {
	x := backend.Problem{
		Kind: kind, Scope: n, Primitive: p, Key: key, Version: version,
		Text: fmt.Sprintf(format, args...),
	}
	if s := c.scopes[n]; s != nil {
		x.Record = s.key
	}
	c.report(x)
}

// numbers are the scopes to walk: those that have a record, and those that have keys.
func (c *inspection) numbers() ([]codec.Scope, error) {
	found := map[codec.Scope]bool{}
	for n := range c.scopes {
		found[n] = c.wanted(n)
	}
	if c.all() {
		found[codec.SystemScope] = true
		if err := c.discover(found); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(found, func(_ codec.Scope, wanted bool) bool { return !wanted })
	return slices.Sorted(maps.Keys(found)), nil
}

// discover adds the scopes that have keys, by a seek for each.
func (c *inspection) discover(found map[codec.Scope]bool) error {
	lower, upper := []byte("r/\x00"), []byte("r0\x00")
	for from := lower; from != nil; {
		it, err := c.snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: upper})
		if err != nil {
			return c.db.readFailed(err)
		}
		from = nil
		for ok := it.First(); ok; {
			if err := c.ctx.Err(); err != nil {
				return closeIter(it, err)
			}
			n, p, user, version, err := codec.DecodeKey(it.Key())
			if err != nil || n == codec.SystemScope {
				c.note(backend.ProblemKey, 0, 0, string(it.Key()), 0, "a key that nothing has: %q (%v)",
					it.Key(), err)
				ok = it.Next()
				continue
			}
			_, _, _ = p, user, version
			found[n] = true
			_, end := codec.ScopeBounds(n)
			ok = it.SeekGE(end)
		}
		if err := it.Error(); err != nil {
			c.note(backend.ProblemUnreadable, 0, 0, "", 0, "%s: there may be scopes that no record "+
				"names", firstLine(err))
			_ = it.Close() // the error was told
			return nil
		}
		if err := it.Close(); err != nil {
			return c.db.readFailed(err)
		}
	}
	return nil
}

// damaged tells whether an error is about what lies in the store, so that there is more behind it.
func (c *inspection) damaged(err error) bool {
	return err != nil && c.ctx.Err() == nil && !errors.Is(err, backend.ErrClosed)
}

// get reads the value of an engine key; nil if it is not there.
func (c *inspection) get(key []byte) ([]byte, error) {
	value, closer, err := c.snap.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = bytes.Clone(value)
	return value, closer.Close()
}

// tally sums up a set: two that are equal have the same things in them, but for a chance of one in
// 2^64.
type tally struct{ count, sum uint64 }

func (t *tally) add(hash uint64) { t.count, t.sum = t.count+1, t.sum+hash }
