package backendtest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// durableChecks are about waiting for what becomes durable, and about copies of it.
var durableChecks = []Check{
	{"beyond-what-is-durable-returns-at-once", func(w *world) {
		v := w.put(w.scope(), "k", "0")
		require.NoError(w, w.b.Flush(w.ctx))
		for _, beyond := range []uint64{0, v - 1} {
			durable, err := w.b.WaitBeyond(w.ctx, beyond)
			require.NoError(w, err)
			require.Equal(w, v, durable)
		}
	}},
	{"beyond-waits-for-the-next-durable-commit", func(w *world) {
		s := w.scope()
		require.NoError(w, w.b.Flush(w.ctx))
		before := w.b.Durable()
		type answer struct {
			durable uint64
			err     error
		}
		answers := make(chan answer)
		for range 3 {
			go func() {
				durable, err := w.b.WaitBeyond(w.ctx, before)
				answers <- answer{durable, err}
			}()
		}
		select {
		case a := <-answers:
			require.Fail(w, "it did not wait", "%v", a)
		case <-time.After(10 * time.Millisecond):
		}
		v := w.put(s, "k", "0")
		require.NoError(w, w.b.Flush(w.ctx))
		for range 3 {
			a := <-answers
			require.NoError(w, a.err)
			require.Equal(w, v, a.durable)
		}
	}},
	{"beyond-ends-with-its-context", func(w *world) {
		require.NoError(w, w.b.Flush(w.ctx))
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Millisecond)
		defer cancel()
		_, err := w.b.WaitBeyond(ctx, w.b.Published())
		require.ErrorIs(w, err, context.DeadlineExceeded)
		_, err = w.b.WaitBeyond(ctx, ^uint64(0))
		require.ErrorIs(w, err, context.DeadlineExceeded)
	}},
	{"beyond-ends-with-the-authority", func(w *world) {
		ended := make(chan error)
		go func() {
			_, err := w.b.WaitBeyond(w.ctx, beyond)
			ended <- err
		}()
		time.Sleep(5 * time.Millisecond)
		require.NoError(w, w.b.Close())
		require.ErrorIs(w, <-ended, backend.ErrClosed)
	}},
	{"checkpoint-is-of-what-was-committed", func(w *world) {
		s := w.scope()
		v := w.put(s, "k", "0")
		info, err := w.b.Checkpoint(w.ctx, "checkpoint")
		if errors.Is(err, codec.ErrInvalidArgument) {
			return // it has nothing on disk
		}
		require.NoError(w, err)
		require.Equal(w, v, info.Version)
		require.Equal(w, v, w.b.Durable())
		require.Positive(w, info.Files)
		require.Positive(w, info.Bytes)
		w.put(s, "k", "1")
		_, err = w.b.Checkpoint(w.ctx, "checkpoint")
		require.ErrorIs(w, err, codec.ErrInvalidArgument, "the place is taken")
		info, err = w.b.Checkpoint(w.ctx, "another")
		require.NoError(w, err)
		require.Equal(w, w.b.Published(), info.Version)
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		_, err = w.b.Checkpoint(ctx, "third")
		require.ErrorIs(w, err, context.Canceled)
		require.NoError(w, w.b.Close())
		_, err = w.b.Checkpoint(w.ctx, "third")
		require.ErrorIs(w, err, backend.ErrClosed)
	}},
}
