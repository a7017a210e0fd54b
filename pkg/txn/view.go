package txn

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// View reads at one version. It validates nothing, keeps no writer waiting, holds no memory of what
// it shows, and cannot fail to commit. Safe for concurrent use.
type View struct {
	m     *Manager
	at    uint64
	now   int64 // expiry is judged by it
	ended atomic.Bool
	only  bool  // it is on the keys of one scope, and now is the time in that
	times times // of imported runs, if it is on more
	// managed: it ends with the function that it was given to, not by its user.
	managed bool
	hold    backend.Retention // of a view of the past; nil at version 0
	cleanup runtime.Cleanup   // gives hold back if the view is dropped
}

// newView returns a view of what is published now.
func (m *Manager) newView() *View {
	v := &View{}
	v.begin(m)
	return v
}

// begin makes a new view one of what is published now.
func (v *View) begin(m *Manager) {
	// The time is asked after the version: what the sweeper deleted at or below it has then expired
	// for this view, too, so sweeping is never visible.
	v.m, v.at = m, m.b.Published()
	v.now = m.b.Now()
}

// View calls fn with a view of what is published now, and returns its error unchanged. The view
// ends with the call, also by a panic, which goes on up.
func (m *Manager) View(ctx context.Context, fn func(*View) error) error {
	if err := done(ctx); err != nil {
		return err
	}
	v := m.newView()
	v.managed = true
	hold, err := m.b.Retain(ctx, nil, v.at)
	if err != nil {
		return ContextError(err)
	}
	defer hold.Release()
	defer v.ended.Store(true)
	return fn(v)
}

// ViewAt returns a view of what was published at a version: the newest commit at or below it, and
// everything before. Its time, by which expiry is judged, is that of this commit, not the clock's;
// of an imported commit it is the one that it had where it was made.
// Version 0 is empty. The view stays as it is, whatever happens, until End. It is on the keys of s
// alone, or (nil) of the whole database. One that is dropped without End is ended when the garbage
// collector finds it.
//
// Cost: independent of the size of the store; a read of the store if the version is not a recent
// one. Errors: codec.ErrInvalidArgument for a version that is not published yet, ErrTimeout,
// ErrCanceled, backend.ErrPruned, and those of the storage.
func (m *Manager) ViewAt(ctx context.Context, s *backend.Scope, version uint64) (*View, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	if newest := m.b.Published(); version > newest {
		return nil, fmt.Errorf("%w: version %d, the newest is %d", codec.ErrInvalidArgument,
			version, newest)
	}
	at, now, err := m.b.NewestCommit(ctx, version)
	if err != nil {
		return nil, ContextError(err)
	}
	v := &View{m: m, at: at, now: now, only: s != nil}
	if at == 0 {
		if s != nil { // what was deleted does not even show nothing
			if _, err = m.b.Commits(ctx, s, 0); err != nil {
				return nil, ContextError(err)
			}
		}
		return v, nil
	}
	if v.hold, err = m.b.Retain(ctx, s, at); err != nil {
		return nil, ContextError(err)
	}
	if s != nil {
		if v.now, err = m.timeIn(ctx, s, at, now); err != nil {
			v.hold.Release()
			return nil, err
		}
	}
	v.cleanup = runtime.AddCleanup(v, backend.Retention.Release, v.hold)
	return v, nil
}

// Version is the version that the view shows.
func (v *View) Version() uint64 { return v.at }

// Now is the time by which the view judges expiry, in Unix nanoseconds: that of its start, or for a
// view of the past the time of the commit that it shows; 0 for version 0.
func (v *View) Now() int64 { return v.now }

// End ends a view that ViewAt made; after that everything answers ErrTxnDone. A second End does
// nothing. The function that a view was given to cannot call it (codec.ErrInvalidArgument).
func (v *View) End() error {
	if v.managed {
		return fmt.Errorf("%w: the view ends with the function it was given to",
			codec.ErrInvalidArgument)
	}
	if v.ended.CompareAndSwap(false, true) {
		v.cleanup.Stop()
		if v.hold != nil {
			v.hold.Release()
		}
	}
	return nil
}

// Scope returns the read-only form for the keys of s; nil names none, and every use is refused.
func (v *View) Scope(s *backend.Scope) Scope { return Scope{m: v.m, s: s, view: v} }

func (v *View) usable() error {
	if v.ended.Load() {
		return ErrTxnDone
	}
	return nil
}
