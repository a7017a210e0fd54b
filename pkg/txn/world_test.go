package txn

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/pkg/codec"
)

// world is a Manager over the dumb authority, whose answers a test can replace.
type world struct {
	*Manager
	t     *testing.T
	stub  *stub
	clock atomic.Int64
	scope *backend.Scope // the system scope: always there, always writable
	waits []time.Duration
}

// stub passes everything on to the authority unless a test has put something in between.
type stub struct {
	backend.Backend
	commit    func(context.Context, *backend.Request) (backend.Outcome, error)
	get       func(key string) error
	next      func() error // asked by cursors
	published func(uint64) uint64
	waited    []uint64 // versions that WaitPublished was asked for
	waitErr   error
	pinErr    error
	begin     error
	releases  atomic.Int64
	requests  []backend.Request
}

func (s *stub) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	s.requests = append(s.requests, *r)
	if s.commit != nil {
		return s.commit(ctx, r)
	}
	inner := *r
	if p, ok := r.Pin.(*stubPin); ok {
		inner.Pin = p.Pin
	}
	return s.Backend.Commit(ctx, &inner)
}

func (s *stub) Get(ctx context.Context, sc *backend.Scope, p codec.Primitive, key string,
	at uint64,
) (backend.Record, error) {
	if s.get != nil {
		if err := s.get(key); err != nil {
			return backend.Record{}, err
		}
	}
	return s.Backend.Get(ctx, sc, p, key, at)
}

func (s *stub) Scan(ctx context.Context, sc *backend.Scope, p codec.Primitive, r backend.Range,
	at uint64,
) backend.Cursor {
	return &stubCursor{Cursor: s.Backend.Scan(ctx, sc, p, r, at), s: s}
}

type stubCursor struct {
	backend.Cursor
	s   *stub
	err error
}

func (c *stubCursor) Next() bool {
	if c.s.next != nil {
		c.err = c.s.next()
	}
	return c.err == nil && c.Cursor.Next()
}

func (c *stubCursor) Err() error {
	if c.err != nil {
		return c.err
	}
	return c.Cursor.Err()
}

func (s *stub) Published() uint64 {
	v := s.Backend.Published()
	if s.published != nil {
		return s.published(v)
	}
	return v
}

func (s *stub) WaitPublished(_ context.Context, version uint64) error {
	s.waited = append(s.waited, version)
	return s.waitErr
}

func (s *stub) Begin() (backend.Pin, error) {
	if s.begin != nil {
		return nil, s.begin
	}
	p, err := s.Backend.Begin()
	if err != nil {
		return nil, err
	}
	return &stubPin{Pin: p, s: s}, nil
}

type stubPin struct {
	backend.Pin
	s *stub
}

func (p *stubPin) Err() error { return p.s.pinErr }
func (p *stubPin) Release() {
	p.s.releases.Add(1)
	p.Pin.Release()
}

func newWorld(t *testing.T, c Config) *world {
	w := &world{t: t, scope: &backend.Scope{Number: codec.SystemScope}}
	w.clock.Store(1e18)
	now := func() time.Time { return time.Unix(0, w.clock.Load()) }
	w.stub = &stub{Backend: model.New(now)}
	if c.Sleep == nil {
		c.Sleep = func(ctx context.Context, d time.Duration) error {
			w.waits = append(w.waits, d)
			return ctx.Err()
		}
	}
	if c.Int64N == nil {
		c.Int64N = func(n int64) int64 { return n - 1 }
	}
	w.Manager = New(w.stub, c)
	return w
}

func (w *world) put(key, value string) uint64 {
	w.t.Helper()
	v, err := w.Scope(w.scope).Put(w.t.Context(), index, key, []byte(value), 0)
	require.NoError(w.t, err)
	return v
}

func (w *world) begin(o Options) (*Tx, Scope) {
	w.t.Helper()
	tx, err := w.Begin(w.t.Context(), w.scope, o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = tx.Rollback() })
	return tx, tx.Scope(w.scope)
}

// index is the primitive that the tests write to: the authority attaches no meaning to its values.
const index = codec.RunIndex
