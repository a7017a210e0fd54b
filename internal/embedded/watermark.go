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

// wait returns when the version is reached, when ctx is done, or when failed answers an error. A
// waiter costs nothing until the version rises, and then the same whether it was his or not.
func (w *watermark) wait(ctx context.Context, v uint64, failed func() error) error {
	if w.version.Load() >= v {
		return nil
	}
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	for {
		w.mu.Lock()
		if w.mu.changed == nil {
			w.mu.changed = make(chan struct{})
		}
		changed := w.mu.changed
		w.mu.Unlock()
		if w.version.Load() >= v {
			return nil
		}
		if err := failed(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
