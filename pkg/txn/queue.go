package txn

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The queue on hot keys.
//
// Purpose: transactions that rewrite the same key can only commit one after the other. Those that
// try at once anyway waste their work, and who is slow may lose for ever. So they take turns, in
// the order in which they came, each before its snapshot is taken.
//
// A turn is advice, not a lock: the commit validates as ever, writers that take no turn go their
// way, and nothing is wrong without one. That is what makes it safe to take it away: a turn that
// lasts too long goes to the next in line. So every wait ends, a deadlock is impossible, and who
// waits for itself (a direct operation in the function, on the function's own key) gets on.
//
// A key is hot while somebody has the turn at it, or will come for it (a transaction that lost
// over it, and sleeps before it tries again).
//
// Invariants, under the shard's lock:
//
//  1. The map has lines of hot keys only: with a turn, or with somebody who will come.
//  2. Nobody waits in a line without a turn.
//  3. Every turn has a number of its own. Who holds another number than the line has lost the turn
//     and leaves nothing behind.
//  4. A waiter stands in a line until its number is set; whoever sets it takes it out.

// DefaultTurn is how long a turn may last while others wait for it.
const DefaultTurn = 100 * time.Millisecond

// hotKey names what is waited for. The run's id stands for its scope: it is what conflicts name.
type hotKey struct {
	run       string
	primitive codec.Primitive
	key       string
}

// newHotKey returns the place where those meet who read a key and rewrite it. The end of an event
// log moves from key to key; for the queue it stays one.
func newHotKey(run string, p codec.Primitive, key string) hotKey {
	if p == codec.Events {
		key = ""
	}
	return hotKey{run, p, key}
}

const queueShards = 32

// queue has the lines of all hot keys. Safe for concurrent use.
type queue struct {
	seed   maphash.Seed
	limit  time.Duration // how long a turn is safe
	shards [queueShards]queueShard
	// hot counts the shards that have a line, for a look that needs not even the key's place.
	hot atomic.Int32
	// idle waiters are out of every line, their timers stopped, their channels empty.
	idle sync.Pool
}

type queueShard struct {
	mu     sync.Mutex // guards lines with all that waits in them, and number
	lines  map[hotKey]line
	number uint64 // of the last turn

	hot   atomic.Int64  // the length of lines, for a look without the lock
	among *atomic.Int32 // queue.hot
}

// line is one key's: whose turn it is, and who waits, oldest first.
type line struct {
	number      uint64 // 0: nobody's
	coming      int    // those who will enter
	first, last *waiter
}

type waiter struct {
	previous, next *waiter
	number         uint64        // of its turn, once it has one
	granted        chan struct{} // one message when number is set by somebody else
	timer          *time.Timer
}

func newWaiter() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &waiter{granted: make(chan struct{}, 1), timer: t}
}

// turn is somebody's turn at a key. The zero turn is nobody's.
type turn struct {
	key    hotKey
	number uint64
}

func (q *queue) init(limit time.Duration) {
	q.seed, q.limit = maphash.MakeSeed(), limit
	q.idle.New = newWaiter
	for i := range q.shards {
		q.shards[i].lines, q.shards[i].among = map[hotKey]line{}, &q.hot
	}
}

func (q *queue) shard(k *hotKey) *queueShard {
	// Runs tend to use the same names for their keys, so both count.
	h := maphash.String(q.seed, k.run) ^ maphash.String(q.seed, k.key)
	return &q.shards[h%queueShards]
}

// enter waits for a turn at a key. The only error is that of ctx.
//
// Every turn has to be left. The wait for each of those ahead ends after twice the limit at the
// latest. No allocation if nobody is ahead.
func (q *queue) enter(ctx context.Context, k hotKey) (turn, error) {
	s := q.shard(&k)
	s.mu.Lock()
	l := s.lines[k]
	if l.number == 0 {
		s.number++
		l.number = s.number
		s.set(k, l)
		s.mu.Unlock()
		return turn{k, l.number}, nil
	}
	w := q.idle.Get().(*waiter)
	l.push(w)
	s.set(k, l)
	s.mu.Unlock()
	number, err := q.wait(ctx, s, k, w, l.number)
	w.number = 0
	q.idle.Put(w)
	return turn{k, number}, err
}

// announce makes a key hot until its caller has come, or says that it will not: by arrive.
func (q *queue) announce(k hotKey) { q.expect(k, 1) }

func (q *queue) arrive(k hotKey) { q.expect(k, -1) }

func (q *queue) expect(k hotKey, more int) {
	s := q.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lines[k]
	l.coming += more
	s.set(k, l)
}

// anyHot reports whether any key is hot.
func (q *queue) anyHot() bool { return q.hot.Load() != 0 }

// isHot reports whether a key is hot. It takes no lock while no key of the shard is.
func (q *queue) isHot(k hotKey) bool {
	s := q.shard(&k)
	if s.hot.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, hot := s.lines[k]
	return hot
}

// set puts a key's line into the map, or takes it out once the key is not hot. Callers hold mu.
func (s *queueShard) set(k hotKey, l line) {
	if l.number == 0 && l.coming == 0 {
		delete(s.lines, k)
	} else {
		s.lines[k] = l
	}
	n := int64(len(s.lines))
	switch was := s.hot.Swap(n); {
	case was == 0 && n > 0:
		s.among.Add(1)
	case was > 0 && n == 0:
		s.among.Add(-1)
	}
}

// wait waits for the waiter's turn; holder has the number of the turn that it found.
func (q *queue) wait(ctx context.Context, s *queueShard, k hotKey, w *waiter, holder uint64,
) (uint64, error) {
	w.timer.Reset(q.limit)
	defer w.timer.Stop()
	for {
		select {
		case <-w.granted:
			return w.number, nil
		case <-ctx.Done():
			s.giveUp(k, w)
			return 0, ctx.Err()
		case <-w.timer.C:
			var mine bool
			if holder, mine = s.overdue(k, w, holder); mine {
				return w.number, nil
			}
			w.timer.Reset(q.limit)
		}
	}
}

// overdue is called when a waiter has waited for as long as a turn is safe. If the turn is still
// the one that it knows, and it is the next, the turn becomes its own. Otherwise it returns the
// number of the present turn; one that it gets at this moment is found in the channel.
func (s *queueShard) overdue(k hotKey, w *waiter, holder uint64) (now uint64, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lines[k]
	if l.number != holder || l.first != w {
		return l.number, false
	}
	s.pass(&l)
	s.set(k, l)
	return l.number, true
}

// giveUp takes a waiter out of its line. A turn that it got at this moment goes to the next.
func (s *queueShard) giveUp(k hotKey, w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.number != 0 {
		<-w.granted
		s.end(turn{k, w.number})
		return
	}
	l := s.lines[k]
	l.remove(w)
	s.set(k, l)
}

// leave ends a turn, and reports whether it had lasted until now.
func (q *queue) leave(t turn) bool {
	if t.number == 0 {
		return false
	}
	s := q.shard(&t.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(t)
}

// end is leave. Callers hold mu.
func (s *queueShard) end(t turn) bool {
	l := s.lines[t.key]
	if l.number != t.number {
		return false
	}
	if next := l.first; next != nil {
		s.pass(&l)
		next.granted <- struct{}{}
	} else {
		l.number = 0
	}
	s.set(t.key, l)
	return true
}

// pass gives the turn to the first in line. Callers hold mu.
func (s *queueShard) pass(l *line) {
	w := l.first
	l.remove(w)
	s.number++
	w.number, l.number = s.number, s.number
}

// has reports whether a turn is still its owner's.
func (q *queue) has(t turn) bool {
	if t.number == 0 {
		return false
	}
	s := q.shard(&t.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[t.key].number == t.number
}

func (l *line) push(w *waiter) {
	w.previous, w.next = l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *line) remove(w *waiter) {
	if w.previous == nil {
		l.first = w.next
	} else {
		w.previous.next = w.next
	}
	if w.next == nil {
		l.last = w.previous
	} else {
		w.next.previous = w.previous
	}
	w.previous, w.next = nil, nil
}
