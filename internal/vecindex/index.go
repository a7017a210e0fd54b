package vecindex

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// index is what is kept of one collection in one scope: contents that are loaded, pulled up, and
// loaded anew when the journal no longer tells what happened.
type index struct {
	b      backend.Backend
	grown  *atomic.Int64 // Manager.grown
	key    indexKey
	scope  *backend.Scope
	config vector.Config
	fork   uint64 // of an index of own rows: the version above which they lie

	used  atomic.Uint64 // Manager.clock at its last use
	bytes atomic.Int64

	gate    chan struct{} // holds one token: whoever takes it out loads and pulls
	content atomic.Pointer[content]
	heir    atomic.Pointer[content] // changed under the gate: see renew
	broken  atomic.Bool             // the worker met an error: it lets the index be

	// unproven is what of content came from a file that was not held against all rows yet, else
	// nil; disbelieved says that the file was false. Changed under the gate, or by the worker.
	unproven    atomic.Pointer[content]
	disbelieved atomic.Bool

	budget     int64       // Options.Budget
	least      int         // slots that are worth a file
	unwritable atomic.Bool // its file could not be written
}

// indexKey says what an index is of.
type indexKey struct {
	scope       codec.Scope
	prefix      string
	incarnation uint64
	own         bool   // only what a fork wrote itself
	frozen      uint64 // as of this version; 0: it follows the scope
}

func newIndex(
	m *Manager, k indexKey, s *backend.Scope, fork uint64, config vector.Config,
) *index {
	x := &index{b: m.b, grown: &m.grown, key: k, scope: s, fork: fork, config: config,
		gate: make(chan struct{}, 1), budget: m.budget, least: m.least}
	x.gate <- struct{}{}
	return x
}

// nearCommits is how many commits may lie between the version of the first search and what is
// published: so many are pulled later rather than that their versions be lost.
const nearCommits = 10_000

// reach returns contents that can answer at a version, nil if they begin above it. It waits only
// if the version is newer than all that was pulled. Of own rows it answers backend.ErrPruned if
// retention has removed what tells which they are.
func (x *index) reach(ctx context.Context, at uint64) (*content, error) {
	if c := x.content.Load(); c != nil && at <= c.version.Load() {
		return c.from(at), nil
	}
	if !x.enter(ctx) {
		return nil, ctx.Err()
	}
	defer x.leave()
	c, err := x.content.Load(), error(nil)
	if c != nil && at > c.version.Load() {
		if err = x.pull(ctx, c); errors.Is(err, backend.ErrPruned) {
			x.drop(c)
		}
	}
	if c == nil || errors.Is(err, backend.ErrPruned) {
		c, err = x.load(ctx, at)
	}
	if c == nil || err != nil {
		return nil, err
	}
	x.resize(c)
	return c.from(at), nil
}

// resize notes what the contents take in memory.
func (x *index) resize(c *content) {
	size := c.bytes()
	if heir := x.heir.Load(); heir != nil && heir != c {
		size += heir.bytes()
	}
	if more := size - x.bytes.Swap(size); more > 0 {
		x.grown.Add(more)
	}
}

// compact leaves the vectors to the rows, and returns how many bytes that gives back.
func (x *index) compact() int64 {
	before := x.bytes.Load()
	c := x.content.Load()
	for _, some := range []*content{c, x.heir.Load()} {
		if some != nil && some.compact() != nil {
			return 0
		}
	}
	if c == nil {
		return 0
	}
	x.resize(c)
	return before - x.bytes.Load()
}

// enter takes the gate, or reports that ctx was done first.
func (x *index) enter(ctx context.Context) bool {
	select {
	case <-x.gate:
		return true
	case <-ctx.Done():
		return false
	}
}

func (x *index) leave() { x.gate <- struct{}{} }

// load makes contents, of the rows at a version or, of own ones, from the fork on. It returns nil
// if the version is so old that contents of today would serve more searches. The caller has the
// gate.
func (x *index) load(ctx context.Context, at uint64) (*content, error) {
	c, err := x.restored(ctx, at)
	if c != nil || err != nil {
		return c, err
	}
	if x.key.own {
		c = newContent(x, x.fork)
	} else {
		if x.key.frozen == 0 {
			near, err := x.near(ctx, at)
			if err != nil || !near {
				return nil, err
			}
		}
		c = newContent(x, at)
		if err := c.scan(ctx); err != nil {
			return nil, err
		}
	}
	if x.key.frozen == 0 {
		base, err := x.b.Commits(ctx, x.scope, c.base)
		if err != nil {
			return nil, err
		}
		c.next = base.Count + 1
		if err := x.pull(ctx, c); err != nil {
			return nil, err
		}
	}
	x.content.Store(c)
	return c, nil
}

// restored loads contents from a file and pulls them up; nil if there is none that will do.
func (x *index) restored(ctx context.Context, at uint64) (*content, error) {
	if x.key.own || x.key.frozen != 0 || x.disbelieved.Load() {
		return nil, nil
	}
	c, err := x.restore(ctx, at)
	if err == nil {
		err = x.pull(ctx, c)
	}
	if err == nil {
		x.unproven.Store(c)
		x.content.Store(c)
		return c, nil
	}
	return nil, ctx.Err()
}

// vectorConfig is the configuration of the index in memory. What a file does not bring is fetched.
func (x *index) vectorConfig() vector.Config {
	config := x.config
	config.Fetch = x.fetch
	return config
}

// each calls a function for all rows at a version.
func (x *index) each(
	ctx context.Context, at uint64, row func(id string, r *backend.Record) error,
) error {
	cur := x.b.Scan(ctx, x.scope, codec.Vectors, backend.PrefixRange(x.key.prefix), at)
	defer cur.Close()
	for cur.Next() {
		id := cur.Key()[len(x.key.prefix):]
		if id == "" {
			continue // the record of the collection
		}
		if err := row(id, cur.Record()); err != nil {
			return rowError(id, err)
		}
	}
	return cur.Err()
}

func rowError(id string, err error) error { return fmt.Errorf("row %q: %w", id, err) }

// near tells whether little was committed to the scope since a version.
func (x *index) near(ctx context.Context, at uint64) (bool, error) {
	then, err := x.b.Commits(ctx, x.scope, at)
	if err != nil {
		return false, err
	}
	now, err := x.b.Commits(ctx, x.scope, x.b.Published())
	return now.Count-then.Count <= nearCommits, err
}

// pull applies what the scope has committed since the last time. What an error interrupts is taken
// up by the next pull. The caller has the gate.
func (x *index) pull(ctx context.Context, c *content) error {
	target := x.b.Published()
	if target <= c.version.Load() {
		return nil
	}
	now, err := x.b.Commits(ctx, x.scope, target)
	if err != nil {
		return err
	}
	if now.Count < c.next {
		x.pulled(c, target)
		return nil
	}
	r := backend.JournalRange{
		From: c.next, At: target, Values: backend.NewValues,
		Only: []backend.KeySpace{{Primitive: codec.Vectors, Prefix: x.key.prefix}},
	}
	for e, err := range x.b.Journal(ctx, x.scope, r) {
		if err != nil {
			return err
		}
		if e.Number != c.next {
			return fmt.Errorf("%w: journal of scope %d: found commit %d, expected %d",
				codec.ErrCorrupt, x.key.scope, e.Number, c.next)
		}
		if err := c.apply(&e); err != nil {
			return err
		}
		if heir := x.heir.Load(); heir != nil {
			if err := heir.apply(&e); err != nil {
				return err
			}
		}
		c.next++
		x.pulled(c, e.Version)
	}
	x.pulled(c, target)
	return nil
}

// pulled notes that everything up to a version is in the contents, and in their heir.
func (x *index) pulled(c *content, version uint64) {
	if heir := x.heir.Load(); heir != nil {
		heir.next = c.next
		heir.version.Store(version)
	}
	c.version.Store(version)
}

// read reads a row as it was at a version.
func (x *index) read(ctx context.Context, id string, at uint64) (backend.Record, error) {
	return x.b.Get(ctx, x.scope, codec.Vectors, x.key.prefix+id, at)
}

// rowOf reads the row of a slot. One from before the horizon is read at the horizon: if anybody may
// see it, it is the newest there. Else that answers backend.ErrPruned.
func (x *index) rowOf(ctx context.Context, id string, born uint64) (backend.Record, error) {
	r, err := x.read(ctx, id, born)
	var below *backend.PrunedError
	for at := born; errors.As(err, &below) && below.Earliest > at; {
		at = below.Earliest
		if r, err = x.read(ctx, id, at); err == nil && r.Version != born {
			return r, below
		}
	}
	return r, err
}
