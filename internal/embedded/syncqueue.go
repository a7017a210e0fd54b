package embedded

import (
	"slices"
	"sync"
)

// syncQueue is where commits wait for the disk. One of them syncs for all that were logged when it
// began; those are woken together, and of those that came later one is woken to sync next. So every
// sync carries what came together during the one before, and nobody is woken in vain.
//
// Invariant: where somebody waits, somebody leads, and who leads calls pass when he is done.
type syncQueue struct {
	mu      sync.Mutex
	leading bool          // guarded by mu
	waiting []*syncWaiter // guarded by mu: in the order in which they came
}

// syncWaiter is one that waits. It serves again and again; its channel is empty then.
type syncWaiter struct {
	version uint64
	wake    chan bool // capacity 1: true: the next sync is yours
}

var syncWaiters = sync.Pool{New: func() any { return &syncWaiter{wake: make(chan bool, 1)} }}

// join returns true if the caller is to sync for all, or when enough says that the version is on
// stable storage. Otherwise it waits for a sync and returns whether the next one is the caller's.
func (q *syncQueue) join(version uint64, enough func(uint64) bool) (lead bool) {
	q.mu.Lock()
	// Asked under mu: who makes it true passes behind that, and finds whoever was told no.
	if enough(version) {
		q.mu.Unlock()
		return false
	}
	if !q.leading {
		q.leading = true
		q.mu.Unlock()
		return true
	}
	w := syncWaiters.Get().(*syncWaiter)
	w.version = version
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()
	lead = <-w.wake
	syncWaiters.Put(w)
	return lead
}

// pass ends the lead. Whoever has enough is woken, and one of the others leads from now on.
func (q *syncQueue) pass(enough func(uint64) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting
	q.waiting = q.waiting[:0]
	q.leading = false
	for _, w := range waiting {
		switch {
		case enough(w.version):
			w.wake <- false
		case !q.leading:
			q.leading = true
			w.wake <- true
		default:
			q.waiting = append(q.waiting, w)
		}
	}
	clear(waiting[len(q.waiting):])
}

// release wakes whoever has enough, also while somebody leads: he may be stuck in a store that has
// failed.
func (q *syncQueue) release(enough func(uint64) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *syncWaiter) bool {
		gone := enough(w.version)
		if gone {
			w.wake <- false
		}
		return gone
	})
}
