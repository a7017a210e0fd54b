package txn

import (
	"context"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/backend"
)

// View reads at one version. It pins nothing, validates nothing, and cannot fail to commit. Safe
// for concurrent use.
type View struct {
	m     *Manager
	at    uint64
	now   int64 // the authority's time at its start: expiry is judged by it
	ended atomic.Bool
}

// newView returns a view of what is published now.
func (m *Manager) newView() *View {
	// The time is asked after the version: what the sweeper deleted at or below it has then expired
	// for this view, too, so sweeping is never visible.
	at := m.b.Published()
	return &View{m: m, at: at, now: m.b.Now()}
}

// View calls fn with a view of what is published now, and returns its error unchanged. The view
// ends with the call, also by a panic, which goes on up.
func (m *Manager) View(ctx context.Context, fn func(*View) error) error {
	if err := done(ctx); err != nil {
		return err
	}
	v := m.newView()
	defer v.ended.Store(true)
	return fn(v)
}

// Version is the version that the view shows.
func (v *View) Version() uint64 { return v.at }

// Scope returns the read-only form for the keys of s; nil names none, and every use is refused.
func (v *View) Scope(s *backend.Scope) Scope { return Scope{m: v.m, s: s, view: v} }

func (v *View) usable() error {
	if v.ended.Load() {
		return ErrTxnDone
	}
	return nil
}
