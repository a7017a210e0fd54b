package model

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// tombstonesAsZero lets a deleted key pass for one that never existed.
func tombstonesAsZero(b *Backend, r *backend.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Reads = append([]backend.Read(nil), r.Reads...)
	for i, x := range r.Reads {
		if now := b.latest(keyOf(x.Scope, x.Primitive, x.Key)); now.Deleted && x.Stamp == 0 {
			r.Reads[i].Stamp = now.Stamp
		}
	}
	r.Conditions = append([]backend.Condition(nil), r.Conditions...)
	for i, x := range r.Conditions {
		if now := b.latest(keyOf(x.Scope, x.Primitive, x.Key)); now.Deleted && x.Expected == 0 {
			r.Conditions[i].Expected = now.Stamp
		}
	}
}

// sweepAsWrite gives the sweeper's tombstones a stamp of their own.
func sweepAsWrite(b *Backend, _ *backend.Request, out *backend.Outcome, err *error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if *err != nil || out.Version == 0 {
		return
	}
	for _, keys := range b.records {
		for _, chain := range keys {
			if last := &chain[len(chain)-1]; last.Version == out.Version {
				last.Stamp = last.Version
			}
		}
	}
}

// deleteOutOfOrder looks whether a key exists before the commit has its place in the order.
func deleteOutOfOrder(b *Backend) backend.Backend {
	return &hooks{Backend: b, commit: func(
		ctx context.Context, r *backend.Request,
	) (backend.Outcome, error) {
		existed := 0
		b.mu.Lock()
		at := b.published
		if r.Pin != nil {
			at = r.Pin.Version()
		}
		for _, w := range r.Writes {
			if w.Op == backend.Delete && b.at(keyOf(w.Scope, w.Primitive, w.Key), at).Exists() {
				existed++
			}
		}
		b.mu.Unlock()
		if existed > 0 {
			time.Sleep(100 * time.Microsecond)
		}
		out, err := b.Commit(ctx, r)
		if err == nil {
			out.Existed = existed
		}
		return out, err
	}}
}

// versionsReused gives every third version out twice.
func versionsReused(b *Backend, _ *backend.Request, out *backend.Outcome, _ *error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if out.Version > 10 && out.Version%3 == 0 && len(b.commits)%2 == 0 {
		b.published--
	}
}

// statusRemembered checks the status that the handle met first.
func statusRemembered(b *Backend) backend.Backend {
	var seen sync.Map
	return &hooks{Backend: b, commit: func(
		ctx context.Context, r *backend.Request,
	) (backend.Outcome, error) {
		other := *r
		for _, w := range r.Writes {
			if _, ok := seen.Load(w.Scope); ok {
				other.CreateScopes = append(other.CreateScopes, w.Scope)
			}
		}
		out, err := b.Commit(ctx, &other)
		for _, w := range r.Writes {
			if err == nil && w.Scope.Record != "" {
				seen.Store(w.Scope, true)
			}
		}
		return out, err
	}}
}

// slicesKept keeps the request's writes and looks at them again when the history is asked for.
func slicesKept(b *Backend) backend.Backend {
	var kept sync.Map
	return &hooks{Backend: b,
		commit: func(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
			out, err := b.Commit(ctx, r)
			kept.Store(out.Version, r.Writes)
			return out, err
		},
		get: func(s *backend.Scope, p codec.Primitive, user string, at uint64,
		) (backend.Record, error) {
			r, err := b.Get(context.Background(), s, p, user, at)
			writes, _ := kept.Load(r.Version)
			for _, w := range writes.([]backend.Write) {
				if w.Key == user && w.Scope.Number == s.Number {
					return r, err
				}
			}
			return backend.Record{}, err
		}}
}

// publishedEarly shows the next version to readers while its commit still works on it.
func publishedEarly(b *Backend) backend.Backend {
	var order sync.Mutex // one commit at a time, so that the next version is known
	var ahead atomic.Uint64
	return &hooks{Backend: b,
		extra: ahead.Load,
		begin: func() (backend.Pin, error) {
			return &pin{b: b, version: b.Published() + ahead.Load()}, nil
		},
		commit: func(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
			order.Lock()
			defer order.Unlock()
			if len(r.Writes) > 0 && r.Pin == nil || len(r.Reads) == 0 {
				ahead.Store(1)
				time.Sleep(50 * time.Microsecond)
				defer ahead.Store(0)
			}
			return b.Commit(ctx, r)
		}}
}

// torn shows half of a commit's keys a moment later than the other half.
func torn(b *Backend) backend.Backend {
	var order sync.Mutex
	var tearing atomic.Uint64
	return &hooks{Backend: b,
		get: func(s *backend.Scope, p codec.Primitive, user string, at uint64,
		) (backend.Record, error) {
			r, err := b.Get(context.Background(), s, p, user, at)
			if r.Version != 0 && r.Version == tearing.Load() && user != "" && user[len(user)-1]%2 == 0 {
				return b.Get(context.Background(), s, p, user, r.Version-1)
			}
			return r, err
		},
		commit: func(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
			order.Lock()
			defer order.Unlock()
			tearing.Store(b.Published() + 1)
			defer tearing.Store(0)
			out, err := b.Commit(ctx, r)
			time.Sleep(50 * time.Microsecond)
			return out, err
		}}
}

// sweepBlindly lists what has expired, everywhere, and later deletes it without another look.
func sweepBlindly(b *Backend) backend.Backend {
	return &hooks{Backend: b, sweep: func(_ context.Context, now time.Time) error {
		var list []backend.Write
		for n := range b.scopes + 1 {
			list = append(list, b.expired(&backend.Scope{Number: n}, now)...)
		}
		time.Sleep(100 * time.Microsecond)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, w := range list {
			version := b.published + 1
			b.add(keyOf(w.Scope, w.Primitive, w.Key),
				backend.Record{Version: version, Stamp: w.Stamp, Deleted: true})
			b.record(&backend.Request{}, version, b.time, map[codec.Scope][]codec.Change{w.Scope.Number: {
				{Primitive: w.Primitive, Op: codec.ChangeDelete, Key: w.Key}}})
			b.published = version
		}
		return nil
	}}
}

// fickle tells what the wall clock says, also after it went back.
type fickle struct{ *Backend }

func (f fickle) Now() int64 { return f.now().UnixNano() }
