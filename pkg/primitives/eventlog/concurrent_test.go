package eventlog

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// R164: many append to one log at once, each directly or in transactions that read something else.
// None is refused, none is tried twice, and the order of the log is the commit order.
func TestR164ConcurrentAppends(t *testing.T) {
	const goroutines, each = 50, 100
	w := newEngine(t, embedded.Options{Dir: t.TempDir(), Clock: time.Now})
	before := w.m.Stats()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() { appendAll(t, w, g, each) })
	}
	wg.Wait()
	after := w.m.Stats()
	require.Zero(t, after.Retries-before.Retries)
	require.Zero(t, after.Conflicts-before.Conflicts)

	l, ctx := w.log(), t.Context()
	v, err := l.Verify(ctx)
	require.NoError(t, err)
	require.True(t, v.Valid, v.Reason)
	require.EqualValues(t, goroutines*each, v.Length)
	var version uint64
	next := map[string]int64{}
	for e, err := range l.List(ctx, ListOptions{}) {
		require.NoError(t, err)
		require.GreaterOrEqual(t, e.Version, version)
		version = e.Version
		n, err := e.Payload.AsInt()
		require.NoError(t, err)
		require.Equal(t, next[e.Type], n, "in the order in which %s appended", e.Type)
		next[e.Type]++
	}
	require.Len(t, next, goroutines)
	r, err := l.VerifyIndex(ctx)
	require.NoError(t, err)
	require.Equal(t, IndexReport{Events: goroutines * each, Entries: goroutines * each}, r)
}

// appendAll appends events 0 to n-1 of one type, in four ways, and looks at what it is told.
func appendAll(t *testing.T, w *world, goroutine, n int) {
	l, ctx := w.log(), t.Context()
	typ := fmt.Sprintf("goroutine %d", goroutine)
	for i := 0; i < n; {
		var places []Appended
		var err error
		switch many := []NewEvent{{typ, codec.Int(int64(i))}, {typ, codec.Int(int64(i + 1))}}; i % 5 {
		case 0:
			places, err = l.AppendMany(ctx, many)
		case 3: // reads before the end of the log, and provisional places, rely on nothing
			err = w.update(ctx, txn.Options{}, func(in Log) error {
				if _, _, err := in.Get(ctx, 0); err != nil {
					return err
				}
				for _, err := range in.List(ctx, ListOptions{Type: typ}) {
					if err != nil {
						return err
					}
				}
				_, err := in.AppendMany(ctx, many)
				return err
			})
		default:
			places = make([]Appended, 1)
			places[0], err = l.Append(ctx, typ, codec.Int(int64(i)))
		}
		if err != nil {
			t.Errorf("%s, event %d: %v", typ, i, err)
			return
		}
		for j, p := range places {
			e, ok, err := l.Get(ctx, p.Seq)
			if err != nil || !ok || e.Hash != p.Hash || e.Version != p.Version || e.Type != typ {
				t.Errorf("%s, event %d: appended as %+v, found %+v (%v)", typ, i+j, p, e, err)
			}
		}
		i++
		if (i-1)%5 == 0 || (i-1)%5 == 3 {
			i++
		}
	}
}

// The log goes on where it was after the database was closed and opened again, and what was found
// before is what is found then (E53).
func TestReopen(t *testing.T) {
	o := embedded.Options{Dir: t.TempDir(), Clock: newClock().now}
	b, err := embedded.Open(t.Context(), o)
	require.NoError(t, err)
	w := beginRun(t.Context(), t, b, newClock())
	w.fill(t, 300)
	before := all(t, w.log().List(t.Context(), ListOptions{}))
	require.NoError(t, b.Close())

	b, err = embedded.Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	w.b, w.m = b, txn.New(b, txn.Config{})
	w.run.Cache.Store(nil)
	require.Equal(t, before, all(t, w.log().List(t.Context(), ListOptions{})))
	place, err := w.log().Append(t.Context(), "even", codec.Null())
	require.NoError(t, err)
	require.EqualValues(t, 300, place.Seq)
	v, err := w.log().Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, Verification{Valid: true, Length: 301, Head: place.Hash}, v)
	r, err := w.log().VerifyIndex(t.Context())
	require.NoError(t, err)
	require.Equal(t, IndexReport{Events: 301, Entries: 301}, r)
}
