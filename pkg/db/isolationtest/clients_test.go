package isolationtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/inmem-db/inmem/internal/isolation"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// round is one database at work: its clients share a few runs and their forks.
type round struct {
	t      *testing.T
	d      *inmem.DB
	h      *history
	levels []inmem.Isolation
	load   []byte // what fills the memory, so that it is evicted; nil: nothing

	mu     sync.Mutex
	scopes []*scope
	forks  int
}

type scope struct {
	name string
	run  *inmem.Run
}

// mostForks of a round: each makes the keys colder.
const mostForks = 5

// client is one goroutine.
type client struct {
	*round
	id    int
	rng   *rand.Rand
	ctx   context.Context
	level inmem.Isolation // of the transaction that it is about
}

// errRollback ends a transaction that shall have no effect.
var errRollback = errors.New("rolled back on purpose")

// pause lets others in: on few cores transactions would hardly ever meet.
func (c *client) pause() {
	switch c.rng.IntN(6) {
	case 0, 1:
		runtime.Gosched()
	case 2:
		time.Sleep(time.Duration(c.rng.IntN(200)) * time.Microsecond)
	}
}

func (c *client) pick() *scope {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scopes[c.rng.IntN(len(c.scopes))]
}

// work does n transactions.
func (c *client) work(n int) error {
	for range n {
		c.level = c.levels[c.rng.IntN(len(c.levels))]
		acts := []func() error{
			c.update, c.update, c.update, c.begin, c.begin, c.across, c.across, c.skew, c.skew,
			c.view, c.past, c.direct, c.swap, c.swap, c.fork, c.fill,
		}
		if err := acts[c.rng.IntN(len(acts))](); err != nil {
			return fmt.Errorf("client %d: %w", c.id, err)
		}
		c.pause()
	}
	return nil
}

func (c *client) session() *session {
	level := isolation.Snapshot
	if c.level == inmem.Serializable {
		level = isolation.Serializable
	}
	return newSession(c.ctx, c.h, c.id, level)
}

func (c *client) options() inmem.TxOptions { return inmem.TxOptions{Isolation: c.level} }

// operate does one to five operations on a place.
func (c *client) operate(s *session, p place, scope string, writes bool) error {
	for range 1 + c.rng.IntN(5) {
		if err := c.operation(s, p, scope, writes); err != nil {
			return err
		}
		c.pause()
	}
	return nil
}

func (c *client) operation(s *session, p place, scope string, writes bool) error {
	r := register(c.rng.IntN(width))
	// Lists are left behind when they have grown.
	l := fmt.Sprintf("l/%d/%d", c.h.values.Load()/150, c.rng.IntN(2))
	kind := c.rng.IntN(16)
	if !writes {
		kind = c.rng.IntN(8)
	}
	switch kind {
	case 0, 1:
		return s.get(p, scope, r, kind == 0)
	case 2:
		return s.many(p, scope, []string{r, register(c.rng.IntN(width))})
	case 3, 4:
		from := c.rng.IntN(width)
		to := from + 1 + c.rng.IntN(width-from)
		return s.scan(p, scope, from, to, c.rng.IntN(3), c.rng.IntN(2) == 0)
	case 5:
		return s.list(p, scope, l, false)
	case 6:
		return s.cell(p, scope, "c"+l, false)
	case 7:
		return s.log(p, scope)
	case 8, 9:
		return s.put(p, scope, r)
	case 10, 11:
		return s.remove(p, scope, r)
	case 12:
		return s.swap(p, scope, r)
	case 13:
		return s.list(p, scope, l, true)
	case 14:
		return s.cell(p, scope, "c"+l, true)
	}
	return s.event(p, scope)
}

// outcome hands an attempt in by how its commit ended, and returns what nobody expected.
func outcome(s *session, version uint64, err error) error {
	switch {
	case err == nil:
		s.end(isolation.Committed, version)
	case errors.Is(err, inmem.ErrConflict), errors.Is(err, errRollback):
		s.end(isolation.Aborted, 0)
		return nil
	default:
		s.end(isolation.Unknown, 0)
	}
	return err
}

// update works on one run, with retries: every attempt but the last was aborted.
func (c *client) update() error {
	at := c.pick()
	s := c.session()
	var over int64 // when the attempt before was done: the snapshot is taken before fn is called
	o := c.options()
	o.Retry = &inmem.Retry{Max: 2, Base: time.Millisecond}
	version, err := at.run.UpdateWith(c.ctx, o, func(tx *inmem.Tx) error {
		if over != 0 {
			s.end(isolation.Aborted, 0)
			s = c.session()
			s.Began = over
		}
		err := c.operate(s, tx, at.name, true)
		s.pin(tx.Snapshot())
		over = c.h.moment()
		if err == nil && c.rng.IntN(15) == 0 {
			return errRollback
		}
		return err
	})
	return outcome(s, version, err)
}

// begin works on one run, without retries.
func (c *client) begin() error {
	at := c.pick()
	return c.manual(at.run.Begin, func(s *session, tx *inmem.Tx) error {
		return c.operate(s, tx, at.name, true)
	})
}

// across works on several runs at once, forks and their parents among them.
func (c *client) across() error {
	return c.manual(c.d.Begin, func(s *session, tx *inmem.Tx) error {
		for range 2 {
			at := c.pick()
			if err := c.operate(s, tx.On(at.run), at.name, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// skew is what a level has to decide on: it looks at a range and writes beside it what another one
// looks at.
func (c *client) skew() error {
	at := c.pick()
	return c.manual(at.run.Begin, func(s *session, tx *inmem.Tx) error {
		half, other := 0, width/2
		if c.rng.IntN(2) == 0 {
			half, other = other, half
		}
		if err := s.scan(tx, at.name, half, half+width/2, 0, false); err != nil {
			return err
		}
		c.pause()
		return s.put(tx, at.name, register(other+c.rng.IntN(width/2)))
	})
}

func (c *client) manual(begin func(context.Context, inmem.TxOptions) (*inmem.Tx, error),
	fn func(*session, *inmem.Tx) error,
) error {
	s := c.session()
	tx, err := begin(c.ctx, c.options())
	if err != nil {
		return err
	}
	err = fn(s, tx)
	s.pin(tx.Snapshot())
	if err != nil || c.rng.IntN(15) == 0 {
		if ended := tx.Rollback(); ended != nil {
			return ended
		}
		s.end(isolation.Aborted, 0)
		return err
	}
	version, err := tx.Commit(c.ctx)
	return outcome(s, version, err)
}

// view reads what is published.
func (c *client) view() error {
	s := c.session()
	err := c.d.View(c.ctx, func(v *inmem.View) error {
		s.pin(v.Version())
		for range 2 {
			at := c.pick()
			if err := c.operate(s, v.On(at.run), at.name, false); err != nil {
				return err
			}
		}
		return nil
	})
	return outcome(s, 0, err)
}

// past reads an old version, whatever has ended meanwhile.
func (c *client) past() error {
	at := c.pick()
	now := c.d.Version()
	s := c.session()
	s.Began = 0
	v, err := at.run.At(c.ctx, now-min(now, uint64(c.rng.IntN(100))))
	if err != nil {
		return err
	}
	s.pin(v.Version())
	err = outcome(s, 0, c.operate(s, v, at.name, false))
	return errors.Join(err, v.Close())
}

// direct is one operation that is a transaction by itself.
func (c *client) direct() (err error) {
	at := c.pick()
	r := register(c.rng.IntN(width))
	switch c.rng.IntN(3) {
	case 0:
		s := c.session()
		v := c.h.value()
		s.note(isolation.Op{Kind: isolation.Write, Key: key(at.name, r), Value: v})
		version, err := inmem.Put(c.ctx, at.run.KV(), r, v)
		return outcome(s, version, err)
	case 1:
		s := c.session()
		v := c.h.value()
		s.note(isolation.Op{Kind: isolation.Append, Key: key(at.name, events), Value: v})
		done, err := at.run.Events().Append(c.ctx, "e", inmem.Int(v))
		return outcome(s, done.Version, err)
	}
	s := c.session() // one read is a transaction, too
	err = c.operation(s, at.run, at.name, false)
	return outcome(s, 0, err)
}

// swap is a compare-and-set by itself: it says that what was read before, in another transaction,
// is still there. It keeps to two registers, so that it often is not.
func (c *client) swap() error {
	at := c.pick()
	r := register(c.rng.IntN(2))
	before := c.session()
	if err := before.get(at.run, at.name, r, true); err != nil {
		return err
	}
	before.end(isolation.Committed, 0)
	time.Sleep(time.Duration(c.rng.IntN(500)) * time.Microsecond)
	s := c.session()
	op := before.Ops[0]
	v := c.h.value()
	s.Ops = append(s.Ops, op, isolation.Op{Kind: isolation.Write, Key: op.Key, Value: v})
	version, err := at.run.KV().CAS(c.ctx, r, op.Version, inmem.Int(v))
	if errors.Is(err, inmem.ErrConflict) {
		s.Ops = s.Ops[1:] // it did not hold
	}
	return outcome(s, version, err)
}

// fork makes a run of another one at some version, for all to use.
func (c *client) fork() error {
	c.mu.Lock()
	c.forks++
	n := c.forks
	c.mu.Unlock()
	if n > mostForks {
		return c.update()
	}
	from, version := c.pick(), c.d.Version()
	version -= min(version-1, uint64(c.rng.IntN(50)))
	run, err := from.run.Fork(c.ctx, inmem.ForkOptions{At: version})
	if err != nil {
		return err
	}
	child := &scope{name: fmt.Sprintf("%s.%d", from.name, n), run: run}
	c.h.fork(isolation.Fork{Parent: from.name, Child: child.name, At: version})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = append(c.scopes, child)
	return nil
}

// fill writes what nobody reads, so that memory is given back.
func (c *client) fill() error {
	if c.load == nil {
		return c.begin()
	}
	_, err := c.pick().run.KV().Put(c.ctx, fmt.Sprint("z/", c.rng.IntN(4)), inmem.Bytes(c.load))
	return err
}
