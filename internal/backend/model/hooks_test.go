package model

import (
	"context"
	"iter"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// hooks is a model whose methods can be replaced one by one. A nil hook leaves the method alone.
type hooks struct {
	*Backend
	get    func(*backend.Scope, codec.Primitive, string, uint64) (backend.Record, error)
	scan   func(*backend.Scope, codec.Primitive, backend.Range, uint64) backend.Cursor
	extent func(*backend.Scope, uint64) (backend.ScopeCommits, error)
	tail   func(from uint64) iter.Seq2[backend.Commit, error]
	begin  func() (backend.Pin, error)
	commit func(context.Context, *backend.Request) (backend.Outcome, error)
	sweep  func(ctx context.Context, now time.Time) error
	extra  func() uint64 // added to Published
}

func (h *hooks) Get(
	ctx context.Context, s *backend.Scope, p codec.Primitive, key string, at uint64,
) (backend.Record, error) {
	if h.get != nil {
		return h.get(s, p, key, at)
	}
	return h.Backend.Get(ctx, s, p, key, at)
}

func (h *hooks) Scan(
	ctx context.Context, s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
) backend.Cursor {
	if h.scan != nil {
		return h.scan(s, p, r, at)
	}
	return h.Backend.Scan(ctx, s, p, r, at)
}

func (h *hooks) Commits(
	ctx context.Context, s *backend.Scope, at uint64,
) (backend.ScopeCommits, error) {
	if h.extent != nil {
		return h.extent(s, at)
	}
	return h.Backend.Commits(ctx, s, at)
}

func (h *hooks) Tail(ctx context.Context, from uint64) iter.Seq2[backend.Commit, error] {
	if h.tail != nil {
		return h.tail(from)
	}
	return h.Backend.Tail(ctx, from)
}

func (h *hooks) Begin() (backend.Pin, error) {
	if h.begin != nil {
		return h.begin()
	}
	return h.Backend.Begin()
}

func (h *hooks) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	if h.commit != nil {
		return h.commit(ctx, r)
	}
	return h.Backend.Commit(ctx, r)
}

func (h *hooks) Sweep(ctx context.Context, now time.Time) error {
	if h.sweep != nil {
		return h.sweep(ctx, now)
	}
	return h.Backend.Sweep(ctx, now)
}

func (h *hooks) Published() uint64 {
	if h.extra != nil {
		return h.Backend.Published() + h.extra()
	}
	return h.Backend.Published()
}

// onRequest plants a bug that consists in another request.
func onRequest(change func(b *Backend, r *backend.Request)) func(*Backend) backend.Backend {
	return func(b *Backend) backend.Backend {
		return &hooks{Backend: b, commit: func(
			ctx context.Context, r *backend.Request,
		) (backend.Outcome, error) {
			other := *r
			change(b, &other)
			return b.Commit(ctx, &other)
		}}
	}
}

// onOutcome plants a bug that comes after the commit.
func onOutcome(
	change func(b *Backend, r *backend.Request, out *backend.Outcome, err *error),
) func(*Backend) backend.Backend {
	return func(b *Backend) backend.Backend {
		return &hooks{Backend: b, commit: func(
			ctx context.Context, r *backend.Request,
		) (backend.Outcome, error) {
			out, err := b.Commit(ctx, r)
			change(b, r, &out, &err)
			return out, err
		}}
	}
}

// onGet plants a bug in what Get answers.
func onGet(
	change func(b *Backend, k key, at uint64, r backend.Record) backend.Record,
) func(*Backend) backend.Backend {
	return func(b *Backend) backend.Backend {
		return &hooks{Backend: b, get: func(
			s *backend.Scope, p codec.Primitive, user string, at uint64,
		) (backend.Record, error) {
			r, err := b.Get(context.Background(), s, p, user, at)
			return change(b, keyOf(s, p, user), at, r), err
		}}
	}
}

// onScan plants a bug in the bounds of a scan.
func onScan(
	change func(r *backend.Range, at *uint64, b *Backend),
) func(*Backend) backend.Backend {
	return func(b *Backend) backend.Backend {
		return &hooks{Backend: b, scan: func(
			s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
		) backend.Cursor {
			change(&r, &at, b)
			return b.Scan(context.Background(), s, p, r, at)
		}}
	}
}

// locked runs f under the model's mutex.
func locked[T any](b *Backend, f func() T) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return f()
}
