package embedded

import (
	"context"
	"sync"
	"sync/atomic"
)

// watermark is a version that only rises and can be waited for: what is published, what is durable.
// Reading it is one atomic load; raising it costs a lock only while somebody waits.
type watermark struct {
	version atomic.Uint64
	waiting atomic.Int32

	mu struct {
		sync.Mutex
		changed chan struct{} // closed and replaced when the version rises or the wait is in vain
	}
}

func (w *watermark) load() uint64 { return w.version.Load() }

// raise lifts the version to v; a lower v is ignored.
func (w *watermark) raise(v uint64) {
	for {
		old := w.version.Load()
		if v <= old {
			return
		}
		if w.version.CompareAndSwap(old, v) {
			break
		}
	}
	w.wake()
}

// wake makes all waiters look again. A waiter announces itself before it reads the version and the
// version is raised before waiting is read, so no wake is lost.
func (w *watermark) wake() {
	if w.waiting.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.changed != nil {
		close(w.mu.changed)
		w.mu.changed = nil
	}
}

// changing announces a waiter and returns a channel that is closed at the next wake. Who looks at
// the version behind this call misses no rise, and calls leave when he waits no longer.
func (w *watermark) changing() <-chan struct{} {
	w.waiting.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.changed == nil {
		w.mu.changed = make(chan struct{})
	}
	return w.mu.changed
}

// leave takes back the announcement of changing.
func (w *watermark) leave() { w.waiting.Add(-1) }

// wait returns when the version is reached, when ctx is done, or when failed answers an error. A
// waiter costs nothing until the version rises, and then the same whether it was his or not.
func (w *watermark) wait(ctx context.Context, v uint64, failed func() error) error {
	for w.version.Load() < v {
		if err := w.waitChange(ctx, v, failed); err != nil {
			return err
		}
	}
	return nil
}

func (w *watermark) waitChange(ctx context.Context, v uint64, failed func() error) error {
	changed := w.changing()
	defer w.leave()
	if w.version.Load() >= v {
		return nil
	}
	if err := failed(); err != nil {
		return err
	}
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
